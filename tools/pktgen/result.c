// SPDX-License-Identifier: Apache-2.0
// Sums and readings of results. Main thread.
#include "result.h"

double result_loss(const struct result *result)
{
    return result->total.sent ? (double)result->total.lost / (double)result->total.sent : 0;
}

double result_latency_ns(const struct result *result, const struct histogram *latency, double fraction)
{
    return (double)histogram_percentile(latency, fraction) * result->ns_per_unit;
}

void stream_result_add(struct stream_result *into, const struct stream_result *from)
{
    into->sent += from->sent;
    into->sent_bytes += from->sent_bytes;
    into->received += from->received;
    into->received_bytes += from->received_bytes;
    into->lost += from->lost;
    into->duplicate += from->duplicate;
    into->reordered += from->reordered;
    into->corrupt += from->corrupt;
    into->too_late += from->too_late;
    into->distance = from->distance > into->distance ? from->distance : into->distance;
    into->refused += from->refused;
    into->skipped += from->skipped;
    histogram_merge(&into->latency, &from->latency);
}
