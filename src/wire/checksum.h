// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071) over bytes, with pseudo headers, and its incremental update (RFC 1624).
//
// Two types keep the two uses apart. A SUM is an unfolded 64-bit ones'-complement sum of the bytes as the CPU
// loads them; sums add up, and byte order does not matter (RFC 1071 section 2(B)). A DIFF collects changed
// fields, so that rewriting two addresses and two ports costs one fold:
//
//     struct sl_csum_diff diff = {0};
//     sl_csum_diff_32(&diff, old_src, new_src);
//     sl_csum_diff_16(&diff, old_port, new_port);
//     sl_csum_patch_udp(&udp->checksum, diff);
//
// A patched checksum of a corrupted packet stays wrong, so the end host still sees the corruption.
// All values in network byte order. Pure; any thread.
#ifndef SL_WIRE_CHECKSUM_H
#define SL_WIRE_CHECKSUM_H

#include <stddef.h>
#include "base/ip.h"

// Adds `len_bytes` bytes to a sum; an odd length counts as padded with a zero byte (RFC 1071 section 1), so
// only the last piece of a message may be odd.
uint64_t sl_csum_add(uint64_t sum, const void *bytes, size_t len_bytes);
// Sum of a piece that starts at an odd offset of its message: the same bytes weigh in the other half of each
// word.
uint64_t sl_csum_add_odd(uint64_t sum, const void *bytes, size_t len_bytes);
// Copies `len_bytes` bytes, which must not overlap, and returns their sum: one pass where a copy and a checksum would be
// two. An odd length as in sl_csum_add.
uint64_t sl_csum_copy(void *to, const void *from, size_t len_bytes);
// Sums of the pseudo headers: IPv4 (RFC 793 section 3.1), IPv6 (RFC 8200 section 8.1; src, dst of 16 bytes
// each). l4_len in bytes, host byte order: transport header and payload.
uint64_t sl_csum_pseudo_v4(sl_be32 src, sl_be32 dst, uint8_t proto, uint16_t l4_len);
uint64_t sl_csum_pseudo_v6(const void *src, const void *dst, uint8_t proto, uint32_t l4_len);

// The sum's 16 bits, not yet complemented. Adding a number to itself with its halves exchanged leaves in the
// upper half the end-around-carried sum of both: two folds without a loop.
static inline uint16_t sl_csum_fold(uint64_t sum)
{
    uint32_t half = (uint32_t)(((sum << 32 | sum >> 32) + sum) >> 32);

    return (uint16_t)(((half << 16 | half >> 16) + half) >> 16);
}

// What the sum of a piece counts where the piece starts at an odd offset of its message.
static inline uint64_t sl_csum_odd(uint64_t sum)
{
    return __builtin_bswap16(sl_csum_fold(sum));
}

// The checksum field for a sum taken with that field zero. Also the verdict over a message with its field in
// place: 0 where it is right.
static inline sl_be16 sl_csum_finish(uint64_t sum)
{
    return (sl_be16)~sl_csum_fold(sum);
}

// As sl_csum_finish, for UDP: 0 would say "no checksum", so it is sent as its other form, all ones (RFC 768).
static inline sl_be16 sl_csum_finish_udp(uint64_t sum)
{
    sl_be16 checksum = sl_csum_finish(sum);

    return checksum ? checksum : 0xffff;
}

// The header checksum of an IPv4 header of `len_bytes` (20-60), its checksum field counted as it stands: 0 in a
// right header; with the field zero, the value to store. Inline, because parse does it for every packet: where the
// length is known to be 20 no loop is left.
static inline sl_be16 sl_csum_ipv4_header(const void *header, size_t len_bytes)
{
    const uint8_t *at = (const uint8_t *)header;
    uint64_t first, second;
    uint32_t word;

    memcpy(&first, at, sizeof(first));
    memcpy(&second, at + 8, sizeof(second));
    uint64_t sum = (first & 0xffffffff) + (first >> 32) + (second & 0xffffffff) + (second >> 32);
    for (size_t i = 16; i < len_bytes; i += sizeof(word)) {
        memcpy(&word, at + i, sizeof(word));
        sum += word;
    }
    return sl_csum_finish(sum);
}

// ---- incremental ----------------------------------------------------------------------------------------
struct sl_csum_diff {
    uint64_t sum; // of ~old and new of every change: equation 3 of RFC 1624, without its ends
};

// A 16-bit field at an even offset of its message, as nearly all are.
static inline void sl_csum_diff_16(struct sl_csum_diff *diff, sl_be16 before, sl_be16 after)
{
    diff->sum += (uint16_t)~before + (uint64_t)after;
}

// Two 16-bit words at an even offset.
static inline void sl_csum_diff_32(struct sl_csum_diff *diff, sl_be32 before, sl_be32 after)
{
    diff->sum += (uint32_t)~before + (uint64_t)after;
}

// An address of either family, or any 16 bytes, at an even offset. An IPv4 address in mapped form differs
// from another in its last word only, and so weighs as its four bytes do.
static inline void sl_csum_diff_128(struct sl_csum_diff *diff, const void *before, const void *after)
{
    uint32_t old_word[4], new_word[4];

    memcpy(old_word, before, sizeof(old_word));
    memcpy(new_word, after, sizeof(new_word));
    for (unsigned i = 0; i < 4; i++)
        sl_csum_diff_32(diff, old_word[i], new_word[i]);
}

// Adds what `part` collected over fields that stand at odd offsets (such as TCP options behind a one-byte
// NOP), each diffed as if it stood at an even one: their bytes weigh in the other half.
static inline void sl_csum_diff_odd(struct sl_csum_diff *diff, struct sl_csum_diff part)
{
    diff->sum += __builtin_bswap16(sl_csum_fold(part.sum));
}

// Any bytes at any offset of their message, for what is rare; the offset only tells odd from even.
void sl_csum_diff_bytes(struct sl_csum_diff *diff, size_t offset, const void *before, const void *after,
                        size_t len_bytes);

// Puts the collected changes into a checksum field: HC' = ~(~HC + sum) (RFC 1624 section 3).
static inline void sl_csum_patch(sl_be16 *checksum, struct sl_csum_diff diff)
{
    *checksum = sl_csum_finish(diff.sum + (uint16_t) ~*checksum);
}

// As sl_csum_patch, for UDP over IPv4: a sender that sent no checksum (0) is left without one, and a checksum
// never becomes 0 (RFC 768). Over IPv6 a 0 never arrives here: parse refuses it (RFC 8200 section 8.1).
static inline void sl_csum_patch_udp(sl_be16 *checksum, struct sl_csum_diff diff)
{
    if (*checksum != 0)
        *checksum = sl_csum_finish_udp(diff.sum + (uint16_t) ~*checksum);
}

#endif
