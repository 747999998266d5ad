// SPDX-License-Identifier: Apache-2.0
// What becomes of configs, as lines of the log: who asked, which config, live or refused and why. Main thread.
#ifndef CONTROL_JOURNAL_H
#define CONTROL_JOURNAL_H

#include "apply/apply.h"

// One line. `what`: "apply", "rollback"; `who`: a user's name.
void journal_apply(const char *what, const char *who, const struct apply_outcome *outcome);
// A line each, for applies that nobody at the socket asked for: no one else is told.
void journal_diagnostics(const struct sl_diagnostics *diag);

#endif
