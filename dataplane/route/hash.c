// SPDX-License-Identifier: Apache-2.0
// The ECMP hash and a lookup outside of a burst: see route.h.
#include "base/hash.h"
#include "route/route.h"
#include "table/lpm_read.h"
#include "table/route_read.h"

uint32_t route_hash(const struct packet *packet, uint64_t seed)
{
    const struct sl_flow_key *key = &packet->key;
    uint64_t ports = packet->flags & PACKET_FRAGMENT ? 0 : (uint64_t)key->sport << 16 | key->dport;
    uint64_t rest = ports << 8 | packet->key_proto;
    uint64_t src =
        sl_hash_fold(key->src.q[0] ^ seed ^ 0x9e3779b97f4a7c15ULL, key->src.q[1] ^ 0xbf58476d1ce4e5b9ULL);
    uint64_t dst =
        sl_hash_fold(key->dst.q[0] ^ seed ^ 0x94d049bb133111ebULL, key->dst.q[1] ^ 0x2545f4914f6cdd1dULL);

    return (uint32_t)(sl_hash_fold(src ^ rest ^ seed, dst ^ 0xd6e8feb86659fd93ULL) >> 32);
}

uint32_t route_lookup_one(const struct tables *tables, const struct sl_ip *dst, uint32_t hash)
{
    const struct sl_lpm *lpm = tables->lpm;
    uint32_t leaf =
        sl_ip_is_v4(dst) ? sl_lpm_lookup(lpm, &lpm->v4, dst->b + 12) : sl_lpm_lookup(lpm, &lpm->v6, dst->b);

    return sl_route_resolve(tables->nexthop, tables->group_slot, sl_lpm_value(leaf), hash);
}
