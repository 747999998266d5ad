// SPDX-License-Identifier: Apache-2.0
// The search. Called by rfc2544.c, on the main thread, and by a test with a simulated device.
//
//   load   min ---- lower ------------ upper ---- max        lower: held in trials of full length
//                     |<- width ->|                          upper: failed in them
#include "search.h"
#include <errno.h>
#include <math.h>

#define OFFERED_LEAST 0.98 // less than this of the load was sent: the generator was kept from its core
#define ATTEMPTS      3    // at a trial whose load was not sent
#define COARSE        8    // times the width: where short trials stop

struct search {
    const struct search_wish *wish;
    search_measure *measure;
    void *context;
    struct search_result *result;
    double low, high; // bounds of the phase, low <= high
    bool kept;        // in the verdict: a trial that could not be measured in any attempt
};

// One trial; 1 where the loss is within the goal, 0 where not, -errno. A load that was not sent is tried again; where
// it cannot be sent at all, the verdict is on what was. Of a generator that was kept from its core in every attempt
// nothing is known: such a load was not shown to be carried.
static int trial(struct search *s, double load, uint64_t duration_us, struct search_measured *measured)
{
    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (s->result->trials == s->wish->trials_max)
            return -E2BIG;
        s->result->trials++;
        *measured = (struct search_measured){0};
        int rc = s->measure(s->context, load, duration_us, measured);
        if (rc != 0)
            return rc;
        if (!measured->kept && measured->offered >= load * OFFERED_LEAST)
            break;
    }
    s->kept = s->kept || measured->kept;
    return !measured->kept && measured->loss <= s->wish->goal;
}

// Trials of full length until one verdict has its majority; `worst` of those that held: most loss, least sent.
static int verdict(struct search *s, double load, struct search_measured *worst)
{
    uint32_t held = 0, failed = 0;
    *worst = (struct search_measured){.offered = load};
    s->kept = false;
    while (held < s->wish->confirm && failed < s->wish->confirm) {
        struct search_measured one = {0};
        int rc = trial(s, load, s->wish->final_us, &one);
        if (rc < 0)
            return rc;
        held += rc == 1;
        failed += rc == 0;
        if (rc == 1) {
            worst->loss = fmax(worst->loss, one.loss);
            worst->offered = fmin(worst->offered, one.offered);
        }
    }
    return held == s->wish->confirm;
}

static bool narrow(const struct search *s, double times)
{
    return s->high - s->low <= s->wish->width * times * s->high;
}

// Short trials; what they say is only where to look. Begins at the hint and, where that holds, goes up from there in
// growing steps; then the bounds are halved.
static int narrow_quickly(struct search *s)
{
    struct search_measured measured;
    double width = s->wish->width, load = s->wish->hint * (1 - width), step = COARSE * width / 2;
    bool near = load > s->low && load < s->high;
    while (!narrow(s, COARSE)) {
        load = near ? load : (s->low + s->high) / 2;
        int rc = trial(s, load, s->wish->quick_us, &measured);
        if (rc < 0)
            return rc;
        if (rc)
            s->low = load;
        else
            s->high = load;
        load *= 1 + step;
        step *= 2;
        near = near && rc && load < s->high;
    }
    return 0;
}

static int decide_lower(struct search *s, double load)
{
    struct search_measured worst;
    int rc = verdict(s, load, &worst);
    if (rc < 0)
        return rc;
    if (rc) {
        s->result->found = true;
        s->result->lower = s->low = load;
        s->result->carried = worst.offered;
        s->result->loss = worst.loss;
        return 1;
    }
    s->result->bounded = true;
    s->result->kept = s->kept;
    s->result->upper = s->high = load;
    return 0;
}

// From where the short trials pointed: down in growing steps while full trials fail, up while they hold.
static int bracket(struct search *s)
{
    double guess = s->low > s->wish->min ? s->low : (s->low + s->high) / 2, step = s->wish->width;
    double top = s->high;
    int rc = decide_lower(s, guess);
    for (; rc == 0 && guess > s->wish->min; step *= 2) {
        guess = fmax(guess * (1 - step), s->wish->min);
        rc = decide_lower(s, guess);
    }
    if (rc <= 0)
        return rc;
    for (; rc == 1 && !s->result->bounded && s->low < s->wish->max; step *= 2) {
        double next = fmin(fmax(top, s->low * (1 + step)), s->wish->max);
        rc = decide_lower(s, next);
        top = next * (1 + step);
    }
    return rc < 0 ? rc : 0;
}

int search_run(const struct search_wish *wish, search_measure *measure, void *context,
               struct search_result *result)
{
    struct search s = {wish, measure, context, result, wish->min, wish->max, false};
    *result = (struct search_result){0};
    int rc = decide_lower(&s, wish->max); // most devices in a lab carry everything
    if (rc != 0)
        return rc < 0 ? rc : 0;
    *result = (struct search_result){.trials = result->trials, .bounded = true, .upper = wish->max};
    rc = narrow_quickly(&s);
    if (rc == 0) {
        result->bounded = false; // the upper bound is tested again at full length, close to the answer
        rc = bracket(&s);
    }
    while (rc >= 0 && result->found && result->bounded &&
           result->upper - result->lower > wish->width * result->upper) {
        s.low = result->lower;
        s.high = result->upper;
        rc = decide_lower(&s, (s.low + s.high) / 2);
    }
    return rc < 0 ? rc : 0;
}
