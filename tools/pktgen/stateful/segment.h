// SPDX-License-Identifier: Apache-2.0
// TCP segments in Ethernet frames: read and checked, and written from a template whose sums are known, so that a header
// costs a few additions. Pure; the engine's thread.
#ifndef STATEFUL_SEGMENT_H
#define STATEFUL_SEGMENT_H

#include "connection.h"
#include "tuple.h"

#define SEGMENT_SYN_OPTIONS 4 // maximum segment size

struct segment { // as read
    struct connection_key key;
    uint32_t seq, ack;
    uint16_t window;
    uint16_t mss; // of a SYN, 0: none said
    uint8_t flags;
    const uint8_t *payload;
    uint32_t payload_len;
    const uint8_t *src_mac;
};

enum segment_verdict { SEGMENT_OK, SEGMENT_FOREIGN, SEGMENT_BAD_CHECKSUM };

// `own`: any address of ours; segments of the other family or, of IPv6, for other first 96 bits are foreign.
enum segment_verdict segment_read(struct segment *segment, const uint8_t *frame, uint32_t len_bytes,
                                  const struct sl_ip *own);

struct segment_template {
    uint8_t bytes[74];
    uint8_t ip_bytes; // 20 or 40
    uint16_t ip_sum;  // IPv4 header without lengths, identification, addresses
    uint64_t l4_sum;  // pseudo header and TCP header: what never changes
};

// `own` is any address of ours: its last 32 bits are filled in later.
void segment_template_init(struct segment_template *template, const uint8_t mac[6], const struct sl_ip *own);

struct segment_out {
    const struct connection_key *key;
    const uint8_t *dst_mac;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window;
    uint16_t mss; // told, where this is a SYN
    uint32_t payload_len;
};

static inline uint32_t segment_headers(const struct segment_template *template)
{
    return 14u + template->ip_bytes + 20u;
}

// Where the payload goes, to be written before segment_write(). Not of a SYN.
static inline uint8_t *segment_payload(const struct segment_template *template, uint8_t *frame)
{
    return frame + segment_headers(template);
}

// Writes the headers; the length of the frame.
uint32_t segment_write(const struct segment_template *template, const struct segment_out *out,
                       uint8_t *frame);

#endif
