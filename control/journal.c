// SPDX-License-Identifier: Apache-2.0
// See journal.h.
#include <inttypes.h>
#include <stdio.h>
#include "journal.h"
#include "log.h"

void journal_diagnostics(const struct sl_diagnostics *diag)
{
    char text[1024];

    for (unsigned i = 0; i < diag->count; i++) {
        sl_diag_format(&diag->list[i], text, sizeof(text));
        log_line(diag->list[i].severity == SL_DIAG_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "%s", text);
    }
    if (diag->errors + diag->warnings > diag->count)
        log_error("... and %u more", diag->errors + diag->warnings - diag->count);
}

static void journal_success(const char *what, const char *who, const struct apply_outcome *outcome)
{
    if (outcome->dry)
        log_info("%s by %s: config %016" PRIx64 " was checked only", what, who, outcome->hash);
    else if (!outcome->changed)
        log_info("%s by %s: config %016" PRIx64 " is what runs already", what, who, outcome->hash);
    else if (outcome->waiting)
        log_notice("%s by %s: config %016" PRIx64 " is published as generation %" PRIu64
                   " and waits for the data plane",
                   what, who, outcome->hash, outcome->generation);
    else
        log_notice("%s by %s: config %016" PRIx64 " is live as generation %" PRIu64 " on %u worker%s", what,
                   who, outcome->hash, outcome->generation, outcome->workers,
                   outcome->workers == 1 ? "" : "s");
    if (outcome->changed && !outcome->dry && outcome->confirm_s)
        log_notice("it is gone back from in %u s unless it is confirmed", outcome->confirm_s);
}

void journal_apply(const char *what, const char *who, const struct apply_outcome *outcome)
{
    char hash[24] = "of no valid form"; // there is no hash of what could not be read

    if (outcome->status == APPLY_OK) {
        journal_success(what, who, outcome);
        return;
    }
    if (outcome->hash)
        snprintf(hash, sizeof(hash), "%016" PRIx64, outcome->hash);
    log_line(outcome->goes_on ? LOG_LEVEL_WARNING : LOG_LEVEL_ERROR,
             "%s by %s: the config %s was refused: %s%s", what, who, hash, outcome->error.text,
             outcome->goes_on ? "; what ran before goes on" : "");
}
