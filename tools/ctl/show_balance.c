// SPDX-License-Identifier: Apache-2.0
// service, pool, explain: what is balanced over whom, and who decides about a member. One thread.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "commands.h"
#include "show.h"
#include "table.h"

// "12m 5s" since a Unix time in ms.
static const char *text_since(uint64_t since_ms, char out[TABLE_TEXT])
{
    uint64_t now_s = (uint64_t)time(NULL);

    if (since_ms == 0)
        snprintf(out, TABLE_TEXT, "-");
    else
        text_seconds(now_s > since_ms / 1000 ? now_s - since_ms / 1000 : 0, out);
    return out;
}

static void add_traffic(struct table *table, const json_t *one, const json_t *old, double interval)
{
    char text[TABLE_TEXT];

    table_add(table, "%s", text_count(get_number(one, "flows"), text));
    table_add(table, "%s", text_rate(show_rate(one, old, "flows_new", interval), text));
    table_add(table, "%s", text_rate(show_rate(one, old, "packets_in", interval), text));
    table_add(table, "%s", text_bits(show_rate(one, old, "bytes_in", interval), text));
    table_add(table, "%s", text_rate(show_rate(one, old, "packets_out", interval), text));
    table_add(table, "%s", text_bits(show_rate(one, old, "bytes_out", interval), text));
}

// ---- service ----------------------------------------------------------------------------------------------------

static void service_rows(struct ctl *ctl, const json_t *result, const json_t *before)
{
    double interval = show_interval(result, before);
    char addresses[256];
    struct table table;
    json_t *service;
    size_t i;

    table_init(&table, "SERVICE", "ADDRESSES", "PROTO", "PORTS", "POOL", ">UP", ">FLOWS", ">NEW", ">IN", ">",
               ">OUT", ">", NULL);
    json_array_foreach(json_object_get(result, "services"), i, service)
    {
        table_add(&table, "%s", get_text(service, "service"));
        table_add(&table, "%s",
                  show_join(json_object_get(service, "addresses"), addresses, sizeof(addresses)));
        table_add(&table, "%s", get_text(service, "protocol"));
        table_add(&table, "%s", get_text(service, "ports"));
        table_add(&table, "%s", get_text(service, "pool"));
        table_add(&table, "%" PRIu64 "/%" PRIu64, get_number(service, "members_up"),
                  get_number(service, "members"));
        add_traffic(&table, service, show_match(before, "services", "service", service), interval);
    }
    table_print(&table, ctl->out, ctl->color, "no services: the config has none");
}

// What went wrong, of those where something did.
static void service_troubles(struct ctl *ctl, const json_t *result)
{
    static const struct {
        const char *key, *says;
    } trouble[] = {
        {"no_member", "new flows found nobody who is up"},
        {"rate_limited", "new flows were over flow-rate"},
        {"source_limited", "new flows were over their source's source-rate"},
        {"table_full", "new flows found the session table full"},
        {"flows_stateless", "packets were balanced without a flow"},
    };
    json_t *service;
    size_t i;

    json_array_foreach(json_object_get(result, "services"), i, service)
    {
        for (size_t k = 0; k < sizeof(trouble) / sizeof(trouble[0]); k++)
            if (get_number(service, trouble[k].key))
                fprintf(ctl->out, "%s: %" PRIu64 " %s\n", get_text(service, "service"),
                        get_number(service, trouble[k].key), trouble[k].says);
        if (!get_true(service, "serves"))
            fprintf(ctl->out, "%s: nobody in its pool may get new flows: 'sluicectl pool %s' says why\n",
                    get_text(service, "service"), get_text(service, "pool"));
    }
}

// Of those that are to be announced.
static void service_announced(struct ctl *ctl, const json_t *result)
{
    char since[TABLE_TEXT];
    json_t *service;
    size_t i;

    json_array_foreach(json_object_get(result, "services"), i, service)
    {
        const json_t *announce = json_object_get(service, "announce");
        if (!json_is_object(announce))
            continue;
        fprintf(ctl->out, "%s: %s (for %s)\n", get_text(service, "service"), get_text(announce, "why"),
                text_since(get_number(announce, "since_ms"), since));
        if (get_text(announce, "trouble")[0])
            fprintf(ctl->out, "%s: %s\n", get_text(service, "service"), get_text(announce, "trouble"));
    }
}

int show_service(struct ctl *ctl, const json_t *result, const json_t *before)
{
    service_rows(ctl, result, before);
    service_announced(ctl, result);
    service_troubles(ctl, result);
    return CTL_OK;
}

// ---- pool -------------------------------------------------------------------------------------------------------

