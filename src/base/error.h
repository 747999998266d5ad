// SPDX-License-Identifier: Apache-2.0
// A sentence for the operator: where, what, and how to mend it. Functions that can fail for reasons worth
// telling take a `struct sl_error *` last; it may be NULL, and is written only on failure. Owned by the
// caller, any thread.
#ifndef SL_BASE_ERROR_H
#define SL_BASE_ERROR_H

#define SL_ERROR_TEXT 256

struct sl_error {
    char text[SL_ERROR_TEXT]; // NUL-terminated; cut short where the sentence would not fit
};

// Writes the sentence (printf-like) and returns `code`, so that a failing function can end in
// `return sl_error_set(error, -EINVAL, ...)`. `error` may be NULL.
int sl_error_set(struct sl_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
