// SPDX-License-Identifier: Apache-2.0
// Tables and numbers for people. Called by the show functions. One thread.
#include "table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void table_init(struct table *table, ...)
{
    va_list titles;
    const char *title;

    *table = (struct table){0};
    va_start(titles, table);
    while ((title = va_arg(titles, const char *)) && table->columns < TABLE_COLUMNS) {
        table->right[table->columns] = title[0] == '>';
        table->title[table->columns++] = title + (title[0] == '>');
    }
    va_end(titles);
}

void table_add(struct table *table, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    if (table->cells == table->room) {
        unsigned room = table->room ? 2 * table->room : 64;
        char **wider = realloc(table->cell, room * sizeof(*wider));

        if (!wider) {
            free(text);
            return;
        }
        table->cell = wider;
        table->room = room;
    }
    table->cell[table->cells++] = text;
}

static const char *cell_text(const struct table *table, unsigned i)
{
    return i < table->cells && table->cell[i] ? table->cell[i] : "";
}

// The last column is not padded, so that no line ends in spaces.
static void cell_print(FILE *out, const char *text, unsigned width, bool right, bool last)
{
    int pad = (int)width - (int)strlen(text);

    if (right)
        fprintf(out, "%*s", pad > 0 ? pad : 0, "");
    fputs(text, out);
    if (!right && !last)
        fprintf(out, "%*s", pad > 0 ? pad : 0, "");
    fputs(last ? "\n" : "  ", out);
}

static void widths(const struct table *table, unsigned width[TABLE_COLUMNS])
{
    for (unsigned c = 0; c < table->columns; c++)
        width[c] = (unsigned)strlen(table->title[c]);
    for (unsigned i = 0; i < table->cells; i++) {
        unsigned length = (unsigned)strlen(cell_text(table, i)), c = i % table->columns;

        if (length > width[c])
            width[c] = length;
    }
}

void table_print(struct table *table, FILE *out, bool color, const char *none)
{
    unsigned width[TABLE_COLUMNS];

    widths(table, width);
    if (table->cells == 0) {
        fprintf(out, "%s\n", none);
    } else {
        fputs(color ? COLOR_BOLD : "", out);
        for (unsigned c = 0; c < table->columns; c++)
            cell_print(out, table->title[c], width[c], table->right[c], c + 1 == table->columns);
        fputs(color ? COLOR_END : "", out);
    }
    for (unsigned i = 0; i < table->cells; i++) {
        unsigned c = i % table->columns;

        cell_print(out, cell_text(table, i), width[c], table->right[c], c + 1 == table->columns);
        free(table->cell[i]);
    }
    free(table->cell);
    *table = (struct table){0};
}

// Three digits that count, and the unit of a list that steps by `step`.
static const char *text_scaled(double value, double step, const char *const *units, char out[TABLE_TEXT])
{
    while (value >= step * 0.9995 && units[1]) {
        value /= step;
        units++;
    }
    snprintf(out, TABLE_TEXT, "%.*f%s", value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2, value, *units);
    return out;
}

const char *text_count(uint64_t value, char out[TABLE_TEXT])
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", NULL};

    if (value >= 100000)
        return text_scaled((double)value, 1000, units, out);
    snprintf(out, TABLE_TEXT, "%" PRIu64, value);
    return out;
}

const char *text_bytes(uint64_t bytes, char out[TABLE_TEXT])
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", NULL};

    if (bytes < 1024) {
        snprintf(out, TABLE_TEXT, "%" PRIu64 " B", bytes);
        return out;
    }
    return text_scaled((double)bytes, 1024, units, out);
}

const char *text_rate(double per_second, char out[TABLE_TEXT])
{
    static const char *const units[] = {"/s", "k/s", "M/s", "G/s", NULL};

    if (per_second >= 0 && per_second < 1000) {
        snprintf(out, TABLE_TEXT, "%.*f/s", per_second > 0 && per_second < 10 ? 1 : 0, per_second);
        return out;
    }
    return per_second < 0 ? strcpy(out, "-") : text_scaled(per_second, 1000, units, out);
}

const char *text_bits(double bytes_per_second, char out[TABLE_TEXT])
{
    static const char *const units[] = {" bit/s", " kbit/s", " Mbit/s", " Gbit/s", " Tbit/s", NULL};

    if (bytes_per_second == 0)
        return strcpy(out, "0 bit/s");
    return bytes_per_second < 0 ? strcpy(out, "-") : text_scaled(8 * bytes_per_second, 1000, units, out);
}

const char *text_seconds(uint64_t seconds, char out[TABLE_TEXT])
{
    if (seconds < 60)
        snprintf(out, TABLE_TEXT, "%" PRIu64 "s", seconds);
    else if (seconds < 3600)
        snprintf(out, TABLE_TEXT, "%" PRIu64 "m %" PRIu64 "s", seconds / 60, seconds % 60);
    else if (seconds < 86400)
        snprintf(out, TABLE_TEXT, "%" PRIu64 "h %" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
    else
        snprintf(out, TABLE_TEXT, "%" PRIu64 "d %" PRIu64 "h", seconds / 86400, seconds / 3600 % 24);
    return out;
}
