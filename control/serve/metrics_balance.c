// SPDX-License-Identifier: Apache-2.0
// Metrics of services and members. See metrics.h.
#include <event2/buffer.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include "announce/announce.h"
#include "serve/balances.h"
#include "serve/metrics.h"

struct metric {
    const char *name, *type, *help;
    size_t offset;
    size_t size;
};

#define OF(structure, member) offsetof(struct structure, member), sizeof(((struct structure *)0)->member)

static const struct metric service_metric[] = {
    {"sluice_service_flows", "gauge", "flows of the service", OF(sl_balance_service_counters, flows_now)},
    {"sluice_service_new_flows_total", "counter", "flows made", OF(sl_balance_service_counters, flows_new)},
    {"sluice_service_stateless_packets_total", "counter", "packets balanced without a flow",
     OF(sl_balance_service_counters, flows_stateless)},
    {"sluice_service_affinity_hits_total", "counter", "flows that got the member their client had",
     OF(sl_balance_service_counters, affinity_hits)},
    {"sluice_service_no_member_total", "counter", "new flows for which nobody was eligible",
     OF(sl_balance_service_counters, no_member)},
    {"sluice_service_rate_limited_total", "counter", "new flows over the service's rate",
     OF(sl_balance_service_counters, rate_limited)},
    {"sluice_service_source_limited_total", "counter", "new flows over their source's rate",
     OF(sl_balance_service_counters, source_limited)},
    {"sluice_service_table_full_total", "counter", "new flows for which the session table had no room",
     OF(sl_balance_service_counters, table_full)},
    {"sluice_service_rx_packets_total", "counter", "packets from clients",
     OF(sl_balance_service_counters, packets_in)},
    {"sluice_service_rx_bytes_total", "counter", "bytes from clients",
     OF(sl_balance_service_counters, bytes_in)},
    {"sluice_service_tx_packets_total", "counter", "packets to clients",
     OF(sl_balance_service_counters, packets_out)},
    {"sluice_service_tx_bytes_total", "counter", "bytes to clients",
     OF(sl_balance_service_counters, bytes_out)},
};

static const struct metric member_metric[] = {
    {"sluice_member_flows", "gauge", "flows of the member", OF(sl_balance_member_counters, flows_now)},
    {"sluice_member_new_flows_total", "counter", "flows made", OF(sl_balance_member_counters, flows_new)},
    {"sluice_member_answered_total", "counter", "flows whose first answer came",
     OF(sl_balance_member_counters, answered)},
    {"sluice_member_unanswered_total", "counter", "flows that ended without any answer",
     OF(sl_balance_member_counters, unanswered)},
    {"sluice_member_resets_total", "counter", "connections reset before the member had said anything",
     OF(sl_balance_member_counters, resets)},
    {"sluice_member_limited_total", "counter", "choices turned away by the member's limit",
     OF(sl_balance_member_counters, limited)},
    {"sluice_member_moved_total", "counter", "flows that left it when it was down, or were cut",
     OF(sl_balance_member_counters, moved)},
    {"sluice_member_rx_packets_total", "counter", "packets from clients",
     OF(sl_balance_member_counters, packets_in)},
    {"sluice_member_rx_bytes_total", "counter", "bytes from clients",
     OF(sl_balance_member_counters, bytes_in)},
    {"sluice_member_tx_packets_total", "counter", "packets to clients",
     OF(sl_balance_member_counters, packets_out)},
    {"sluice_member_tx_bytes_total", "counter", "bytes to clients",
     OF(sl_balance_member_counters, bytes_out)},
};

static void head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t value_of(const void *counters, const struct metric *metric)
{
    uint32_t narrow;
    uint64_t wide;

    if (metric->size == sizeof(narrow)) {
        memcpy(&narrow, (const char *)counters + metric->offset, sizeof(narrow));
        return narrow;
    }
    memcpy(&wide, (const char *)counters + metric->offset, sizeof(wide));
    return wide;
}

static void write_services(const struct balances *balances, struct evbuffer *out)
{
    const struct sl_balance_service *service = sl_balance_services(balances->table);

    for (size_t i = 0; i < sizeof(service_metric) / sizeof(service_metric[0]); i++) {
        head(out, service_metric[i].name, service_metric[i].type, service_metric[i].help);
        for (uint32_t k = 0; k < balances->table->service_count; k++) {
            struct sl_balance_service_counters sum;
            sl_balance_service_sum(balances->counters, service[k].slot, &sum);
            evbuffer_add_printf(out, "%s{service=\"%s\"} %" PRIu64 "\n", service_metric[i].name,
                                service[k].name, value_of(&sum, &service_metric[i]));
        }
    }
}

static void write_pools(const struct balances *balances, struct evbuffer *out)
{
    const struct sl_balance_pool *pool = sl_balance_pools(balances->table);

    head(out, "sluice_pool_members", "gauge", "members by state");
    for (uint32_t i = 0; i < balances->table->pool_count; i++) {
        struct pool_states states = pool_states(balances, &pool[i]);
        for (unsigned k = 0; k < SL_BALANCE_STATES; k++)
            evbuffer_add_printf(out, "sluice_pool_members{pool=\"%s\",state=\"%s\"} %u\n", pool[i].name,
                                balance_state_name((enum sl_balance_state)k), states.state[k]);
    }
}

static void write_member(const struct balances *balances, const char *name,
                         const struct sl_balance_member *member, uint64_t value, struct evbuffer *out)
{
    char text[MEMBER_TEXT];

    evbuffer_add_printf(out, "%s{pool=\"%s\",member=\"%s\"} %" PRIu64 "\n", name,
                        sl_balance_pools(balances->table)[member->pool].name,
                        member_text(&member->ip, member->port, text), value);
}

static void write_members(const struct balances *balances, struct evbuffer *out)
{
    const struct sl_balance_member *member = sl_balance_members(balances->table);
    uint32_t count = balances->table->member_count;

    head(out, "sluice_member_up", "gauge", "1 where the member gets new flows");
    for (uint32_t k = 0; k < count; k++)
        write_member(balances, "sluice_member_up", &member[k],
                     sl_balance_word_eligible(sl_balance_word(&member[k])), out);
    for (size_t i = 0; i < sizeof(member_metric) / sizeof(member_metric[0]); i++) {
        head(out, member_metric[i].name, member_metric[i].type, member_metric[i].help);
        for (uint32_t k = 0; k < count; k++) {
            struct sl_balance_member_counters sum;
            sl_balance_member_sum(balances->counters, member[k].slot, &sum);
            write_member(balances, member_metric[i].name, &member[k], value_of(&sum, &member_metric[i]), out);
        }
    }
}

static void write_announced(const struct daemon *daemon, const struct balances *balances,
                            struct evbuffer *out)
{
    head(out, "sluice_service_announced", "gauge", "1 where a service that is to be announced is");
    for (unsigned i = 0; i < balances->config->services_count; i++) {
        const char *name = balances->config->services[i].name;
        const struct announce_service *state = announce_look(daemon->announce, name);
        if (state)
            evbuffer_add_printf(out, "sluice_service_announced{service=\"%s\"} %d\n", name,
                                state->why == ANNOUNCE_YES);
    }
}

void metrics_write_balance(struct daemon *daemon, struct evbuffer *out)
{
    struct balances balances;

    if (!balances_open(daemon, &balances))
        return;
    write_services(&balances, out);
    write_announced(daemon, &balances, out);
    write_pools(&balances, out);
    write_members(&balances, out);
}
