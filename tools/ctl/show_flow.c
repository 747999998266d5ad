// SPDX-License-Identifier: Apache-2.0
// flow and nat: who talks through us, and what the pools have left. One thread.
#include <inttypes.h>
#include <string.h>
#include "commands.h"
#include "show.h"
#include "table.h"

static uint64_t nth(const json_t *object, const char *key, size_t i)
{
    return (uint64_t)json_integer_value(json_array_get(json_object_get(object, key), i));
}

int show_flow(struct ctl *ctl, const json_t *result, const json_t *before)
{
    json_t *flows = json_object_get(result, "flows"), *flow;
    char a[TABLE_TEXT], b[TABLE_TEXT];
    struct table table;
    size_t i;

    table_init(&table, "PROTO", "INSIDE", "OUTSIDE", "REMOTE", "KIND", "STATE", ">IDLE", ">PACKETS", ">BYTES",
               ">WORKER", NULL);
    json_array_foreach(flows, i, flow)
    {
        table_add(&table, "%s", get_text(flow, "protocol"));
        table_add(&table, "%s", get_text(flow, "inside"));
        table_add(&table, "%s", get_text(flow, "outside"));
        table_add(&table, "%s", get_text(flow, "remote"));
        table_add(&table, "%s%s%s", get_text(flow, "kind"), get_text(flow, "service")[0] ? " " : "",
                  get_text(flow, "service"));
        table_add(&table, "%s", json_is_true(json_object_get(flow, "cut")) ? "cut" : get_text(flow, "state"));
        table_add(&table, "%s", text_seconds(get_number(flow, "idle_ms") / 1000, a));
        table_add(&table, "%s/%s", text_count(nth(flow, "packets", 0), a),
                  text_count(nth(flow, "packets", 1), b));
        table_add(&table, "%s/%s", text_bytes(nth(flow, "bytes", 0), a),
                  text_bytes(nth(flow, "bytes", 1), b));
        table_add(&table, "%" PRIu64, get_number(flow, "worker"));
    }
    table_print(&table, ctl->out, ctl->color, "no flows match");
    fprintf(ctl->out, "%zu of %" PRIu64 " that match; %s of %s in use%s\n", json_array_size(flows),
            get_number(result, "matched"), text_count(get_number(result, "used"), a),
            text_count(get_number(result, "capacity"), b),
            get_number(result, "matched") > json_array_size(flows) ? "; '--limit N' shows more" : "");
    return CTL_OK;
}

int show_flow_count(struct ctl *ctl, const json_t *result, const json_t *before)
{
    char a[TABLE_TEXT], b[TABLE_TEXT];
    struct table table;
    json_t *group;
    size_t i;

    table_init(&table, "GROUP", ">FLOWS", NULL);
    json_array_foreach(json_object_get(result, "groups"), i, group)
    {
        table_add(&table, "%s", get_text(group, "key"));
        table_add(&table, "%" PRIu64, get_number(group, "flows"));
    }
    if (json_array_size(json_object_get(result, "groups")))
        table_print(&table, ctl->out, ctl->color, "");
    fprintf(ctl->out, "%" PRIu64 " match; %s of %s in use\n", get_number(result, "matched"),
            text_count(get_number(result, "used"), a), text_count(get_number(result, "capacity"), b));
    return CTL_OK;
}

// "killed": 3 or "flushed": 3.
int show_done(struct ctl *ctl, const json_t *result, const json_t *before)
{
    if (json_object_get(result, "killed"))
        fprintf(ctl->out, "%" PRIu64 " flows ended\n", get_number(result, "killed"));
    else
        fprintf(ctl->out, "%" PRIu64 " neighbors forgotten\n", get_number(result, "flushed"));
    return CTL_OK;
}

static void nat_pools(struct ctl *ctl, const json_t *result)
{
    char a[TABLE_TEXT], addresses[256];
    struct table table;
    json_t *pool;
    size_t i;

    table_init(&table, "POOL", "ADDRESSES", "FILTERING", ">BLOCKS", ">TCP", ">UDP", ">ICMP", ">PORTS",
               ">FLOWS", ">SUBSCRIBERS", NULL);
    json_array_foreach(json_object_get(result, "pools"), i, pool)
    {
        table_add(&table, "%s", get_text(pool, "pool"));
        table_add(&table, "%s", show_join(json_object_get(pool, "addresses"), addresses, sizeof(addresses)));
        table_add(&table, "%s", get_text(pool, "filtering"));
        table_add(&table, "%" PRIu64, get_number(pool, "blocks"));
        static const char *const used[] = {"blocks_used_tcp", "blocks_used_udp", "blocks_used_icmp"};
        for (size_t k = 0; k < 3; k++) {
            double share = get_number(pool, "blocks") ? 100.0 * (double)get_number(pool, used[k]) /
                                                            (double)get_number(pool, "blocks")
                                                      : 0;

            table_add(&table, "%" PRIu64 " (%.0f%%)", get_number(pool, used[k]), share);
        }
        table_add(&table, "%s", text_count(get_number(pool, "ports_used"), a));
        table_add(&table, "%s", text_count(get_number(pool, "flows"), a));
        table_add(&table, "%s", text_count(get_number(pool, "subscribers"), a));
    }
    table_print(&table, ctl->out, ctl->color, "no pools");
}

static void nat_rules(struct ctl *ctl, const json_t *result)
{
    struct table table;
    json_t *one;
    size_t i;

    table_init(&table, "RULE", "INSIDE", "OUTSIDE", "ON", ">FLOWS", NULL);
    json_array_foreach(json_object_get(result, "static"), i, one)
    {
        table_add(&table, "static");
        table_add(&table, "%s", get_text(one, "inside"));
        table_add(&table, "%s", get_text(one, "outside"));
        table_add(&table, "-");
        table_add(&table, "%" PRIu64, get_number(one, "flows"));
    }
    json_array_foreach(json_object_get(result, "forwards"), i, one)
    {
        table_add(&table, "forward");
        table_add(&table, "%s", get_text(one, "inside"));
        table_add(&table, "%s", get_text(one, "outside"));
        table_add(&table, "%s", get_text(one, "protocol"));
        table_add(&table, "%" PRIu64, get_number(one, "flows"));
    }
    json_array_foreach(json_object_get(result, "source"), i, one)
    {
        table_add(&table, "source");
        table_add(&table, "%s", get_text(one, "inside"));
        table_add(&table, "pool %s", get_text(one, "pool"));
        table_add(&table, "%s", get_text(one, "port"));
        table_add(&table, "-");
    }
    table_print(&table, ctl->out, ctl->color, "no rules");
}

int show_nat(struct ctl *ctl, const json_t *result, const json_t *before)
{
    nat_pools(ctl, result);
    fputc('\n', ctl->out);
    nat_rules(ctl, result);
    return CTL_OK;
}
