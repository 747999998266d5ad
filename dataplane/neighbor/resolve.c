// SPDX-License-Identifier: Apache-2.0
// The resolver: packets that wait for a neighbor, requests, timers. Called by the housekeeping loop for what workers
// handed over and once a pass for the timers; never by a worker. What an event means is decided in nud.c; here it
// is carried out.
#include <stdlib.h>
#include "balance/way.h"
#include "icmp/limit.h"
#include "neighbor/message.h"
#include "neighbor/resolve.h"
#include "route/route.h"

struct neighbor_resolver *resolver_new(const struct neighbor_table *table)
{
    struct neighbor_resolver *resolver = calloc(1, sizeof(*resolver));

    if (!resolver)
        return NULL;
    if (timer_wheel_init(&resolver->wheel, table->mask + 1, 0) < 0)
        goto fail;
    if (hold_init(&resolver->hold, table->mask + 1) < 0)
        goto fail_wheel;
    resolver->random = table->seed | 1;
    return resolver;

fail_wheel:
    timer_wheel_fini(&resolver->wheel);
fail:
    free(resolver);
    return NULL;
}

void resolver_free(struct neighbor_resolver *resolver)
{
    announce_fini(&resolver->announce);
    hold_fini(&resolver->hold);
    timer_wheel_fini(&resolver->wheel);
    free(resolver);
}

static uint32_t resolver_random(struct neighbor_resolver *resolver)
{
    resolver->random ^= resolver->random << 13;
    resolver->random ^= resolver->random >> 7;
    resolver->random ^= resolver->random << 17;
    return (uint32_t)(resolver->random >> 32);
}

static struct nud_times times_of(const struct house *house)
{
    struct nud_times times = nud_times_default;

    if (house->tables->settings->neighbor_reachable_ms)
        times.reachable_ms = house->tables->settings->neighbor_reachable_ms;
    return times;
}

static uint32_t slot_of(const struct neighbor_table *table, const struct sl_neighbor *entry)
{
    return (uint32_t)(entry - table->entry);
}

// ---- what an event asks for ---------------------------------------------------------------------------------
static void entry_ask(struct house *house, struct sl_neighbor *entry, uint32_t actions)
{
    struct neighbor_resolver *resolver = house->neighbors->resolver;
    uint8_t mac[6];

    if (!limit_take(&resolver->asks, ASKS_PER_SECOND, ASKS_BURST,
                    house->now_ms)) { // not asked: not a request that went unanswered either
        entry->probes--;
        timer_start(&resolver->wheel, slot_of(house->neighbors, entry), house->now_ms, ASK_LATER_MS);
        return;
    }
    neighbor_word_mac(entry->mac_state, mac);
    message_ask(house, entry->port, &entry->ip, actions & NUD_ASK_ONE ? mac : NULL);
}

static void entry_release(struct house *house, struct sl_neighbor *entry)
{
    struct hold *hold = &house->neighbors->resolver->hold;
    struct rte_mbuf *m;

    while ((m = hold_pop(hold, slot_of(house->neighbors, entry)))) {
        neighbor_word_mac(entry->mac_state, rte_pktmbuf_mtod(m, struct sl_eth *)->dst);
        house_tx(house, entry->port, m);
    }
}

// Undeliverable: back to its worker, which tells the sender (ICMP host unreachable), or its own TCP. What else the gateway
// said itself, an ICMP error or an echo reply, has no sender to be told.
static void packet_unresolved(struct house *house, struct rte_mbuf *m)
{
    if ((handover_of(m)->flags & (PACKET_FROM_HOST | PACKET_TCP)) == PACKET_FROM_HOST)
        house_drop(house, m, SL_DROP_neighbor_unresolved);
    else
        house_unresolved(house, m);
}

static void entry_fail(struct house *house, struct sl_neighbor *entry)
{
    struct hold *hold = &house->neighbors->resolver->hold;
    struct rte_mbuf *m;

    while ((m = hold_pop(hold, slot_of(house->neighbors, entry))))
        packet_unresolved(house, m);
}

static void entry_forget(struct house *house, struct sl_neighbor *entry)
{
    struct neighbor_resolver *resolver = house->neighbors->resolver;

    entry_fail(house, entry);
    timer_stop(&resolver->wheel, slot_of(house->neighbors, entry));
    neighbor_remove(house->neighbors, entry);
}

static struct nud nud_of(const struct sl_neighbor *entry)
{
    struct nud nud = {.word = entry->mac_state << 8 >> 8, .asked = entry->probes};

    return nud;
}

