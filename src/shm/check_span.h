// SPDX-License-Identifier: Apache-2.0
// What the checks of all tables share: is an array inside the file, does a string end, is a prefix one.
// Private to src/shm. Each returns 0, or -EBADMSG with a sentence that names table, byte offset and fault.
#ifndef SL_SHM_CHECK_SPAN_H
#define SL_SHM_CHECK_SPAN_H

#include "shm/check.h"

struct check {         // one table under examination
    const char *table; // "route"
    const uint8_t *base;
    uint64_t size;  // bytes that may be read
    uint64_t fixed; // bytes of the table's fixed part: arrays lie behind it
    struct sl_error *error;
};

struct check_array {
    const char *what; // "next hops"
    uint64_t offset;  // bytes from the file's start
    uint64_t count;
    uint32_t element; // bytes
    uint32_t align;   // of the first element
};

// Is the table itself there, and its fixed part? Everything after may read the fixed part.
int check_begin(struct check *check, const char *name, const void *table, uint64_t size, uint64_t fixed,
                struct sl_error *error);

// Refuses: "<table> table, byte N: <format>".
int check_fail(const struct check *check, const void *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Inside the file, aligned, behind the fixed part. An empty array may say offset 0.
int check_span(const struct check *check, const struct check_array *array);

// A NUL within `room` bytes and only printable characters before it. `what` for the sentence.
int check_text(const struct check *check, const char *text, uint32_t room, const char *what);

// Length within the address's family, host bits zero.
int check_prefix(const struct check *check, const struct sl_prefix *prefix, const char *what);

#endif
