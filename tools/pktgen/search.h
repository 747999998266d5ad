// SPDX-License-Identifier: Apache-2.0
// The highest load whose loss stays within a goal, in the manner of MLRsearch (draft-ietf-bmwg-mlrsearch): short trials
// narrow it down, trials of full length decide, and no single trial decides alone. Knows no device: a function measures,
// so a simulated one can prove it. Main thread.
#ifndef PKTGEN_SEARCH_H
#define PKTGEN_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

struct search_measured {
    double offered; // what was sent, in units of the load
    double loss;    // 0 to 1
    bool kept;      // the generator was kept from its core: says nothing of the device
};

// Measures one trial: 0, or -errno to give up the search (-EINTR: the operator ended it).
typedef int search_measure(void *context, double load, uint64_t duration_us,
                           struct search_measured *measured);

struct search_wish {
    double min, max;     // loads; max is known to be offerable
    double hint;         // where to look first, 0: unknown
    double goal;         // loss that is allowed, 0 to 1
    double width;        // of the answer, relative: 0.005
    uint64_t quick_us;   // trials that narrow
    uint64_t final_us;   // trials that decide
    uint32_t confirm;    // of 2 * confirm - 1 trials at the answer, this many must hold
    uint32_t trials_max; // bounds the search
};

struct search_result {
    bool found;     // some load held
    bool bounded;   // some higher load did not: `upper`
    double lower;   // the highest load that held
    double carried; // the answer: of that load, what the generator really sent
    double upper;
    double loss;     // worst that was seen in a trial of full length that held at `lower`
    uint32_t trials; // measured
    bool kept;       // `upper` failed because the generator was kept from its core, in every attempt
};

// 0, or the error of `measure`, or -E2BIG where trials_max did not do (the bounds so far are in `result`).
int search_run(const struct search_wish *wish, search_measure *measure, void *context,
               struct search_result *result);

#endif
