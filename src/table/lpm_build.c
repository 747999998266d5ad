// SPDX-License-Identifier: Apache-2.0
// One pass over sorted prefixes makes the trie: the nodes on the way to the current prefix are open, as lists of
// runs; a node is written when the first prefix beyond it comes. Sizing is the same pass without a blob to write to,
// so what it says is exact. Called by control, any thread.
#include "table/lpm_build.h"

#include <errno.h>
#include "table/lpm_node.h"

#define HEADER_BLOCKS   (sizeof(struct sl_lpm) / SL_LPM_BLOCK)
#define LEVELS          15 // nodes on the longest path: a root of 8 bits, then a node for every byte of IPv6
#define LARGE_ROOT_FROM 65536

struct builder {          // one family
    uint8_t *blob;        // NULL: only counts
    uint32_t *root;       // within the blob
    uint64_t block_used;  // next fresh block
    uint64_t block_count; // blocks there are
    uint32_t root_bytes;
    uint32_t open;       // nodes open, level[0] right below the root
    const uint8_t *path; // address of the prefix added last
    struct lpm_runs level[LEVELS];
};

static const uint8_t *item_addr(const struct sl_lpm_item *item, bool v4)
{
    return item->prefix.ip.b + (v4 ? 12 : 0);
}

static uint32_t root_slot(const struct builder *b, const uint8_t *addr)
{
    return sl_lpm_root_slot(addr, b->root_bytes * 8);
}

// Writes the deepest open node and links it into its parent, which nobody reads yet.
static int node_close(struct builder *b)
{
    struct lpm_runs *runs = &b->level[--b->open];
    lpm_runs_merge(runs);
    uint64_t index = b->block_used;
    uint32_t blocks = sl_lpm_node_blocks(runs->count);

    if (index + blocks > b->block_count)
        return -ENOSPC;
    b->block_used += blocks;
    if (b->blob)
        lpm_node_write((struct sl_lpm_node *)(b->blob + index * SL_LPM_BLOCK), runs);

    uint32_t entry = SL_LPM_CHILD | (uint32_t)index;
    if (b->open > 0)
        lpm_runs_paint(&b->level[b->open - 1], b->path[b->root_bytes + b->open - 1], 1, entry);
    else if (b->blob)
        b->root[root_slot(b, b->path)] = entry;
    return 0;
}

static int nodes_close(struct builder *b, uint32_t keep)
{
    int status = 0;

    while (b->open > keep && status == 0)
        status = node_close(b);
    return status;
}

static void node_open(struct builder *b, const uint8_t *addr)
{
    uint32_t background = 0;

    if (b->open > 0) {
        const struct lpm_runs *parent = &b->level[b->open - 1];
        background = parent->entry[lpm_runs_at(parent, addr[b->root_bytes + b->open - 1])];
    } else if (b->blob) {
        background = b->root[root_slot(b, addr)];
    }
    lpm_runs_init(&b->level[b->open++], background);
}

static void root_paint(struct builder *b, const uint8_t *addr, uint32_t len, uint32_t entry)
{
    if (!b->blob)
        return;
    uint32_t first = root_slot(b, addr);
    uint32_t count = 1u << (b->root_bytes * 8 - len);

    for (uint32_t i = 0; i < count; i++)
        b->root[first + i] = entry;
}

// Open nodes that also lie on the way to `addr`: those whose bytes above are the same.
static uint32_t nodes_shared(const struct builder *b, const uint8_t *addr)
{
    uint32_t shared = 0;

    if (b->open == 0 || memcmp(b->path, addr, b->root_bytes) != 0)
        return 0;
    while (++shared < b->open && b->path[b->root_bytes + shared - 1] == addr[b->root_bytes + shared - 1])
        ;
    return shared;
}

static int item_add(struct builder *b, const struct sl_lpm_item *item, bool v4)
{
    const uint8_t *addr = item_addr(item, v4);
    uint32_t len = item->prefix.len;
    uint32_t nodes = len <= b->root_bytes * 8 ? 0 : (len - b->root_bytes * 8 + 7) / 8;
    uint32_t entry = sl_lpm_leaf(len, item->value);
    int status = nodes_close(b, nodes_shared(b, addr));

    if (status != 0)
        return status;
    b->path = addr;
    while (b->open < nodes)
        node_open(b, addr);
    if (nodes == 0)
        root_paint(b, addr, len, entry);
    else
        lpm_runs_paint(&b->level[nodes - 1], addr[b->root_bytes + nodes - 1],
                       1u << (b->root_bytes * 8 + nodes * 8 - len), entry);
    return 0;
}

