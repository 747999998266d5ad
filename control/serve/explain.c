// SPDX-License-Identifier: Apache-2.0
// explain: which member a packet would get and why, by the same functions on the same table as a worker. What only a
// worker knows (its turn, the affinity of clients, who is at his limit) is said to be so.
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "serve/balances.h"
#include "serve/command.h"
#include "serve/flows.h"

#define TRIES 64 // as often as a hash is hashed again for a member that may not be given

struct question {
    uint8_t proto;
    struct sl_ip source, destination;
    uint16_t source_port, port; // host byte order
};

static bool take_protocol(const char *text, uint8_t *proto)
{
    char *end;

    if (strcasecmp(text, "tcp") == 0)
        *proto = IPPROTO_TCP;
    else if (strcasecmp(text, "udp") == 0)
        *proto = IPPROTO_UDP;
    else if (strcasecmp(text, "sctp") == 0)
        *proto = IPPROTO_SCTP;
    else if (strcasecmp(text, "icmp") == 0)
        *proto = IPPROTO_ICMP;
    else {
        unsigned long number = strtoul(text, &end, 10);
        *proto = (uint8_t)number;
        return end != text && *end == '\0' && number <= 255;
    }
    return true;
}

// False: the call was answered.
static bool question_read(struct call *call, struct question *question)
{
    const char *protocol = arg_text(call, "protocol");
    bool source, destination;

    *question = (struct question){.source_port = (uint16_t)arg_number(call, "source_port", 0),
                                  .port = (uint16_t)arg_number(call, "port", 0)};
    if (!arg_ip(call, "source", &question->source, &source) ||
        !arg_ip(call, "address", &question->destination, &destination))
        return false;
    if (protocol && source && destination && take_protocol(protocol, &question->proto) &&
        sl_ip_is_v4(&question->source) == sl_ip_is_v4(&question->destination))
        return true;
    call_error(
        call, "bad-request", NULL,
        "'protocol' (tcp, udp, sctp, icmp or a number), 'source' and 'address' of one family are wanted");
    return false;
}

// ---- a flow that is there ---------------------------------------------------------------------------------------

static bool flow_find(const struct daemon *daemon, const struct question *question,
                      struct sl_flow_view *found)
{
    struct flows flows;
    bool is = false;

    flows_open(daemon, &flows);
    for (uint32_t i = 0; i < flows.count && !is; i++)
        for (uint32_t cursor = 0; !is && sl_flow_next(&flows.segment[i], NULL, &cursor, found);)
            is = found->kind == SL_FLOW_BALANCE && found->proto == question->proto &&
                 found->remote_port == question->source_port && found->outside_port == question->port &&
                 sl_ip_equal(&found->remote, &question->source) &&
                 sl_ip_equal(&found->outside, &question->destination);
    flows_close(&flows);
    return is;
}

// ---- a new one --------------------------------------------------------------------------------------------------

struct choice {
    const struct sl_balance_member *member; // NULL: nobody, or nobody can tell
    uint64_t hash;
    uint32_t entry, entries;
    unsigned tries;
};

static void choose_by_hash(const struct sl_balance_table *table, const struct sl_balance_pool *pool,
                           struct choice *choice)
{
    struct sl_balance_lookup lookup = sl_balance_lookup(table, pool);

    for (uint64_t hash = choice->hash; choice->tries < TRIES && lookup.size; hash = sl_balance_rehash(hash)) {
        uint32_t entry = sl_hash_scale(hash, lookup.size);
        const struct sl_balance_member *member =
            &sl_balance_members(table)[pool->first + sl_balance_entry(&lookup, entry)];
        if (choice->tries++ == 0)
            choice->entry = entry;
        if (!sl_balance_word_eligible(sl_balance_word(member)))
            continue;
        choice->member = member;
        return;
    }
}

static bool by_hash(const struct sl_balance_pool *pool)
{
    return pool->method == SL_BALANCE_MAGLEV || pool->method == SL_BALANCE_SOURCE_HASH;
}

