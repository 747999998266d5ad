// SPDX-License-Identifier: Apache-2.0
// Options that run and rfc2544 have in common: the profile, in a file or as flags, and where the reports go. Main
// thread.
#ifndef PKTGEN_OPTIONS_H
#define PKTGEN_OPTIONS_H

#include "profile.h"
#include "trial.h"

struct options {
    struct session_wish session;
    struct profile *profile; // from the file, or made of flags
    struct sl_tree tree;     // of the file
    const char *file;        // NULL: flags
    bool stream_flags;       // a stream was described by flags
    struct trial_wish trial; // duration_us 0: the profile's, or 10 s
    const char *csv, *html;  // files to write, NULL: none
    bool json, quiet;
    double wait_s;    // for links
    bool other_sizes; // of a mode that sends sizes of its own
};

// Options of the traffic and the reports; a child of the mode's argp, its input a struct options.
extern const struct argp options_argp;
// 0, or -ENOMEM.
int options_init(struct options *options);
void options_fini(struct options *options);
// After argp: the profile is read and brought together with the flags; ports go into options->session. 0; -EINVAL where
// faults were printed.
int options_finish(struct options *options, struct plan *plan);
// The same with the faults in `diag` and not printed.
int options_compile(struct options *options, struct plan *plan, struct sl_diagnostics *diag);

#endif
