// SPDX-License-Identifier: Apache-2.0
// See balances.h.
#include "serve/balances.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "serve/command.h"

bool balances_open(struct daemon *daemon, struct balances *balances)
{
    const struct snapshot *running = daemon->applier.running;

    *balances = (struct balances){
        .config = running ? running->config : NULL,
        .table = balance_live_table(&daemon->applier.balance),
        .counters = balance_counters(daemon->balance),
    };
    return balances->config && balances->table;
}

const char *member_text(const struct sl_ip *ip, uint16_t port, char out[MEMBER_TEXT])
{
    char text[SL_IP_TEXT];

    sl_ip_format(ip, text);
    if (port)
        snprintf(out, MEMBER_TEXT, sl_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", text, port);
    else
        snprintf(out, MEMBER_TEXT, "%s", text);
    return out;
}

const char *service_slot_name(const struct balances *balances, uint32_t slot)
{
    const struct sl_balance_service *service =
        balances->table ? sl_balance_service_by_slot(balances->table, slot) : NULL;

    return service ? service->name : "?";
}

const char *member_slot_pool(const struct balances *balances, uint32_t slot)
{
    const struct sl_balance_member *member =
        balances->table ? sl_balance_member_by_slot(balances->table, slot) : NULL;

    return member ? sl_balance_pools(balances->table)[member->pool].name : "?";
}

const char *balance_method_name(unsigned method)
{
    static const char *const name[SL_BALANCE_METHODS] = {"maglev",
                                                         "round-robin",
                                                         "weighted-round-robin",
                                                         "least-connections",
                                                         "weighted-least-connections",
                                                         "source-hash",
                                                         "two-choices"};

    return method < SL_BALANCE_METHODS ? name[method] : "?";
}

const char *balance_way_name(unsigned way)
{
    static const char *const name[SL_BALANCE_WAYS] = {"dnat", "full-nat", "direct", "ipip", "gue"};

    return way < SL_BALANCE_WAYS ? name[way] : "?";
}

const char *balance_on_down_name(unsigned on_down)
{
    static const char *const name[SL_BALANCE_ON_DOWNS] = {"keep", "reset", "move"};

    return on_down < SL_BALANCE_ON_DOWNS ? name[on_down] : "?";
}

const char *service_protocol_name(int protocol)
{
    return protocol == IPPROTO_TCP    ? "tcp"
           : protocol == IPPROTO_UDP  ? "udp"
           : protocol == IPPROTO_SCTP ? "sctp"
                                      : "any";
}

// ---- counters ---------------------------------------------------------------------------------------------------

static void set(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_count(value));
}

void json_service_counters(json_t *object, const struct sl_balance_service_counters *sum)
{
    set(object, "flows", sum->flows_now);
    set(object, "flows_new", sum->flows_new);
    set(object, "flows_stateless", sum->flows_stateless);
    set(object, "affinity_hits", sum->affinity_hits);
    set(object, "no_member", sum->no_member);
    set(object, "rate_limited", sum->rate_limited);
    set(object, "source_limited", sum->source_limited);
    set(object, "table_full", sum->table_full);
    set(object, "packets_in", sum->packets_in);
    set(object, "bytes_in", sum->bytes_in);
    set(object, "packets_out", sum->packets_out);
    set(object, "bytes_out", sum->bytes_out);
}

void json_member_counters(json_t *object, const struct sl_balance_member_counters *sum)
{
    set(object, "flows", sum->flows_now);
    set(object, "flows_new", sum->flows_new);
    set(object, "answered", sum->answered);
    set(object, "unanswered", sum->unanswered);
    set(object, "resets", sum->resets);
    set(object, "limited", sum->limited);
    set(object, "moved", sum->moved);
    set(object, "packets_in", sum->packets_in);
    set(object, "bytes_in", sum->bytes_in);
    set(object, "packets_out", sum->packets_out);
    set(object, "bytes_out", sum->bytes_out);
}

void pool_sum(const struct balances *balances, const struct sl_balance_pool *pool,
              struct sl_balance_member_counters *sum)
{
    const struct sl_balance_member *member = sl_balance_members(balances->table) + pool->first;

    memset(sum, 0, sizeof(*sum));
    for (uint32_t i = 0; i < pool->count; i++) {
        struct sl_balance_member_counters one;
        sl_balance_member_sum(balances->counters, member[i].slot, &one);
        sum->packets_in += one.packets_in;
        sum->bytes_in += one.bytes_in;
        sum->packets_out += one.packets_out;
        sum->bytes_out += one.bytes_out;
        sum->flows_new += one.flows_new;
        sum->flows_now += one.flows_now;
        sum->answered += one.answered;
        sum->unanswered += one.unanswered;
        sum->resets += one.resets;
        sum->limited += one.limited;
        sum->moved += one.moved;
    }
}

struct pool_states pool_states(const struct balances *balances, const struct sl_balance_pool *pool)
{
    const struct sl_balance_member *member = sl_balance_members(balances->table) + pool->first;
    struct pool_states states = {.serves = sl_balance_lookup(balances->table, pool).size > 0};

    for (uint32_t i = 0; i < pool->count; i++)
        states.state[sl_balance_word_state(sl_balance_word(&member[i])) % SL_BALANCE_STATES]++;
    return states;
}
