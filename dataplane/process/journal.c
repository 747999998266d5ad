// SPDX-License-Identifier: Apache-2.0
// See journal.h. One write(2) a line, so that lines of two processes on one pipe do not mix. Main thread.
#include "process/journal.h"
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES 1024

static size_t head_write(char *line, enum journal_level level)
{
    if (isatty(STDERR_FILENO))
        return (size_t)snprintf(line, LINE_BYTES, "sluice-dp: %s", level <= JOURNAL_ERROR ? "error: " : "");
    return (size_t)snprintf(line, LINE_BYTES, "<%d>", level);
}

void journal(enum journal_level level, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list list;
    size_t used = head_write(line, level);

    va_start(list, format);
    int length = vsnprintf(line + used, sizeof(line) - used - 1, format, list);
    va_end(list);
    if (length > 0)
        used += (size_t)length < sizeof(line) - used - 1 ? (size_t)length : sizeof(line) - used - 2;
    for (size_t i = 0; i < used; i++) // a name from the config must not forge a line of its own
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[used++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written; // nowhere left to complain
}
