// SPDX-License-Identifier: Apache-2.0
// NAT: pools, source rules, 1:1, forwards, and that no address is two things at once. Called by check_config().
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "config/check.h"

#define POOL_ADDRESSES_MOST 65536

static struct sl_range range_of(const struct sl_prefix *prefix)
{
    uint32_t first = ntohl(prefix->ip.w[3]);

    return (struct sl_range){first, first + (uint32_t)((1ULL << (32 - prefix->len)) - 1)};
}

static const char *host_text(uint32_t host, char out[SL_IP_TEXT])
{
    struct sl_ip ip = sl_ip_v4(htonl(host));

    return sl_ip_format(&ip, out);
}

static void check_pool_names(struct check *check)
{
    const struct sl_config_nat *nat = &check->config->nat;

    for (unsigned i = 0; i < nat->pools_count; i++) {
        bool used = false;

        for (unsigned j = 0; j < i; j++) {
            if (strcmp(nat->pools[i].name, nat->pools[j].name) != 0)
                continue;
            check_at(check, "nat.pools[%u].name", i);
            check_mend(check, "give each pool a name of its own");
            check_error(check, "the pool '%s' is there already, on line %u", nat->pools[i].name,
                        check_line(check, "nat.pools[%u].name", j));
            break;
        }
        for (unsigned j = 0; j < nat->source_count && !used; j++)
            used = strcmp(nat->source[j].pool, nat->pools[i].name) == 0;
        if (used)
            continue;
        check_at(check, "nat.pools[%u].name", i);
        check_mend(check, "name it in 'nat.source', or take it out");
        check_warning(check, "nothing uses the pool '%s'", nat->pools[i].name);
    }
}

// Our own addresses and the broadcasts of our links cannot be in a pool: the kernel twin or nobody answers there.
static void check_pool_links(struct check *check, const struct check_pool_range *range)
{
    char text[SL_IP_TEXT];

    check_at(check, "nat.pools[%u].addresses[%u]", range->pool, range->address);
    for (unsigned i = 0; i < check->link_count; i++) {
        const struct check_link *link = &check->link[i];
        const char *port = check->config->ports[link->port].name;

        if (!sl_ip_is_v4(&link->interface.ip))
            continue;
        uint32_t own = ntohl(link->interface.ip.w[3]);
        struct sl_range subnet = range_of(&link->interface.link);
        if (own >= range->range.first && own <= range->range.last) {
            check_mend(check, "a pool's addresses are the pool's alone: leave that one out");
            check_error(check, "%s is the gateway's own address on port '%s'", host_text(own, text), port);
        } else if (link->interface.link.len < 31 &&
                   ((subnet.first >= range->range.first && subnet.first <= range->range.last) ||
                    (subnet.last >= range->range.first && subnet.last <= range->range.last))) {
            bool low = subnet.first >= range->range.first && subnet.first <= range->range.last;

            check_mend(check, "leave that one out");
            check_error(check, "%s is the %s address of port '%s'",
                        host_text(low ? subnet.first : subnet.last, text), low ? "network" : "broadcast",
                        port);
        }
    }
}

static void check_pools(struct check *check)
{
    char text[SL_IP_TEXT];
    uint64_t addresses = 0;

    check_pool_names(check);
    for (unsigned i = 0; i < check->range_count; i++) {
        const struct check_pool_range *range = &check->range[i];

        addresses += (uint64_t)range->range.last - range->range.first + 1;
        check_pool_links(check, range);
        // Sorted by first address: an overlap shows at a neighbor.
        if (i == 0 || check->range[i - 1].range.last < range->range.first)
            continue;
        check_at(check, "nat.pools[%u].addresses[%u]", range->pool, range->address);
        check_mend(check, "an address may be in one pool, once");
        check_error(check, "%s is in pool '%s' already, on line %u", host_text(range->range.first, text),
                    check->config->nat.pools[check->range[i - 1].pool].name,
                    check_line(check, "nat.pools[%u].addresses[%u]", check->range[i - 1].pool,
                               check->range[i - 1].address));
    }
    if (addresses > POOL_ADDRESSES_MOST) {
        check_at(check, "nat.pools");
        check_mend(check, "there is room for %d", POOL_ADDRESSES_MOST);
        check_error(check, "the pools have %" PRIu64 " addresses", addresses);
    }
}

// A source that an earlier rule for the same port covers is never reached.
static void check_source_covered(struct check *check, unsigned i, unsigned k)
{
    const struct sl_config_nat *nat = &check->config->nat;
    struct sl_prefix inside, before;

    sl_prefix_parse(nat->source[i].inside[k], &inside);
    for (unsigned j = 0; j <= i; j++) {
        unsigned count = j == i ? k : nat->source[j].inside_count;

        for (unsigned l = 0; l < count && strcmp(nat->source[i].port, nat->source[j].port) == 0; l++) {
            sl_prefix_parse(nat->source[j].inside[l], &before);
            if (before.len > inside.len || !sl_prefix_contains(&before, &inside.ip))
                continue;
            check_at(check, "nat.source[%u].inside[%u]", i, k);
            check_mend(check, "the first that matches counts: put the longer prefix first");
            check_warning(check, "%s is never reached: %s on line %u covers it", nat->source[i].inside[k],
                          nat->source[j].inside[l], check_line(check, "nat.source[%u].inside[%u]", j, l));
            return;
        }
    }
}

