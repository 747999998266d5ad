// SPDX-License-Identifier: Apache-2.0
// The files that reports go to. Called by the writers of CSV and HTML, on the main thread.
#include <errno.h>
#include <string.h>
#include "report.h"

FILE *report_open(const char *path, const char *option, struct sl_error *error)
{
    FILE *out = fopen(path, "we");
    if (!out)
        sl_error_set(error, -errno, "%s %s: it cannot be written: %s", option, path, strerror(errno));
    return out;
}

int report_close(FILE *out, const char *path, const char *option, struct sl_error *error)
{
    bool failed = ferror(out);
    if (fclose(out) != 0 || failed)
        return sl_error_set(error, -EIO, "%s %s: it could not be written out; is the disk full?", option,
                            path);
    return 0;
}
