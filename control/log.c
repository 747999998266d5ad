// SPDX-License-Identifier: Apache-2.0
// See log.h. One write(2) a line, so that lines of two processes on one pipe do not mix.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "log.h"

#define LINE_BYTES 2048

static int write_head(char *line, size_t room, enum log_level level)
{
    char clock[32];
    struct tm local;
    time_t now = time(NULL);

    if (!isatty(STDERR_FILENO))
        return snprintf(line, room, "<%d>", level);
    strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
    return snprintf(line, room, "%s sluiced: %s", clock, level <= LOG_LEVEL_ERROR ? "error: " : "");
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    size_t used = (size_t)write_head(line, sizeof(line), level);

    va_start(args, format);
    int n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
    va_end(args);
    if (n > 0)
        used += (size_t)n < sizeof(line) - used - 1 ? (size_t)n : sizeof(line) - used - 2;
    // A name from outside must not forge a line of its own.
    for (size_t i = 0; i < used; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[used++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written; // nowhere left to complain
}
