// SPDX-License-Identifier: Apache-2.0
// A bounded reader: the one way to walk bytes that somebody else wrote. It never gives out a byte that is not
// there, and once it has refused it goes on refusing, so a parser may check once at its end. Pure; any
// thread.
#ifndef SL_BASE_CURSOR_H
#define SL_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sl_cursor {
    const uint8_t *at;  // next byte to read; NULL once a read was refused
    const uint8_t *end; // first byte behind the last
};

static inline struct sl_cursor sl_cursor_over(const void *bytes, size_t len_bytes)
{
    const uint8_t *first = (const uint8_t *)bytes;
    struct sl_cursor cursor = {first, first + len_bytes};

    return cursor;
}

// Bytes left; 0 after a refusal.
static inline size_t sl_cursor_left(const struct sl_cursor *cursor)
{
    return cursor->at ? (size_t)(cursor->end - cursor->at) : 0;
}

static inline bool sl_cursor_failed(const struct sl_cursor *cursor)
{
    return cursor->at == NULL;
}

// The next `len_bytes` bytes, and steps over them; NULL where fewer are left.
static inline const uint8_t *sl_cursor_take(struct sl_cursor *cursor, size_t len_bytes)
{
    const uint8_t *bytes = cursor->at;

    if (bytes == NULL || (size_t)(cursor->end - bytes) < len_bytes) {
        cursor->at = NULL;
        return NULL;
    }
    cursor->at = bytes + len_bytes;
    return bytes;
}

// Steps over `len_bytes` bytes; false where fewer are left.
static inline bool sl_cursor_skip(struct sl_cursor *cursor, size_t len_bytes)
{
    return sl_cursor_take(cursor, len_bytes) != NULL;
}

// A cursor over the next `len_bytes` bytes alone, for a part whose length the bytes themselves tell; it has
// failed where fewer are left. Steps over them.
static inline struct sl_cursor sl_cursor_part(struct sl_cursor *cursor, size_t len_bytes)
{
    const uint8_t *bytes = sl_cursor_take(cursor, len_bytes);
    struct sl_cursor part = {bytes, bytes ? bytes + len_bytes : NULL};

    return part;
}

// Numbers in network byte order, returned in the host's; 0 after a refusal.
static inline uint8_t sl_cursor_u8(struct sl_cursor *cursor)
{
    const uint8_t *bytes = sl_cursor_take(cursor, 1);

    return bytes ? bytes[0] : 0;
}

static inline uint16_t sl_cursor_u16(struct sl_cursor *cursor)
{
    const uint8_t *bytes = sl_cursor_take(cursor, 2);

    return bytes ? (uint16_t)(bytes[0] << 8 | bytes[1]) : 0;
}

static inline uint32_t sl_cursor_u32(struct sl_cursor *cursor)
{
    const uint8_t *bytes = sl_cursor_take(cursor, 4);

    return bytes ? (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3]
                 : 0;
}

// Copies the next `len_bytes` bytes out; false, and `out` untouched, where fewer are left.
static inline bool sl_cursor_copy(struct sl_cursor *cursor, void *out, size_t len_bytes)
{
    const uint8_t *bytes = sl_cursor_take(cursor, len_bytes);

    if (bytes)
        memcpy(out, bytes, len_bytes);
    return bytes != NULL;
}

#endif
