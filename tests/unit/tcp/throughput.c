// SPDX-License-Identifier: Apache-2.0
// Prints how fast bulk transfers go over an emulated path, on virtual time (bottleneck.h). Not a test: it judges nothing.
// throughput [SECONDS [SEED [NAME]]]: a row for each congestion control, round trip and loss, then two flows at
// once, each with its own Mbit/s; of one congestion control alone, and pairs it is in, where NAME is given.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bottleneck.h"

#define N_RTTS 3u
static const uint64_t rtts_us[N_RTTS] = {1000, 20000, 100000};

static void row(const char *name, const struct scene *scene)
{
    struct result r = bottleneck_play(scene);

    printf("%-16s %5.0f %5.1f %8.2f %8.2f %7u %5u %5u %7u %7u %8.0f %6.0f %8.1f", name, (double)scene->rtt_us / 1000,
           scene->loss * 100, r.mbit, r.mbit_late, r.retransmits, r.timeouts, r.undone, r.dropped_random,
           r.dropped_full, r.worst_gap_ms, r.rto_ms, r.queue_ms);
    if (scene->n == 2)
        printf(" %6.3f %8.2f %8.2f", r.jain, r.mbit_of[0], r.mbit_of[1]);
    printf("\n");
    if (r.invariant)
        fprintf(stderr, "invariant: %s\n", r.invariant);
    fflush(stdout);
}

static void single_flows(struct scene *scene)
{
    static const double losses[] = {0, 0.001, 0.01, 0.03};

    scene->n = 1;
    for (unsigned r = 0; r < N_RTTS; r++)
        for (unsigned l = 0; l < 4; l++) {
            scene->rtt_us = rtts_us[r];
            scene->loss = losses[l];
            row(scene->congestion[0], scene);
        }
}

static void two_flows(struct scene *scene)
{
    scene->n = 2;
    scene->loss = 0;
    for (unsigned r = 0; r < N_RTTS; r++) {
        char label[32];

        scene->rtt_us = rtts_us[r];
        snprintf(label, sizeof(label), "%s+%s", scene->congestion[0], scene->congestion[1]);
        row(label, scene);
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"cubic", "newreno", "bbr"};
    static const char *const pairs[][2] = {{"cubic", "cubic"}, {"newreno", "newreno"}, {"cubic", "newreno"},
                                           {"bbr", "bbr"},     {"cubic", "bbr"},       {"bbr", "cubic"}};
    const char *only = argc > 3 ? argv[3] : NULL;
    struct scene scene = {.seconds = argc > 1 ? atof(argv[1]) : 30,
                          .seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1};

    printf("%-16s %5s %5s %8s %8s %7s %5s %5s %7s %7s %8s %6s %8s %6s %8s %8s\n", "congestion", "rtt", "loss", "Mbit/s",
           "late", "rexmit", "rto", "undo", "lost", "full", "gap ms", "rto ms", "queue ms", "Jain", "first", "second");
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        scene.congestion[0] = names[i];
        if (!only || strcmp(only, names[i]) == 0)
            single_flows(&scene);
    }
    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        memcpy(scene.congestion, pairs[i], sizeof(pairs[i]));
        if (!only || strcmp(only, pairs[i][0]) == 0 || strcmp(only, pairs[i][1]) == 0)
            two_flows(&scene);
    }
    return 0;
}
