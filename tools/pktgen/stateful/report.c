// SPDX-License-Identifier: Apache-2.0
// Printing text and JSON. Called by stateful.c after a run, on the main thread.
#include "report.h"
#include <inttypes.h>
#include <stdio.h>

static const struct percentile {
    const char *name;
    double fraction;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

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

static void side_print(const struct side_summary *side)
{
    const struct engine_counters *c = &side->counters;
    struct summary_counter list[SUMMARY_COUNTERS];
    printf("%s: %" PRIu64 " opened, %" PRIu64 " completed, %" PRIu64 " failed, %" PRIu64
           " open (at most %" PRIu64 ")",
           side->role, c->opened, c->completed, summary_failed(side), side->open, side->open_most);
    if (side->seconds > 0)
        printf("; %.0f connections/s, %.0f requests/s", side->connections_per_s, side->requests_per_s);
    printf("\n");
    for (unsigned i = 0; i < FAILURES; i++)
        if (c->failed[i])
            printf("  failed: %-13s %12" PRIu64 "\n", engine_failure_name(i), c->failed[i]);
    summary_list(side, list);
    for (unsigned i = 0; i < SUMMARY_COUNTERS; i++)
        if (list[i].value)
            printf("  %-21s %12" PRIu64 "\n", list[i].name, list[i].value);
    latency_print("connect", &side->connect);
    latency_print("request", &side->request);
}

void stateful_text(const struct side_summary *side, uint32_t count)
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

static json_t *side_json(const struct side_summary *side)
{
    const struct engine_counters *c = &side->counters;
    struct summary_counter list[SUMMARY_COUNTERS];
    json_t *failed = json_object();
    for (unsigned i = 0; i < FAILURES; i++)
        json_object_set_new(failed, engine_failure_name(i), json_integer((json_int_t)c->failed[i]));
    json_t *json =
        json_pack("{ss sf si sI sI sI sI so so so}", "role", side->role, "seconds", side->seconds, "workers",
                  (int)side->workers, "opened", (json_int_t)c->opened, "completed", (json_int_t)c->completed,
                  "open", (json_int_t)side->open, "open_most", (json_int_t)side->open_most, "failed", failed,
                  "connect_ns", latency_json(&side->connect), "request_ns", latency_json(&side->request));
    summary_list(side, list);
    for (unsigned i = 0; i < SUMMARY_COUNTERS; i++)
        json_object_set_new(json, list[i].name, json_integer((json_int_t)list[i].value));
    if (side->seconds > 0) {
        json_object_set_new(json, "connections_per_s", json_real(side->connections_per_s));
        json_object_set_new(json, "requests_per_s", json_real(side->requests_per_s));
    }
    return json;
}

json_t *stateful_json(const struct side_summary *side, uint32_t count)
{
    json_t *sides = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(sides, side_json(&side[i]));
    return json_pack("{ss so}", "version", SLUICE_VERSION, "sides", sides);
}
