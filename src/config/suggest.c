// SPDX-License-Identifier: Apache-2.0
// Nearness of words, for "did you mean". Called by the config checks and by sluicectl's command line. Pure.
#include "config/suggest.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#define WORD_MOST 64

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static int same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned sl_edit_distance(const char *a, const char *b)
{
    size_t m = strlen(a), n = strlen(b);
    unsigned row[3][WORD_MOST + 1]; // two rows back, one back, this one

    if (m >= WORD_MOST || n >= WORD_MOST)
        return WORD_MOST;
    for (size_t j = 0; j <= n; j++)
        row[1][j] = (unsigned)j;
    for (size_t i = 1; i <= m; i++) {
        row[2][0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned cost = !same(a[i - 1], b[j - 1]);

            row[2][j] = least(least(row[1][j] + 1, row[2][j - 1] + 1), row[1][j - 1] + cost);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[2][j] = least(row[2][j], row[0][j - 2] + 1);
        }
        memcpy(row[0], row[1], sizeof(row[0]));
        memcpy(row[1], row[2], sizeof(row[1]));
    }
    return row[1][n];
}

void sl_suggest_init(struct sl_suggestion *suggestion, const char *word)
{
    // A third of the word may be wrong, one letter at least and three at most: more is another word.
    size_t third = (strlen(word) + 1) / 3;

    *suggestion = (struct sl_suggestion){word, NULL, third > 3 ? 4 : third < 1 ? 2 : (unsigned)third + 1};
}

void sl_suggest_offer(struct sl_suggestion *suggestion, const char *candidate)
{
    unsigned distance = sl_edit_distance(suggestion->word, candidate);
    size_t length = strlen(suggestion->word);

    // "timeout" for "timeouts", "dev" for "device": what one began to write.
    if (length >= 3 && strncmp(suggestion->word, candidate, length) == 0)
        distance = least(distance, 1);
    if (distance < suggestion->distance) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}