// Stores what the event made of the entry, then does what it asks for. The new word is visible to workers before
// any packet is released.
static void entry_apply(struct house *house, struct sl_neighbor *entry, const struct nud *nud)
{
    struct neighbor_resolver *resolver = house->neighbors->resolver;
    uint64_t before = entry->mac_state << 8 >> 8;

    if (nud->actions & NUD_FORGET) {
        entry_forget(house, entry);
        return;
    }
    if (nud->word != before) {
        entry->updated_ms = house->now_ms;
        neighbor_store(entry, nud->word);
        if (!neighbor_usable(before) && neighbor_usable(nud->word))
            house->counters->counter[SL_COUNTER_neighbor_learned]++;
    }
    entry->probes = nud->asked;
    if (nud->wait_ms)
        timer_start(&resolver->wheel, slot_of(house->neighbors, entry), house->now_ms, nud->wait_ms);
    if (nud->actions & (NUD_ASK_ALL | NUD_ASK_ONE))
        entry_ask(house, entry, nud->actions);
    if (nud->actions & NUD_RELEASE)
        entry_release(house, entry);
    if (nud->actions & NUD_FAIL)
        entry_fail(house, entry);
}

void neighbor_heard_answer(struct house *house, uint16_t port, const struct sl_ip *ip,
                           const struct nud_answer *answer)
{
    struct sl_neighbor *entry = neighbor_lookup(house->neighbors, port, ip);
    struct nud_times times = times_of(house);

    if (!entry)
        return;
    struct nud nud = nud_of(entry);
    nud_answer(&nud, &times, answer, resolver_random(house->neighbors->resolver));
    entry_apply(house, entry, &nud);
}

void neighbor_heard_claim(struct house *house, uint16_t port, const struct sl_ip *ip, const uint8_t mac[6])
{
    struct sl_neighbor *entry = neighbor_lookup(house->neighbors, port, ip);
    struct nud_times times = times_of(house);

    if (!entry)
        return;
    struct nud nud = nud_of(entry);
    nud_claim(&nud, &times, mac);
    entry_apply(house, entry, &nud);
}

// ---- packets that wait --------------------------------------------------------------------------------------
// The neighbor a packet waits for. Between worker and here a generation may have come: an index that no longer says
// what the packet was prepared for is not believed.
static bool waits_for(const struct house *house, struct rte_mbuf *m, struct sl_ip *ip)
{
    const struct handover *handover = handover_of(m);
    const struct sl_eth *eth = rte_pktmbuf_mtod(m, const struct sl_eth *);
    const struct tables *tables = house->tables;

    if (handover->port_out >= tables->port_count)
        return false;
    if (handover->nexthop & NEXTHOP_MEMBER)
        return balance_way_station(tables, handover->nexthop, handover->port_out, ip);
    if (handover->nexthop >= tables->route->nexthop_count)
        return false;
    const struct sl_nexthop *nexthop = &tables->nexthop[handover->nexthop];
    if (nexthop->port != handover->port_out)
        return false;
    if (nexthop->kind == SL_NEXTHOP_GATEWAY) {
        *ip = nexthop->gateway;
        return true;
    }
    if (eth->type == sl_be16_of(SL_ETHERTYPE_IPV4))
        *ip = sl_ip_v4(((const struct sl_ipv4 *)(eth + 1))->dst);
    else
        memcpy(ip->b, ((const struct sl_ipv6 *)(eth + 1))->dst, 16);
    return nexthop->kind == SL_NEXTHOP_CONNECTED;
}

static struct sl_neighbor *entry_make(struct house *house, uint16_t port, const struct sl_ip *ip)
{
    struct neighbor_table *table = house->neighbors;
    struct sl_neighbor *entry = neighbor_insert(table, port, ip);

    if (entry)
        return entry;
    struct sl_neighbor *victim = neighbor_victim(table, port, ip, house->now_ms);
    if (!victim)
        return NULL;
    entry_forget(house, victim);
    return neighbor_insert(table, port, ip);
}

static void packet_wait(struct house *house, struct sl_neighbor *entry, struct rte_mbuf *m)
{
    struct hold *hold = &house->neighbors->resolver->hold;
    struct rte_mbuf *left_out = hold_push(hold, slot_of(house->neighbors, entry), m);

    if (left_out)
        house_drop(house, left_out, SL_DROP_neighbor_queue_full);
}

static void packet_handle(struct house *house, struct rte_mbuf *m)
{
    uint16_t port = handover_of(m)->port_out;
    struct nud_times times = times_of(house);
    struct sl_ip ip;

    if (!waits_for(house, m, &ip)) {
        house_drop(house, m, SL_DROP_neighbor_unresolved);
        return;
    }
    struct sl_neighbor *entry = neighbor_lookup(house->neighbors, port, &ip);
    if (!entry) {
        entry = entry_make(house, port, &ip);
        if (!entry) {
            house_drop(house, m, SL_DROP_neighbor_table_full);
            return;
        }
        packet_wait(house, entry, m);
        struct nud nud = nud_of(entry);
        nud_start(&nud, &times);
        entry->updated_ms = house->now_ms;
        entry_apply(house, entry, &nud);
        return;
    }
    packet_wait(house, entry, m);
    if (neighbor_usable(entry->mac_state)) // answered while the packet was on its way here
        entry_release(house, entry);
    else if (neighbor_state(entry->mac_state) == SL_NEIGHBOR_FAILED)
        entry_fail(house, entry);
}

