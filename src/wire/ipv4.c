// SPDX-License-Identifier: Apache-2.0
// The rare parts of reading IPv4: options and quoted headers. The rest is inline in ipv4.h. Pure; any thread.
#include "wire/ipv4.h"

#include "base/cursor.h"

// Option types with their copied flag and class (RFC 791 section 3.1).
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_LSRR = 131, OPTION_SSRR = 137 };

enum sl_wire_verdict sl_ipv4_check_options(const void *bytes, size_t header_bytes)
{
    const uint8_t *first = (const uint8_t *)bytes + sizeof(struct sl_ipv4);
    struct sl_cursor cursor = sl_cursor_over(first, header_bytes - sizeof(struct sl_ipv4));

    while (sl_cursor_left(&cursor) > 0) { // each turn takes a byte at least of forty at most
        uint8_t type = sl_cursor_u8(&cursor);
        if (type == OPTION_END)
            return SL_WIRE_OK;
        if (type == OPTION_NOP)
            continue;
        if (type == OPTION_LSRR || type == OPTION_SSRR)
            return SL_WIRE_SOURCE_ROUTE;
        uint8_t len = sl_cursor_u8(&cursor); // counts type and length too; less would stop the walk for ever
        if (len < 2 || !sl_cursor_skip(&cursor, len - 2u))
            return SL_WIRE_BAD_OPTION;
    }
    return sl_cursor_failed(&cursor) ? SL_WIRE_BAD_OPTION : SL_WIRE_OK;
}

enum sl_wire_verdict sl_ipv4_view_quoted(const void *bytes, size_t have_bytes, struct sl_ip_view *view)
{
    const struct sl_ipv4 *ip = (const struct sl_ipv4 *)bytes;

    if (have_bytes < sizeof(*ip))
        return SL_WIRE_TOO_SHORT;
    if (!sl_ipv4_first_byte_ok(ip->version_ihl))
        return SL_WIRE_BAD_HEADER;
    sl_ipv4_view_fill(ip, view);
    if (view->total_len < view->l4_off)
        return SL_WIRE_BAD_HEADER;
    return view->l4_off > have_bytes ? SL_WIRE_TOO_SHORT : SL_WIRE_OK;
}
