// SPDX-License-Identifier: Apache-2.0
// Writes error sentences. Called by every program, on any thread; pure.
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int sl_error_set(struct sl_error *error, int code, const char *format, ...)
{
    va_list arguments;

    if (!error)
        return code;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return code;
}
