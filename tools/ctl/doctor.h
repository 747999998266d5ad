// SPDX-License-Identifier: Apache-2.0
// The doctor's findings and who makes them. One thread.
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "command.h"
#include "shm/board.h"

enum doctor_verdict {
    DOCTOR_GOOD,
    DOCTOR_HINT, // works, could be better
    DOCTOR_BAD,
    DOCTOR_SKIPPED,
};

struct doctor {
    struct ctl *ctl;
    json_t *findings;
    const struct sl_board *board; // NULL where there is none
    json_t *status;               // sluiced's answers; NULL where it does not answer
    json_t *ports;
    bool root;
    bool bad;
};

// One finding: what was looked at, what was found, and (NULL where nothing) the command that mends it.
void doctor_find(struct doctor *doctor, enum doctor_verdict verdict, const char *check, const char *mend,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
// A small file's first line; "" where it cannot be read.
const char *doctor_line(const char *path, char *out, size_t size);

void doctor_host(struct doctor *doctor);       // doctor_host.c: kernel, memory, rights
void doctor_forwarding(struct doctor *doctor); // doctor_host.c: of the network namespace one is in
void doctor_local_ports(struct doctor *doctor); // doctor_host.c: of the same
void doctor_state(struct doctor *doctor);      // doctor_state.c: run directory, daemons, generation, drops
void doctor_links(struct doctor *doctor);      // doctor_link.c: interfaces of AF_XDP ports

#endif
