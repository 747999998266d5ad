// SPDX-License-Identifier: Apache-2.0
// Called by stateful.c, on the main thread, also while workers count.
#include "summary.h"
#include <assert.h>

static_assert(sizeof(struct engine_counters) % sizeof(uint64_t) == 0, "added word by word");
#define WORDS (sizeof(struct engine_counters) / sizeof(uint64_t))

static void counters_add(struct engine_counters *into, const struct engine_counters *from)
{
    uint64_t word[WORDS], more[WORDS];
    memcpy(word, into, sizeof(word));
    memcpy(more, from, sizeof(more));
    for (size_t i = 0; i < WORDS; i++)
        word[i] += more[i];
    memcpy(into, word, sizeof(word));
}

void summary_make(const struct side *side, double seconds, struct side_summary *summary)
{
    *summary = (struct side_summary){.role = side->server ? "server" : "client",
                                     .seconds = seconds,
                                     .workers = side->shards,
                                     .open_most = summary->open_most};
    histogram_init(&summary->connect);
    histogram_init(&summary->request);
    for (uint32_t i = 0; i < side->shards; i++) {
        const struct shard *shard = side->shard[i];
        summary->open += __atomic_load_n(&shard->open_count, __ATOMIC_RELAXED);
        summary->overrun += shard->overrun;
        counters_add(&summary->counters, &shard->engine.counters);
        histogram_merge(&summary->connect, &shard->engine.connect);
        histogram_merge(&summary->request, &shard->engine.request);
    }
    if (summary->open > summary->open_most)
        summary->open_most = summary->open;
    if (seconds > 0) {
        summary->connections_per_s = (double)summary->counters.completed / seconds;
        summary->requests_per_s = (double)summary->counters.requests / seconds;
    }
}

void summary_end(const struct side *side, struct side_summary *summary)
{
    double connections = summary->connections_per_s, requests = summary->requests_per_s;
    summary_make(side, summary->seconds, summary);
    summary->connections_per_s = connections;
    summary->requests_per_s = requests;
}

uint64_t summary_failed(const struct side_summary *summary)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < FAILURES; i++)
        sum += summary->counters.failed[i];
    return sum;
}

void summary_list(const struct side_summary *summary, struct summary_counter list[SUMMARY_COUNTERS])
{
    const struct engine_counters *c = &summary->counters;
    const struct summary_counter all[SUMMARY_COUNTERS] = {
        {"requests", c->requests},
        {"segments_in", c->segments_in},
        {"segments_out", c->segments_out},
        {"bytes_in", c->bytes_in},
        {"bytes_out", c->bytes_out},
        {"retransmits", c->retransmits},
        {"duplicates", c->duplicates},
        {"early", c->early},
        {"bad_sequence", c->bad_sequence},
        {"bad_checksum", c->bad_checksum},
        {"stray", c->stray},
        {"foreign", c->foreign},
        {"starved", c->starved},
        {"table_full", c->table_full},
        {"handed_over", c->handed},
        {"overrun", summary->overrun},
    };
    memcpy(list, all, sizeof(all));
}