static void pool_rows(struct ctl *ctl, const json_t *result, const json_t *before)
{
    double interval = show_interval(result, before);
    struct table table;
    char services[256];
    json_t *pool;
    size_t i;

    table_init(&table, "POOL", "BALANCE", "WAY", "SERVICES", ">UP", ">DRAIN", ">DOWN", ">FLUSH", ">FLOWS",
               ">NEW", ">IN", ">", ">OUT", ">", NULL);
    json_array_foreach(json_object_get(result, "pools"), i, pool)
    {
        table_add(&table, "%s", get_text(pool, "pool"));
        table_add(&table, "%s", get_text(pool, "balance"));
        table_add(&table, "%s", get_text(pool, "way"));
        table_add(&table, "%s", show_join(json_object_get(pool, "services"), services, sizeof(services)));
        table_add(&table, "%" PRIu64, get_number(pool, "up"));
        table_add(&table, "%" PRIu64, get_number(pool, "drain"));
        table_add(&table, "%" PRIu64, get_number(pool, "down"));
        table_add(&table, "%" PRIu64, get_number(pool, "flush"));
        add_traffic(&table, pool, show_match(before, "pools", "pool", pool), interval);
    }
    table_print(&table, ctl->out, ctl->color, "no pools: the config has none");
}

// "100", "30 (100)" where it is not what the config says, "20 of 100" while it starts slowly.
static void add_weight(struct table *table, const json_t *member)
{
    uint64_t now = get_number(member, "weight"), whole = get_number(member, "weight_whole");
    uint64_t config = get_number(member, "weight_config");

    if (get_number(member, "slow_start_ends_in_ms"))
        table_add(table, "%" PRIu64 " of %" PRIu64, now, whole);
    else if (whole != config)
        table_add(table, "%" PRIu64 " (%" PRIu64 ")", now, config);
    else
        table_add(table, "%" PRIu64, now);
}

static void add_last_check(struct table *table, const json_t *health)
{
    const json_t *last = json_object_get(health, "last");
    char age[TABLE_TEXT];

    if (!json_is_object(last)) {
        table_add(table, "%s", json_is_object(health) ? "not yet" : "-");
        return;
    }
    table_add(table, "%s, %.1f ms, %s ago", get_text(last, "text"), (double)get_number(last, "us") / 1000,
              text_since(get_number(last, "at_ms"), age));
}

static void member_states(struct ctl *ctl, const json_t *pool)
{
    char since[TABLE_TEXT];
    struct table table;
    json_t *member;
    size_t i;

    table_init(&table, "MEMBER", "STATE", ">SINCE", ">WEIGHT", "BY", "WHY", "LAST CHECK", NULL);
    json_array_foreach(json_object_get(pool, "members"), i, member)
    {
        table_add(&table, "%s%s", get_text(member, "member"), get_true(member, "backup") ? " (backup)" : "");
        table_add(&table, "%s", get_text(member, "state"));
        table_add(&table, "%s", text_since(get_number(member, "since_ms"), since));
        add_weight(&table, member);
        table_add(&table, "%s", get_text(member, "by"));
        table_add(&table, "%s", get_or_dash(member, "why"));
        add_last_check(&table, json_object_get(member, "health"));
    }
    table_print(&table, ctl->out, ctl->color, "no members");
}

static void member_traffic(struct ctl *ctl, const json_t *pool, const json_t *before, double interval)
{
    char text[TABLE_TEXT];
    struct table table;
    json_t *member;
    size_t i;

    table_init(&table, "MEMBER", ">FLOWS", ">NEW", ">IN", ">", ">OUT", ">", ">UNANSWERED", ">RESETS",
               ">LIMITED", ">MOVED", NULL);
    json_array_foreach(json_object_get(pool, "members"), i, member)
    {
        table_add(&table, "%s", get_text(member, "member"));
        add_traffic(&table, member, show_match(before, "members", "member", member), interval);
        table_add(&table, "%s", text_count(get_number(member, "unanswered"), text));
        table_add(&table, "%s", text_count(get_number(member, "resets"), text));
        table_add(&table, "%s", text_count(get_number(member, "limited"), text));
        table_add(&table, "%s", text_count(get_number(member, "moved"), text));
    }
    table_print(&table, ctl->out, ctl->color, "");
}

int show_pool(struct ctl *ctl, const json_t *result, const json_t *before)
{
    const json_t *pool = json_array_get(json_object_get(result, "pools"), 0);

    pool_rows(ctl, result, before);
    if (!json_object_get(pool, "members"))
        return CTL_OK;
    fputc('\n', ctl->out);
    member_states(ctl, pool);
    fputc('\n', ctl->out);
    member_traffic(ctl, pool, show_match(before, "pools", "pool", pool), show_interval(result, before));
    return CTL_OK;
}

int show_member_done(struct ctl *ctl, const json_t *result, const json_t *before)
{
    fprintf(ctl->out, "%s: %s is %s, weight %" PRIu64 " (%s)\n", get_text(result, "pool"),
            get_text(result, "member"), get_text(result, "state"), get_number(result, "weight"),
            get_text(result, "why"));
    return CTL_OK;
}

int show_explain(struct ctl *ctl, const json_t *result, const json_t *before)
{
    fprintf(ctl->out, "%s\n", get_text(result, "text"));
    return get_true(result, "found") ? CTL_OK : CTL_FAILED;
}
