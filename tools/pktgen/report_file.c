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

static int path_check(const char *path, const char *option, struct sl_error *error)
{
    FILE *out = path ? fopen(path, "ae") : NULL; // what is there stays until the report is ready
    if (path && !out)
        return sl_error_set(error, -errno, "%s %s: it cannot be written: %s", option, path, strerror(errno));
    if (out)
        fclose(out);
    return 0;
}

int report_paths_check(const char *csv, const char *html, struct sl_error *error)
{
    if (csv && html && strcmp(csv, html) == 0)
        return sl_error_set(error, -EINVAL, "--csv and --html both name %s: give each its own file", csv);
    int rc = path_check(csv, "--csv", error);
    return rc ? rc : path_check(html, "--html", error);
}

int report_close(FILE *out, const char *path, const char *option, struct sl_error *error)
{
    bool failed = ferror(out);
    if (fclose(out) != 0 || failed)
        return sl_error_set(error, -EIO, "%s %s: it could not be written out; is the disk full?", option,
                            path);
    return 0;
}
