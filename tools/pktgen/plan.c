// SPDX-License-Identifier: Apache-2.0
// Rates of a plan. Called when a run or a trial is set up, on the main thread.
#include "plan.h"

double plan_mean_size(const struct size_plan *sizes)
{
    double sum = 0;
    for (uint32_t i = 0; i < sizes->count; i++)
        sum += sizes->size[i];
    return sizes->count ? sum / sizes->count : 0;
}

double rate_pps(const struct rate *rate, double mean_size, uint64_t line_bps)
{
    switch (rate->unit) {
    case RATE_PPS:
        return rate->value;
    case RATE_BPS:
        return rate->value / (8 * mean_size);
    case RATE_PERCENT:
        return rate->value / 100 * (double)line_bps / (8 * (mean_size + FRAME_EXTRA));
    case RATE_MAX:
        break;
    }
    return 0;
}

// Streams without a rate of their own share the run's by weight; the mean size that counts is theirs together.
double plan_stream_pps(const struct plan *plan, uint32_t i, uint64_t line_bps)
{
    const struct stream_plan *stream = &plan->stream[i];
    double weights = 0, bytes = 0;
    if (stream->own_rate)
        return rate_pps(&stream->rate, plan_mean_size(&stream->sizes), line_bps);
    for (uint32_t k = 0; k < plan->streams; k++) {
        const struct stream_plan *other = &plan->stream[k];
        if (other->own_rate || other->port != stream->port)
            continue;
        weights += other->weight;
        bytes += other->weight * plan_mean_size(&other->sizes);
    }
    return rate_pps(&plan->rate, bytes / weights, line_bps) * stream->weight / weights;
}
