// SPDX-License-Identifier: Apache-2.0
// Human tables: columns as wide as what is in them, numbers to the right, units people read. One thread; pure but for
// the output.
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMNS 16
#define TABLE_TEXT    32 // room for a formatted number

struct table {
    const char *title[TABLE_COLUMNS];
    bool right[TABLE_COLUMNS];
    unsigned columns;
    char **cell; // row by row
    unsigned cells, room;
};

// Titles; one that begins with '>' stands to the right. Ends with NULL.
void table_init(struct table *table, ...) __attribute__((sentinel));
void table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Prints and empties. Nothing but `none` where there are no rows.
void table_print(struct table *table, FILE *out, bool color, const char *none);

// "9999", "12.3k", "4.56M": three digits that count.
const char *text_count(uint64_t value, char out[TABLE_TEXT]);
const char *text_bytes(uint64_t bytes, char out[TABLE_TEXT]);         // "1.50 GiB"
const char *text_rate(double per_second, char out[TABLE_TEXT]);       // "1.23M/s", "-" where negative
const char *text_bits(double bytes_per_second, char out[TABLE_TEXT]); // "9.87 Gbit/s"
const char *text_seconds(uint64_t seconds, char out[TABLE_TEXT]);     // "3d 4h", "12m 5s"

#define COLOR_BAD  "\033[31m"
#define COLOR_WARN "\033[33m"
#define COLOR_GOOD "\033[32m"
#define COLOR_BOLD "\033[1m"
#define COLOR_END  "\033[0m"

#endif
