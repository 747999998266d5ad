// SPDX-License-Identifier: Apache-2.0
// Single changes to a trie that others read. The rule that keeps every instant right: allocate and write all that is
// fresh first (so that running out of room changes nothing), then store leaves one by one where the prefix covers
// whole nodes, then link the fresh node by one store, then retire what it replaced. Called by control, one writer.
#include "table/lpm_update.h"

#include <errno.h>
#include <stdlib.h>
#include "table/lpm_build.h"
#include "table/lpm_node.h"

#define LEVELS 15

struct step {       // a node on the way down
    uint32_t *link; // the entry that names it
    uint32_t index;
    uint32_t slot; // of the address in it
};

struct change { // which leaves give way to which
    struct sl_lpm_writer *writer;
    uint32_t shortest, longest; // lengths of the leaves that give way
    uint32_t leaf;
    const uint8_t *addr;
    uint32_t len;
    uint32_t *root;
    uint32_t root_bytes;
    uint32_t nodes;      // to the node where the prefix ends
    uint32_t found;      // of these that exist
    uint32_t background; // leaf where the way down ended early
    struct step step[LEVELS];
};

static struct sl_lpm_node *node_at(const struct sl_lpm_writer *writer, uint32_t index)
{
    return (struct sl_lpm_node *)((uint8_t *)writer->lpm + (uint64_t)index * SL_LPM_BLOCK);
}