void neighbor_handle(struct house *house, struct rte_mbuf *m)
{
    uint16_t port = handover_of(m)->port_in;

    if (house->tables == NULL) {
        house_drop(house, m, SL_DROP_no_generation);
        return;
    }
    if (handover_of(m)->kind == HANDOVER_NEIGHBOR) {
        packet_handle(house, m);
        return;
    }
    if (m->nb_segs != 1 || m->data_len < sizeof(struct sl_eth) || port >= house->tables->port_count) {
        house_drop(house, m, SL_DROP_neighbor_bad);
        return;
    }
    if (rte_pktmbuf_mtod(m, const struct sl_eth *)->type == sl_be16_of(SL_ETHERTYPE_ARP))
        arp_handle(house, port, m);
    else
        discovery_handle(house, port, m);
}

// ---- time -----------------------------------------------------------------------------------------------------
// Entries that an earlier process left are STALE (neighbor_adopt): their use is looked at from now on.
static void resolver_start(struct house *house)
{
    struct neighbor_table *table = house->neighbors;

    table->resolver->started = true;
    for (uint32_t i = 0; i <= table->mask; i++)
        if (neighbor_state(table->entry[i].mac_state) == SL_NEIGHBOR_STALE)
            timer_start(&table->resolver->wheel, i, house->now_ms, nud_times_default.stale_poll_ms);
}

static void entry_expire(struct house *house, struct sl_neighbor *entry)
{
    struct nud_times times = times_of(house);
    struct nud nud = nud_of(entry);
    bool used = entry->used;

    entry->used = 0;
    nud_expire(&nud, &times, used, house->now_ms - entry->updated_ms);
    entry_apply(house, entry, &nud);
}

void neighbor_tick(struct house *house)
{
    struct neighbor_table *table = house->neighbors;
    uint32_t slot;

    if (house->tables == NULL)
        return;
    if (!table->resolver->started)
        resolver_start(house);
    while (timer_expire(&table->resolver->wheel, house->now_ms, &slot))
        entry_expire(house, &table->entry[slot]);
    announce_tick(house, &table->resolver->announce);
}

// ---- what control says ----------------------------------------------------------------------------------------
static bool port_exists(const struct tables *tables, uint16_t port)
{
    return port < tables->port_count && tables->port[port].name[0] != '\0';
}

static void static_set(struct house *house, const struct sl_static_neighbor *wanted)
{
    struct sl_neighbor *entry = neighbor_lookup(house->neighbors, wanted->port, &wanted->ip);

    if (!entry)
        entry = entry_make(house, wanted->port, &wanted->ip);
    if (!entry)
        return;
    timer_stop(&house->neighbors->resolver->wheel, slot_of(house->neighbors, entry));
    entry->updated_ms = house->now_ms;
    neighbor_store(entry, neighbor_word(wanted->mac, SL_NEIGHBOR_STATIC));
    entry_release(house, entry);
}

// Static entries are turned STALE before those of the new generation are set: what is left over was taken out of
// the config, and is a neighbor like any other.
static void entry_review(struct house *house, struct sl_neighbor *entry)
{
    uint8_t mac[6];

    if (neighbor_state(entry->mac_state) == SL_NEIGHBOR_FREE)
        return;
    if (!port_exists(house->tables, entry->port)) {
        entry_forget(house, entry);
        return;
    }
    if (neighbor_state(entry->mac_state) != SL_NEIGHBOR_STATIC)
        return;
    neighbor_word_mac(entry->mac_state, mac);
    neighbor_store(entry, neighbor_word(mac, SL_NEIGHBOR_STALE));
    timer_start(&house->neighbors->resolver->wheel, slot_of(house->neighbors, entry), house->now_ms,
                nud_times_default.stale_poll_ms);
}

void neighbor_tables_taken(struct house *house)
{
    struct neighbor_table *table = house->neighbors;
    const struct sl_port_table *ports = house->tables->port_table;

    for (uint32_t i = 0; i <= table->mask; i++)
        entry_review(house, &table->entry[i]);
    for (uint32_t i = 0; i < ports->neighbor_count; i++)
        static_set(house, &house->tables->static_neighbor[i]);
    announce_tables(house, &table->resolver->announce);
}

void neighbor_port_up(struct house *house, uint16_t port)
{
    announce_port(house, &house->neighbors->resolver->announce, port);
}

uint32_t neighbor_flush(struct house *house, uint16_t port, const struct sl_ip *ip)
{
    struct neighbor_table *table = house->neighbors;
    uint32_t flushed = 0;

    for (uint32_t i = 0; i <= table->mask; i++) {
        struct sl_neighbor *entry = &table->entry[i];
        enum sl_neighbor_state state = neighbor_state(entry->mac_state);
        bool wanted =
            (port == UINT16_MAX || entry->port == port) && (sl_ip_is_zero(ip) || sl_ip_equal(ip, &entry->ip));
        if (!wanted || state == SL_NEIGHBOR_FREE || state == SL_NEIGHBOR_STATIC)
            continue;
        entry_forget(house, entry);
        flushed++;
    }
    return flushed;
}
