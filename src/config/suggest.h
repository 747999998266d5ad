// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the nearest of a list of words. Called by the config checks and by sluicectl's command
// line. Pure.
#ifndef SL_CONFIG_SUGGEST_H
#define SL_CONFIG_SUGGEST_H

// Edits (insert, delete, replace, swap of neighbors: Damerau, optimal string alignment) that make `a` into
// `b`; words beyond 63 bytes count as 64 apart.
unsigned sl_edit_distance(const char *a, const char *b);

// Feed words one after another; `best` is the nearest that is near enough to be meant, or NULL.
struct sl_suggestion {
    const char *word;
    const char *best;
    unsigned distance;
};
void sl_suggest_init(struct sl_suggestion *suggestion, const char *word);
void sl_suggest_offer(struct sl_suggestion *suggestion, const char *candidate);

#endif