static void entry_store(uint32_t *entry, uint32_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

// ---- blocks -------------------------------------------------------------------------------------------------
static void blocks_put(struct sl_lpm_writer *writer, uint32_t block, uint32_t blocks)
{
    struct sl_lpm_stack *stack = &writer->free[blocks];

    if (stack->count == stack->room) {
        uint32_t room = stack->room ? stack->room * 2 : 64;
        uint32_t *grown = realloc(stack->block, room * sizeof(*grown));
        if (!grown)
            return; // a hole until the next build: no harm but its size
        stack->block = grown;
        stack->room = room;
    }
    stack->block[stack->count++] = block;
}

// Index of fresh blocks, 0 where there are none (block 0 is the header).
static uint32_t blocks_get(struct sl_lpm_writer *writer, uint32_t blocks)
{
    uint64_t used = writer->lpm->block_used;

    if (writer->free[blocks].count > 0)
        return writer->free[blocks].block[--writer->free[blocks].count];
    if (used + blocks <= writer->lpm->block_count) {
        __atomic_store_n(&writer->lpm->block_used, used + blocks, __ATOMIC_RELAXED);
        return (uint32_t)used;
    }
    for (uint32_t larger = blocks + 1; larger <= SL_LPM_NODE_BLOCKS; larger++) {
        if (writer->free[larger].count == 0)
            continue;
        uint32_t block = writer->free[larger].block[--writer->free[larger].count];
        blocks_put(writer, block + blocks, larger - blocks);
        return block;
    }
    return 0;
}

static bool freed_grow(struct sl_lpm_writer *writer)
{
    uint32_t room = writer->freed_room ? writer->freed_room * 2 : 256;
    struct sl_lpm_freed *grown = malloc(room * sizeof(*grown));

    if (!grown)
        return false;
    for (uint32_t i = 0; i < writer->freed_count; i++)
        grown[i] = writer->freed[(writer->freed_head + i) & (writer->freed_room - 1)];
    free(writer->freed);
    writer->freed = grown;
    writer->freed_room = room;
    writer->freed_head = 0;
    return true;
}

// Takes a node out of use once its readers are gone.
static void node_retire(struct sl_lpm_writer *writer, uint32_t index)
{
    if (writer->freed_count == writer->freed_room && !freed_grow(writer))
        return; // a hole, as above
    uint32_t at = (writer->freed_head + writer->freed_count++) & (writer->freed_room - 1);
    writer->freed[at] =
        (struct sl_lpm_freed){.tick = writer->tick,
                              .block = index,
                              .blocks = sl_lpm_node_blocks(lpm_node_runs(node_at(writer, index)))};
}

void sl_lpm_reclaim(struct sl_lpm_writer *writer, uint64_t tick)
{
    while (writer->freed_count > 0 && writer->freed[writer->freed_head].tick <= tick) {
        const struct sl_lpm_freed *freed = &writer->freed[writer->freed_head];
        blocks_put(writer, freed->block, freed->blocks);
        writer->freed_head = (writer->freed_head + 1) & (writer->freed_room - 1);
        writer->freed_count--;
    }
}

uint64_t sl_lpm_free_blocks(const struct sl_lpm_writer *writer)
{
    uint64_t blocks = writer->lpm->block_count - writer->lpm->block_used;

    for (uint32_t i = 1; i <= SL_LPM_NODE_BLOCKS; i++)
        blocks += (uint64_t)writer->free[i].count * i;
    return blocks;
}

int sl_lpm_writer_init(struct sl_lpm_writer *writer, void *blob, uint64_t size)
{
    struct sl_lpm *lpm = blob;

    memset(writer, 0, sizeof(*writer));
    if (size < sizeof(*lpm) || lpm->magic != SL_LPM_MAGIC || lpm->block_count > size / SL_LPM_BLOCK ||
        lpm->block_used > lpm->block_count)
        return -EINVAL;
    writer->lpm = lpm;
    return 0;
}

void sl_lpm_writer_fini(struct sl_lpm_writer *writer)
{
    for (uint32_t i = 0; i <= SL_LPM_NODE_BLOCKS; i++)
        free(writer->free[i].block);
    free(writer->freed);
    memset(writer, 0, sizeof(*writer));
}

// ---- nodes --------------------------------------------------------------------------------------------------
// A fresh node with these runs; its index, 0: no room.
static uint32_t node_new(struct sl_lpm_writer *writer, const struct lpm_runs *runs)
{
    uint32_t index = blocks_get(writer, sl_lpm_node_blocks(runs->count));

    if (index != 0)
        lpm_node_write(node_at(writer, index), runs);
    return index;
}

static bool gives_way(const struct change *c, uint32_t entry)
{
    return !(entry & SL_LPM_CHILD) && sl_lpm_length(entry) >= c->shortest &&
           sl_lpm_length(entry) <= c->longest;
}

// An entry whose addresses the prefix covers all: the leaves in and below it are stored over, one by one.
static void entry_relabel(const struct change *c, uint32_t *entry)
{
    uint32_t value = *entry;

    if (gives_way(c, value))
        entry_store(entry, c->leaf);
    if (!(value & SL_LPM_CHILD))
        return;
    struct sl_lpm_node *node = node_at(c->writer, value & ~SL_LPM_CHILD);
    uint32_t runs = lpm_node_runs(node);
    for (uint32_t i = 0; i < runs; i++)
        entry_relabel(c, &lpm_node_entries(node)[i]);
}

static void root_relabel(const struct change *c)
{
    uint32_t first = sl_lpm_root_slot(c->addr, c->root_bytes * 8);
    uint32_t count = 1u << (c->root_bytes * 8 - c->len);

    for (uint32_t i = first; i < first + count; i++)
        entry_relabel(c, &c->root[i]);
}

// Slots that the prefix has in the node where it ends.
static uint32_t end_slots(const struct change *c)
{
    return 1u << (c->root_bytes * 8 + c->nodes * 8 - c->len);
}

static uint32_t slot_at(const struct change *c, uint32_t level)
{
    return c->addr[c->root_bytes + level];
}

// Finds the nodes on the way that exist.
static void descend(struct change *c)
{
    uint32_t *link = &c->root[sl_lpm_root_slot(c->addr, c->root_bytes * 8)];

    for (c->found = 0; c->found < c->nodes && (*link & SL_LPM_CHILD); c->found++) {
        struct step *step = &c->step[c->found];
        *step = (struct step){.link = link, .index = *link & ~SL_LPM_CHILD, .slot = slot_at(c, c->found)};
        struct sl_lpm_node *node = node_at(c->writer, step->index);
        link = &lpm_node_entries(node)[sl_lpm_run(node->starts, step->slot)];
    }
    c->background = *link;
}

static int change_init(struct change *c, struct sl_lpm_writer *writer, const struct sl_prefix *prefix)
{
    bool v4 = sl_ip_is_v4(&prefix->ip);
    const struct sl_lpm_trie *trie = v4 ? &writer->lpm->v4 : &writer->lpm->v6;

    if (!lpm_prefix_valid(prefix))
        return -EINVAL;
    c->writer = writer;
    c->addr = prefix->ip.b + (v4 ? 12 : 0);
    c->len = prefix->len;
    c->root = (uint32_t *)node_at(writer, trie->root_block);
    c->root_bytes = trie->root_bits / 8;
    c->nodes = c->len <= trie->root_bits ? 0 : (c->len - trie->root_bits + 7) / 8;
    descend(c);
    return 0;
}

// The end node with its leaves changed, as slots; the nodes below it are not touched yet.
static void end_expand(const struct change *c, uint32_t slot[LPM_SLOTS])
{
    const struct step *end = &c->step[c->nodes - 1];

    lpm_node_expand(node_at(c->writer, end->index), slot);
    for (uint32_t i = end->slot; i < end->slot + end_slots(c); i++)
        if (gives_way(c, slot[i]))
            slot[i] = c->leaf;
}

// Stores over the leaves below the end node's slots.
static void end_relabel(const struct change *c, uint32_t slot[LPM_SLOTS])
{
    const struct step *end = &c->step[c->nodes - 1];

    for (uint32_t i = end->slot; i < end->slot + end_slots(c); i++)
        if (slot[i] & SL_LPM_CHILD)
            entry_relabel(c, &slot[i]);
}

// ---- adding -------------------------------------------------------------------------------------------------
// The prefix ends in a node that exists.
static int set_in_node(struct change *c)
{
    const struct step *end = &c->step[c->nodes - 1];
    uint32_t slot[LPM_SLOTS];
    struct lpm_runs runs;

    end_expand(c, slot);
    lpm_runs_from_slots(&runs, slot);
    uint32_t fresh = node_new(c->writer, &runs);
    if (fresh == 0)
        return -ENOSPC;
    end_relabel(c, slot);
    entry_store(end->link, SL_LPM_CHILD | fresh);
    node_retire(c->writer, end->index);
    return 0;
}

// Node of `level` on the way to a prefix that is the only one there; `entry` stands in `slots` slots.
static uint32_t chain_node(struct change *c, uint32_t level, uint32_t slots, uint32_t entry)
{
    struct lpm_runs runs;

    lpm_runs_init(&runs, c->background);
    lpm_runs_paint(&runs, slot_at(c, level), slots, entry);
    return node_new(c->writer, &runs);
}

// Links `entry` where the way down ended: in the root, or in the deepest node that exists, which is written anew.
static int chain_link(struct change *c, uint32_t entry)
{
    if (c->found == 0) {
        entry_store(&c->root[sl_lpm_root_slot(c->addr, c->root_bytes * 8)], entry);
        return 0;
    }
    const struct step *parent = &c->step[c->found - 1];
    uint32_t slot[LPM_SLOTS];
    struct lpm_runs runs;

    lpm_node_expand(node_at(c->writer, parent->index), slot);
    slot[parent->slot] = entry;
    lpm_runs_from_slots(&runs, slot);
    uint32_t fresh = node_new(c->writer, &runs);
    if (fresh == 0)
        return -ENOSPC;
    entry_store(parent->link, SL_LPM_CHILD | fresh);
    node_retire(c->writer, parent->index);
    return 0;
}

// The way down ended early: a chain of fresh nodes, from the prefix's own upwards.
static int set_chain(struct change *c)
{
    uint32_t fresh[LEVELS], made = 0, slots = end_slots(c), entry = c->leaf;
    int status = 0;

    for (uint32_t level = c->nodes; level-- > c->found && status == 0; slots = 1) {
        fresh[made] = chain_node(c, level, slots, entry);
        if (fresh[made] == 0)
            status = -ENOSPC;
        else
            entry = SL_LPM_CHILD | fresh[made++];
    }
    if (status == 0)
        status = chain_link(c, entry);
    while (status != 0 && made > 0) { // nobody has seen them
        made--;
        blocks_put(c->writer, fresh[made],
                   sl_lpm_node_blocks(lpm_node_runs(node_at(c->writer, fresh[made]))));
    }
    return status;
}

int sl_lpm_set(struct sl_lpm_writer *writer, const struct sl_prefix *prefix, uint32_t value)
{
    struct change c = {.longest = prefix->len, .leaf = sl_lpm_leaf(prefix->len, value)};

    if (value == 0 || value > SL_LPM_VALUE_MASK || change_init(&c, writer, prefix) != 0)
        return -EINVAL;
    if (c.nodes == 0) {
        root_relabel(&c);
        return 0;
    }
    return c.found == c.nodes ? set_in_node(&c) : set_chain(&c);
}

// ---- removing -----------------------------------------------------------------------------------------------
// Goes up while nodes have become a single leaf, then writes the first that has not.
static int clear_in_node(struct change *c)
{
    uint32_t below[LPM_SLOTS], slot[LPM_SLOTS], level = c->nodes - 1, fresh = 0;
    struct lpm_runs runs;

    end_expand(c, below);
    lpm_runs_from_slots(&runs, below);
    while (runs.count == 1 && !(runs.entry[0] & SL_LPM_CHILD) && level > 0) {
        uint32_t leaf = runs.entry[0];
        lpm_node_expand(node_at(c->writer, c->step[--level].index), slot);
        slot[c->step[level].slot] = leaf;
        lpm_runs_from_slots(&runs, slot);
    }
    bool leaf_only = runs.count == 1 && !(runs.entry[0] & SL_LPM_CHILD); // up to the root
    if (!leaf_only && (fresh = node_new(c->writer, &runs)) == 0)
        return -ENOSPC;
    end_relabel(c, below);
    entry_store(c->step[level].link, leaf_only ? runs.entry[0] : SL_LPM_CHILD | fresh);
    for (; level < c->nodes; level++)
        node_retire(c->writer, c->step[level].index);
    return 0;
}

int sl_lpm_clear(struct sl_lpm_writer *writer, const struct sl_prefix *prefix, uint32_t cover)
{
    struct change c = {.shortest = prefix->len, .longest = prefix->len, .leaf = cover};

    if ((cover & SL_LPM_CHILD) || change_init(&c, writer, prefix) != 0)
        return -EINVAL;
    if (c.nodes == 0) {
        root_relabel(&c);
        return 0;
    }
    return c.found == c.nodes ? clear_in_node(&c) : 0; // nothing there to take away
}