static void check_source(struct check *check, unsigned i)
{
    const struct sl_config_source *source = &check->config->nat.source[i];

    check_at(check, "nat.source[%u].port", i);
    check_port_named(check, source->port);
    check_at(check, "nat.source[%u].pool", i);
    check_pool_named(check, source->pool);
    for (unsigned k = 0; k < source->inside_count; k++) {
        struct sl_prefix inside;

        sl_prefix_parse(source->inside[k], &inside);
        const struct check_pool_range *range = check_pool_of(check, range_of(&inside));
        check_at(check, "nat.source[%u].inside[%u]", i, k);
        if (range && inside.len > 0) { // "every source" is meant to be everything else
            check_mend(check, "inside and outside addresses must differ");
            check_error(check, "%s overlaps the pool '%s' on line %u", source->inside[k],
                        check->config->nat.pools[range->pool].name,
                        check_line(check, "nat.pools[%u].addresses[%u]", range->pool, range->address));
        }
        check_source_covered(check, i, k);
    }
}

static void check_static(struct check *check, unsigned i)
{
    const struct sl_config_static *one = &check->config->nat.statics[i];
    const char *const text[2] = {one->inside, one->outside};
    static const char *const key[2] = {"inside", "outside"};

    for (unsigned k = 0; k < 2; k++) {
        struct sl_range range;
        struct sl_ip ip;

        sl_range_parse(text[k], &range);
        sl_ip_parse(text[k], &ip);
        const struct check_pool_range *pool = check_pool_of(check, range);
        check_at(check, "nat.static[%u].%s", i, key[k]);
        if (pool) {
            check_mend(check, "take it out of the pool: a 1:1 address is its host's alone");
            check_error(check, "%s is in the pool '%s' on line %u", text[k],
                        check->config->nat.pools[pool->pool].name,
                        check_line(check, "nat.pools[%u].addresses[%u]", pool->pool, pool->address));
        } else if (check_own(check, &ip)) {
            check_mend(check, "an own address is the gateway's; a forward may use single ports of it");
            check_error(check, "%s is the gateway's own address", text[k]);
        }
    }
    if (strcmp(one->inside, one->outside) == 0) {
        check_at(check, "nat.static[%u]", i);
        check_error(check, "inside and outside are the same address");
    }
}

struct claim { // an address or ports of one, claimed by an element of a list
    uint32_t address;
    uint16_t first, last;
    int protocol;
    unsigned i;
};

static int claim_compare(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->protocol != y->protocol)
        return x->protocol - y->protocol;
    if (x->first != y->first)
        return x->first - y->first;
    return x->i < y->i ? -1 : x->i > y->i;
}

// Sorts claims and calls back for each that overlaps one before it.
static void claims_overlaps(struct check *check, struct claim *claim, unsigned count,
                            void (*told)(struct check *check, const struct claim *one,
                                         const struct claim *before))
{
    const struct claim *widest = claim; // of the same address and protocol, the one that reaches furthest

    qsort(claim, count, sizeof(*claim), claim_compare);
    for (unsigned i = 1; i < count; i++) {
        bool same = widest->address == claim[i].address && widest->protocol == claim[i].protocol;

        if (same && widest->last >= claim[i].first)
            told(check, &claim[i], widest);
        if (!same || claim[i].last > widest->last)
            widest = &claim[i];
    }
}

static void static_twice(struct check *check, const struct claim *one, const struct claim *before)
{
    const char *key = one->protocol ? "outside" : "inside"; // as statics_claims() numbers the two sides
    unsigned later = one->i > before->i ? one->i : before->i,
             sooner = one->i > before->i ? before->i : one->i;

    check_at(check, "nat.static[%u].%s", later, key);
    check_mend(check, "a 1:1 translation is between two addresses only");
    check_error(check, "the address has a 1:1 translation already, on line %u",
                check_line(check, "nat.static[%u].%s", sooner, key));
}

static int check_statics(struct check *check)
{
    const struct sl_config_nat *nat = &check->config->nat;
    struct claim *claim = calloc(2 * (size_t)nat->statics_count + 1, sizeof(*claim));

    if (!claim)
        return -ENOMEM;
    for (unsigned i = 0; i < nat->statics_count; i++) {
        const char *const text[2] = {nat->statics[i].inside, nat->statics[i].outside};

        check_static(check, i);
        for (int side = 0; side < 2; side++) {
            struct sl_range range;

            sl_range_parse(text[side], &range);
            claim[2 * i + (unsigned)side] = (struct claim){range.first, 0, 65535, side, i};
        }
    }
    claims_overlaps(check, claim, 2 * nat->statics_count, static_twice);
    free(claim);
    return 0;
}

