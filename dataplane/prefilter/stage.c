// SPDX-License-Identifier: Apache-2.0
// The prefilter as the pipeline's first stage, on ports whose XDP program does not do it already. Headers and
// addresses are judged packet by packet; the rules set by set, all undecided sources in one bulk lookup, since sets
// of a million prefixes miss the cache. Called by pipeline_run, on the worker's thread.
#include <rte_branch_prediction.h>
#include "prefilter/verdict.h"
#include "table/lpm_bulk.h"
#include "worker/worker.h"

struct undecided { // sources of one family whose packets no rule has decided yet
    unsigned count;
    uint8_t packet[BURST_MAX];      // index in the burst
    struct sl_ip source[BURST_MAX]; // IPv4: word 0 alone, as prefilter_source has it
};

// For a port that has none in the table.
static const struct sl_prefilter_port no_rules = {.fallback = SL_PREFILTER_ALLOW};

static const struct sl_prefilter_port *rules_of(const struct tables *tables, uint16_t port)
{
    const struct sl_prefilter_table *table = tables->prefilter;

    if (!table || port >= table->port_count || !(tables->port[port].flags & SL_PORT_PREFILTER))
        return &no_rules;
    return (const struct sl_prefilter_port *)((const uint8_t *)table + table->port_offset) + port;
}

static const struct sl_lpm *set_of(const struct sl_prefilter_table *table, uint32_t index)
{
    const uint8_t *base = (const uint8_t *)table;
    const struct sl_prefilter_set *set = (const struct sl_prefilter_set *)(base + table->set_offset) + index;

    return (const struct sl_lpm *)(base + set->blob_offset);
}

static void set_lookup(const struct sl_lpm *set, bool v6, const struct undecided *list, uint32_t *leaf)
{
    const struct sl_ip *pointer[BURST_MAX];
    sl_be32 addr[BURST_MAX];

    if (v6) {
        for (unsigned i = 0; i < list->count; i++)
            pointer[i] = &list->source[i];
        sl_lpm_lookup_bulk_v6(set, pointer, leaf, list->count);
        return;
    }
    for (unsigned i = 0; i < list->count; i++)
        addr[i] = list->source[i].w[0];
    sl_lpm_lookup_bulk_v4(set, addr, leaf, list->count);
}

static void packet_finish(struct worker *worker, struct burst *burst, unsigned index, enum sl_drop drop)
{
    struct packet *packet = &burst->packet[index];

    if (unlikely(drop != SL_DROP_none))
        packet_drop(worker, packet, drop);
    else
        packet_to(burst, packet, PACKET_PARSE);
}

// Packets whose source is in the rule's set are done; the others close up for the next rule.
static void rule_apply(struct worker *worker, struct burst *burst, const struct sl_prefilter_rule *rule,
                       bool v6, struct undecided *list)
{
    uint64_t *hits = worker->counters->prefilter_hit[burst->port_in];
    enum sl_drop drop = prefilter_action_drop(rule->action);
    uint32_t leaf[BURST_MAX];
    unsigned left = 0;

    set_lookup(set_of(worker->tables->prefilter, rule->set), v6, list, leaf);
    for (unsigned i = 0; i < list->count; i++) {
        if (leaf[i] == 0) {
            list->packet[left] = list->packet[i];
            list->source[left++] = list->source[i];
            continue;
        }
        hits[rule->counter % SL_PREFILTER_RULES]++;
        packet_finish(worker, burst, list->packet[i], drop);
    }
    list->count = left;
}

static void rules_apply(struct worker *worker, struct burst *burst, const struct sl_prefilter_port *rules,
                        bool v6, struct undecided *list)
{
    for (uint32_t i = 0; i < SL_PREFILTER_RULES && i < rules->rule_count && list->count > 0; i++)
        rule_apply(worker, burst, &rules->rule[i], v6, list);
    for (unsigned i = 0; i < list->count; i++)
        packet_finish(worker, burst, list->packet[i], prefilter_action_drop(rules->fallback));
}

// Headers and addresses of one packet; where they are right, its source waits for the rules.
static void packet_check(struct worker *worker, struct burst *burst, unsigned index, bool martians,
                         struct undecided family[2])
{
    struct packet *packet = &burst->packet[index];
    const struct rte_mbuf *m = packet->m;
    const struct prefilter_eth *eth = rte_pktmbuf_mtod(m, const struct prefilter_eth *);
    struct prefilter_source source;

    if (unlikely(m->data_len < sizeof(*eth))) {
        packet_drop(worker, packet, SL_DROP_too_short);
        return;
    }
    bool v6 = eth->type == PREFILTER_ETH_IPV6;
    if (!v6 && eth->type != PREFILTER_ETH_IPV4) { // ARP; what else there is, parse names
        packet_to(burst, packet, PACKET_PARSE);
        return;
    }
    struct prefilter_span span = {.l3 = eth + 1,
                                  .end = (const uint8_t *)eth + m->data_len,
                                  .whole = m->pkt_len - (uint32_t)sizeof(*eth)};
    enum sl_drop drop = prefilter_check(&span, v6, martians, &source);
    if (unlikely(drop != SL_DROP_none)) {
        packet_drop(worker, packet, drop);
        return;
    }
    struct undecided *list = &family[v6];
    list->packet[list->count] = (uint8_t)index;
    memcpy(&list->source[list->count++], source.word, sizeof(source.word));
}

void prefilter_stage(struct worker *worker, struct burst *burst)
{
    const struct sl_prefilter_port *rules = rules_of(worker->tables, burst->port_in);
    bool martians = worker->tables->port[burst->port_in].flags & SL_PORT_MARTIANS;
    struct undecided family[2]; // IPv4, IPv6; filled as far as there are packets

    family[0].count = family[1].count = 0;
    for (unsigned i = 0; i < burst->count; i++)
        if (burst->packet[i].stage == PACKET_PREFILTER)
            packet_check(worker, burst, i, martians, family);
    rules_apply(worker, burst, rules, false, &family[0]);
    rules_apply(worker, burst, rules, true, &family[1]);
}