static struct choice choose(const struct balances *balances, const struct question *question,
                            const struct sl_balance_pool *pool)
{
    const struct sl_flow_key key = {.src = question->source,
                                    .dst = question->destination,
                                    .sport = htons(question->source_port),
                                    .dport = htons(question->port)};
    struct choice choice = {.entries = sl_balance_lookup(balances->table, pool).size};

    choice.hash = pool->method == SL_BALANCE_SOURCE_HASH
                      ? sl_balance_source_hash(balances->table, &question->source)
                      : sl_balance_flow_hash(balances->table, &key, question->proto);
    if (by_hash(pool))
        choose_by_hash(balances->table, pool, &choice);
    return choice;
}

// ---- told -------------------------------------------------------------------------------------------------------

static void tell_choice(json_t *result, const struct balances *balances,
                        const struct sl_balance_service *service, const struct sl_balance_pool *pool,
                        const struct choice *choice)
{
    char member[MEMBER_TEXT] = "", text[512];
    size_t used = 0;

    json_object_set_new(result, "entries", json_count(choice->entries));
    if (choice->member)
        member_text(&choice->member->ip, choice->member->port, member);
    if (choice->entries == 0)
        used = (size_t)snprintf(text, sizeof(text), "pool %s has nobody who may get new flows: it is refused",
                                pool->name);
    else if (choice->member)
        used = (size_t)snprintf(text, sizeof(text), "pool %s, by %s: entry %u of %u is member %s%s",
                                pool->name, balance_method_name(pool->method), choice->entry, choice->entries,
                                member, choice->tries > 1 ? ", by a second hash" : "");
    else
        used = (size_t)snprintf(text, sizeof(text), "pool %s, by %s: whose turn it is only the worker knows",
                                pool->name, balance_method_name(pool->method));
    if (choice->entries && service->affinity_s && used < sizeof(text))
        snprintf(text + used, sizeof(text) - used, "; unless the client had another within the last %u s",
                 service->affinity_s);
    if (choice->member) {
        json_object_set_new(result, "member", json_string(member));
        json_object_set_new(result, "hash", json_hash(choice->hash));
        json_object_set_new(result, "entry", json_count(choice->entry));
        json_object_set_new(
            result, "state",
            json_string(balance_state_name(sl_balance_word_state(sl_balance_word(choice->member)))));
    }
    json_object_set_new(result, "certain", json_boolean(choice->member && !service->affinity_s));
    json_object_set_new(result, "text", json_sprintf("service %s, %s", service->name, text));
}

static void tell_flow(json_t *result, const struct balances *balances, const struct sl_flow_view *flow)
{
    char member[MEMBER_TEXT];

    member_text(&flow->inside, flow->inside_port, member);
    json_object_set_new(result, "flow", json_true());
    json_object_set_new(result, "service", json_string(service_slot_name(balances, flow->service)));
    json_object_set_new(result, "pool", json_string(member_slot_pool(balances, flow->member)));
    json_object_set_new(result, "member", json_string(member));
    json_object_set_new(result, "certain", json_true());
    json_object_set_new(result, "text",
                        json_sprintf("service %s, a flow of these is open: it stays at member %s",
                                     service_slot_name(balances, flow->service), member));
}

static void tell_new(json_t *result, const struct balances *balances, const struct question *question,
                     uint32_t index)
{
    const struct sl_balance_service *service = &sl_balance_services(balances->table)[index];
    const struct sl_balance_pool *pool = &sl_balance_pools(balances->table)[service->pool];
    struct choice choice = choose(balances, question, pool);

    json_object_set_new(result, "flow", json_false());
    json_object_set_new(result, "service", json_string(service->name));
    json_object_set_new(result, "pool", json_string(pool->name));
    json_object_set_new(result, "balance", json_string(balance_method_name(pool->method)));
    tell_choice(result, balances, service, pool, &choice);
}

void explain(struct daemon *daemon, struct call *call)
{
    struct question question;
    struct sl_flow_view flow;
    struct balances balances;
    uint32_t index = SL_BALANCE_NONE;

    if (!question_read(call, &question))
        return;
    if (balances_open(daemon, &balances))
        index = sl_balance_service_find(balances.table, &question.destination, question.proto, question.port);
    json_t *result = json_pack("{s:b}", "found", index != SL_BALANCE_NONE);
    if (balances.table && flow_find(daemon, &question, &flow))
        tell_flow(result, &balances, &flow);
    else if (index == SL_BALANCE_NONE)
        json_object_set_new(result, "text",
                            json_string("no service takes it: 'sluicectl service' lists them"));
    else
        tell_new(result, &balances, &question, index);
    call_reply(call, result);
}