static void forward_twice(struct check *check, const struct claim *one, const struct claim *before)
{
    const struct sl_config_forward *forwards = check->config->nat.forwards;
    unsigned later = one->i > before->i ? one->i : before->i,
             sooner = one->i > before->i ? before->i : one->i;

    check_at(check, "nat.forwards[%u].outside", later);
    check_mend(check, "a port of an address leads to one host: choose another");
    check_error(check, "%s is taken by the forward '%s' on line %u", forwards[later].outside,
                forwards[sooner].name, check_line(check, "nat.forwards[%u].outside", sooner));
}

static void check_forward(struct check *check, unsigned i, const struct sl_endpoint *outside)
{
    const struct sl_config_nat *nat = &check->config->nat;
    struct sl_endpoint inside;
    char text[SL_IP_TEXT];

    sl_endpoint_parse(nat->forwards[i].inside, &inside);
    unsigned last = inside.first + (unsigned)(outside->last - outside->first);
    if (last > 65535) {
        check_at(check, "nat.forwards[%u].inside", i);
        check_mend(check, "begin lower, or forward fewer");
        check_error(check, "%u ports from %u on end beyond 65535", outside->last - outside->first + 1u,
                    inside.first);
    }
    struct sl_ip to = sl_ip_v4(inside.address);
    uint32_t host = ntohl(inside.address);
    check_at(check, "nat.forwards[%u].inside", i);
    if (check_own(check, &to))
        check_error(check, "%s is the gateway's own address", sl_ip_format(&to, text));
    else if (check_pool_of(check, (struct sl_range){host, host}))
        check_error(check, "%s is an outside address of a pool", sl_ip_format(&to, text));
}

// A forward on an address that a 1:1 translation owns would never be reached.
static void check_forward_static(struct check *check, unsigned i, const char *outside)
{
    const struct sl_config_nat *nat = &check->config->nat;
    size_t length = strcspn(outside, ":");

    for (unsigned j = 0; j < nat->statics_count; j++) {
        if (strlen(nat->statics[j].outside) != length ||
            memcmp(nat->statics[j].outside, outside, length) != 0)
            continue;
        check_at(check, "nat.forwards[%u].outside", i);
        check_mend(check, "take one of them out");
        check_error(check, "%s has a 1:1 translation, on line %u", nat->statics[j].outside,
                    check_line(check, "nat.static[%u].outside", j));
        return;
    }
}

static int check_forwards(struct check *check)
{
    const struct sl_config_nat *nat = &check->config->nat;
    struct claim *claim = calloc((size_t)nat->forwards_count + 1, sizeof(*claim));

    if (!claim)
        return -ENOMEM;
    for (unsigned i = 0; i < nat->forwards_count; i++) {
        struct sl_endpoint outside;

        sl_endpoint_parse(nat->forwards[i].outside, &outside);
        claim[i] =
            (struct claim){ntohl(outside.address), outside.first, outside.last, nat->forwards[i].protocol, i};
        check_forward(check, i, &outside);
        check_forward_static(check, i, nat->forwards[i].outside);
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(nat->forwards[i].name, nat->forwards[j].name) != 0)
                continue;
            check_at(check, "nat.forwards[%u].name", i);
            check_mend(check, "give each forward a name of its own");
            check_error(check, "the forward '%s' is there already, on line %u", nat->forwards[i].name,
                        check_line(check, "nat.forwards[%u].name", j));
            break;
        }
    }
    claims_overlaps(check, claim, nat->forwards_count, forward_twice);
    free(claim);
    return 0;
}

// Shorter than the RFCs' least is allowed, but breaks applications that count on it.
static void check_timeout(struct check *check, const char *key, uint32_t value, uint32_t least,
                          const char *rfc)
{
    if (value >= least)
        return;
    check_at(check, "nat.timeouts.%s", key);
    check_mend(check, "raise it to %u or more", least);
    check_warning(check, "%u seconds are less than %s asks for", value, rfc);
}

int check_nat(struct check *check)
{
    const struct sl_config_nat *nat = &check->config->nat;

    check_pools(check);
    for (unsigned i = 0; i < nat->source_count; i++)
        check_source(check, i);
    int error = check_statics(check);
    if (!error)
        error = check_forwards(check);
    check_timeout(check, "udp", nat->timeouts.udp, 120, "RFC 4787 REQ-5");
    check_timeout(check, "icmp", nat->timeouts.icmp, 60, "RFC 5508 REQ-2");
    check_timeout(check, "tcp-established", nat->timeouts.tcp_established, 7440, "RFC 5382 REQ-5");
    check_timeout(check, "tcp-transitory", nat->timeouts.tcp_transitory, 240, "RFC 5382 REQ-5");
    return error;
}
