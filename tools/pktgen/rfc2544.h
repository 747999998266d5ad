// SPDX-License-Identifier: Apache-2.0
// What the benchmark of RFC 2544 measures for one frame size, and its reports. Main thread.
#ifndef PKTGEN_RFC2544_H
#define PKTGEN_RFC2544_H

#include <jansson.h>
#include "options.h"
#include "result.h"
#include "search.h"

#define RFC2544_SIZES  16
#define RFC2544_GOALS  2
#define RFC2544_CURVE  10
#define RFC2544_SLICES 100

enum rfc2544_test {
    RFC2544_THROUGHPUT = 1,   // section 26.1
    RFC2544_LATENCY = 2,      // section 26.2
    RFC2544_LOSS = 4,         // section 26.3
    RFC2544_BACK_TO_BACK = 8, // section 26.4
    RFC2544_RECOVERY = 16,    // section 26.5
    RFC2544_RESET = 32,       // section 26.6
};

struct rfc2544_latency {
    double pps;
    double p50, p90, p99, p999, max; // ns
};

struct rfc2544_point {
    double pps, loss;
};

struct rfc2544_row {    // loads and rates in packets a second; what was not measured is NaN
    char name[24];      // "64", "imix"
    double mean_size;   // bytes, FCS included
    double offered_max; // the highest load that is asked for
    bool port_full;     // the port pushed back: what the generator can send is what the device takes
    struct search_result throughput[RFC2544_GOALS];
    bool carries_all[RFC2544_GOALS];   // all that was offered: it may carry more
    bool from_stricter[RFC2544_GOALS]; // its own search found less than that of the goal before
    struct rfc2544_latency latency[2]; // at the loss-free rate, and at half of it
    struct rfc2544_point curve[RFC2544_CURVE];
    uint32_t curve_points;
    double burst_frames; // longest burst at full rate without loss
    bool burst_is_limit; // longer was not tried
    double recovery_ms;  // from the end of an overload until nothing is lost any more; below 0: not in time
    double reset_ms;     // longest silence while the device was reset
};

struct rfc2544_report {
    uint32_t tests;
    double goal[RFC2544_GOALS]; // loss, 0 to 1
    double seconds;             // of a trial
    struct rfc2544_row row[RFC2544_SIZES];
    uint32_t rows;
    bool ended; // by the operator: the last row may be incomplete
};

void rfc2544_text(FILE *out, const struct rfc2544_report *report);
json_t *rfc2544_json(const struct rfc2544_report *report);
int rfc2544_csv(const char *path, const struct rfc2544_report *report, struct sl_error *error);
// Behind a throughput: '+' carries all, '=' from the stricter goal, ' ' neither.
char rfc2544_mark(const struct rfc2544_row *row, uint32_t goal);
// What is to be said of the row; "" where nothing is.
const char *rfc2544_note(const struct rfc2544_row *row);
// As text; "-" where it was not measured, "none" where no load held.
const char *rfc2544_rate_text(const struct search_result *search, char out[16]);
const char *rfc2544_time_text(double ns, char out[16]);
const char *rfc2544_scaled_text(double value, char out[16]);
int rfc2544_html(const char *path, const struct rfc2544_report *report, struct sl_error *error);

// The tests for one size, each a few trials; `measure` as in search.h, its context a struct rfc2544_bench.
struct rfc2544_bench {
    struct session *session;
    struct trial *trial;
    struct plan *plan;
    struct rate asked; // the highest load, by the operator
    uint32_t senders;  // ports that send, each its share of the load
    const struct options *options;
    struct result *result; // of the last trial
    struct screen *screen;
    char progress[96];
    uint32_t tests;
    uint64_t final_us, quick_us;
    double width;
    uint32_t confirm;
    const double *goal;
    const char *reset_command;
};
// A row of which nothing is measured but its name.
void rfc2544_row_init(struct rfc2544_row *row, double mean_size);
// 0, -EINTR where the operator ended it, or another -errno. What was measured so far is in `row`.
int rfc2544_measure(struct rfc2544_bench *bench, struct rfc2544_row *row);

#endif
