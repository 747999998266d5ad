// SPDX-License-Identifier: Apache-2.0
// Printing. Called by stateful.c, on the main thread, while the workers run (progress) and after (reports).
#include "report.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static const struct counter_name {
    const char *name;
    size_t at;
} counter_names[] = {
    {"requests", offsetof(struct engine_counters, requests)},
    {"segments_in", offsetof(struct engine_counters, segments_in)},
    {"segments_out", offsetof(struct engine_counters, segments_out)},
    {"bytes_in", offsetof(struct engine_counters, bytes_in)},
    {"bytes_out", offsetof(struct engine_counters, bytes_out)},
    {"retransmits", offsetof(struct engine_counters, retransmits)},
    {"duplicates", offsetof(struct engine_counters, duplicates)},
    {"early", offsetof(struct engine_counters, early)},
    {"bad_sequence", offsetof(struct engine_counters, bad_sequence)},
    {"bad_checksum", offsetof(struct engine_counters, bad_checksum)},
    {"stray", offsetof(struct engine_counters, stray)},
    {"foreign", offsetof(struct engine_counters, foreign)},
    {"starved", offsetof(struct engine_counters, starved)},
    {"table_full", offsetof(struct engine_counters, table_full)},
};
#define COUNTER_NAMES (sizeof(counter_names) / sizeof(counter_names[0]))

static const struct percentile {
    const char *name;
    double fraction;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

static uint64_t counter_value(const struct engine_counters *counters, const struct counter_name *name)
{
    return *(const uint64_t *)(const void *)((const char *)counters + name->at);
}

uint64_t counters_failed(const struct engine_counters *counters)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < FAILURES; i++)
        sum += counters->failed[i];
    return sum;
}

void report_progress(const struct engine *engine, uint64_t open, double seconds,
                     struct engine_counters *before)
{
    struct engine_counters now = engine->counters;
    fprintf(stderr,
            "%10.0f connections/s %10.0f requests/s %8" PRIu64 " open %8" PRIu64 " failed %8" PRIu64
            " retransmits\n",
            (double)(now.completed - before->completed) / seconds,
            (double)(now.requests - before->requests) / seconds, open, counters_failed(&now),
            now.retransmits);
    *before = now;
}

static void latency_print(const char *what, const struct histogram *histogram)
{
    if (histogram->count == 0)
        return;
    printf("  %-8s", what);
    for (unsigned i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        printf("  %s %.1f", percentiles[i].name,
               (double)histogram_percentile(histogram, percentiles[i].fraction) / 1000);
    printf("  max %.1f us\n", (double)histogram->max / 1000);
}

static void side_print(const struct side_report *side)
{
    const struct engine_counters *c = &side->engine->counters;
    printf("%s: %" PRIu64 " opened, %" PRIu64 " completed, %" PRIu64 " failed, %" PRIu64 " open", side->role,
           c->opened, c->completed, counters_failed(c), side->open);
    if (side->seconds > 0)
        printf("; %.0f connections/s, %.0f requests/s", (double)c->completed / side->seconds,
               (double)c->requests / side->seconds);
    printf("\n");
    for (unsigned i = 0; i < FAILURES; i++)
        if (c->failed[i])
            printf("  failed: %-13s %12" PRIu64 "\n", engine_failure_name(i), c->failed[i]);
    for (unsigned i = 0; i < COUNTER_NAMES; i++)
        if (counter_value(c, &counter_names[i]))
            printf("  %-21s %12" PRIu64 "\n", counter_names[i].name, counter_value(c, &counter_names[i]));
    latency_print("connect", &side->engine->connect);
    latency_print("request", &side->engine->request);
}

void report_text(const struct side_report *side, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        side_print(&side[i]);
}

static json_t *latency_json(const struct histogram *histogram)
{
    json_t *json = json_pack("{sI}", "count", (json_int_t)histogram->count);
    if (histogram->count == 0)
        return json;
    json_object_set_new(json, "min", json_integer((json_int_t)histogram->min));
    for (unsigned i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        json_object_set_new(
            json, percentiles[i].name,
            json_integer((json_int_t)histogram_percentile(histogram, percentiles[i].fraction)));
    json_object_set_new(json, "max", json_integer((json_int_t)histogram->max));
    return json;
}

static json_t *side_json(const struct side_report *side)
{
    const struct engine_counters *c = &side->engine->counters;
    json_t *failed = json_object();
    for (unsigned i = 0; i < FAILURES; i++)
        json_object_set_new(failed, engine_failure_name(i), json_integer((json_int_t)c->failed[i]));
    json_t *json =
        json_pack("{ss sf sI sI sI so so so}", "role", side->role, "seconds", side->seconds, "opened",
                  (json_int_t)c->opened, "completed", (json_int_t)c->completed, "open",
                  (json_int_t)side->open, "failed", failed, "connect_ns",
                  latency_json(&side->engine->connect), "request_ns", latency_json(&side->engine->request));
    for (unsigned i = 0; i < COUNTER_NAMES; i++)
        json_object_set_new(json, counter_names[i].name,
                            json_integer((json_int_t)counter_value(c, &counter_names[i])));
    if (side->seconds > 0)
        json_object_set_new(json, "connections_per_s", json_real((double)c->completed / side->seconds));
    return json;
}

void report_json(const struct side_report *side, uint32_t count)
{
    json_t *sides = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(sides, side_json(&side[i]));
    json_t *json = json_pack("{so}", "sides", sides);
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    printf("\n");
    json_decref(json);
}
