// SPDX-License-Identifier: Apache-2.0
// What DPDK and libbpf have to say: kept, not printed, until something fails. Any thread may log; the tail is shown by
// the main thread.
#ifndef PROCESS_LOG_H
#define PROCESS_LOG_H

#include <pthread.h>
#include <stdio.h>

#define LOG_LINES 12
#define LOG_TEXT  240

struct log_tail {
    pthread_mutex_t lock;
    FILE *stream; // DPDK writes here
    unsigned next;
    char line[LOG_LINES][LOG_TEXT];
};

// Redirects DPDK's log, and libbpf's with it. Before rte_eal_init(). 0 or -errno.
int log_tail_init(struct log_tail *tail);
// Prints the last lines to stderr, indented, and forgets them. Nothing where there are none.
void log_tail_show(struct log_tail *tail);

#endif