static bool item_valid(const struct sl_lpm_item *item, bool v4)
{
    return item->value > 0 && item->value <= SL_LPM_VALUE_MASK && sl_ip_is_v4(&item->prefix.ip) == v4 &&
           lpm_prefix_valid(&item->prefix);
}

static int family_add(struct builder *b, const struct sl_lpm_item *item, size_t count, bool v4)
{
    for (size_t i = 0; i < count; i++) {
        if (!item_valid(&item[i], v4) ||
            (i > 0 && sl_prefix_compare(&item[i - 1].prefix, &item[i].prefix) >= 0))
            return -EINVAL;
        int status = item_add(b, &item[i], v4);
        if (status != 0)
            return status;
    }
    return nodes_close(b, 0);
}

static uint64_t root_blocks(uint32_t root_bits)
{
    return (4ULL << root_bits) / SL_LPM_BLOCK;
}

// Number of leading IPv4 items.
static size_t items_v4(const struct sl_lpm_item *item, size_t count)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sl_ip_is_v4(&item[middle].prefix.ip))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void sl_lpm_plan(const struct sl_lpm_item *item, size_t count, bool updates, struct sl_lpm_plan *plan)
{
    struct builder b = {.block_count = UINT64_MAX / 2};

    plan->count_v4 = items_v4(item, count);
    plan->count_v6 = count - plan->count_v4;
    plan->root_bits_v4 = plan->count_v4 > LARGE_ROOT_FROM ? 24 : plan->count_v4 > 0 || updates ? 16 : 8;
    plan->root_bits_v6 = plan->count_v6 > 0 || updates ? 16 : 8;
    b.block_used = HEADER_BLOCKS + root_blocks(plan->root_bits_v4) + root_blocks(plan->root_bits_v6);
    b.root_bytes = plan->root_bits_v4 / 8;
    // Errors come again, and are reported, in sl_lpm_build().
    if (family_add(&b, item, plan->count_v4, true) == 0) {
        b.root_bytes = plan->root_bits_v6 / 8;
        family_add(&b, item + plan->count_v4, plan->count_v6, false);
    }
    plan->blocks = b.block_used;
}

static int trie_build(struct builder *b, struct sl_lpm_trie *trie, const struct sl_lpm_item *item,
                      size_t count, bool v4)
{
    trie->bits = v4 ? 32 : 128;
    trie->prefixes = count;
    b->root = (uint32_t *)(b->blob + (uint64_t)trie->root_block * SL_LPM_BLOCK);
    b->root_bytes = trie->root_bits / 8;
    b->open = 0;
    return family_add(b, item, count, v4);
}

int sl_lpm_build(const struct sl_lpm_item *item, size_t count, const struct sl_lpm_plan *plan, void *blob,
                 uint64_t size)
{
    struct sl_lpm *lpm = blob;
    struct builder b = {.blob = blob, .block_count = size / SL_LPM_BLOCK};
    uint64_t root_v4 = HEADER_BLOCKS, root_v6 = root_v4 + root_blocks(plan->root_bits_v4);

    b.block_used = root_v6 + root_blocks(plan->root_bits_v6);
    if (plan->count_v4 + plan->count_v6 != count || size % SL_LPM_BLOCK != 0)
        return -EINVAL;
    if (b.block_used > b.block_count || b.block_count > SL_LPM_CHILD)
        return -ENOSPC;
    lpm->v4.root_bits = plan->root_bits_v4;
    lpm->v4.root_block = (uint32_t)root_v4;
    lpm->v6.root_bits = plan->root_bits_v6;
    lpm->v6.root_block = (uint32_t)root_v6;
    int status = trie_build(&b, &lpm->v4, item, plan->count_v4, true);
    if (status == 0)
        status = trie_build(&b, &lpm->v6, item + plan->count_v4, plan->count_v6, false);
    lpm->block_count = b.block_count;
    lpm->block_used = b.block_used;
    if (status == 0)
        lpm->magic = SL_LPM_MAGIC;
    return status;
}
