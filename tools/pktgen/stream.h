// SPDX-License-Identifier: Apache-2.0
// A stream as one worker sends it: frames built beforehand, one to a size, of which a packet is a copy with the flow,
// the signature and the checksums patched in. The sums of everything that does not change are in the template, so a
// checksum costs a few additions and no pass over the bytes.
#ifndef PKTGEN_STREAM_H
#define PKTGEN_STREAM_H

#include <rte_mbuf.h>
#include "base/error.h"
#include "pace.h"
#include "plan.h"

#define STREAM_BURST 64 // frames built at once

struct template_part {  // a frame: a whole packet, or a fragment of one
    uint16_t at;        // in template->bytes
    uint16_t len_bytes; // without FCS
    uint16_t signature; // offset in the frame
    uint16_t ip_id;     // offset of the identification of a fragment, 0: none
    uint32_t ip_sum;    // IPv4 header, addresses, identification and checksum counted as zero
};

struct template
{
    uint8_t *bytes;
    struct template_part part[PLAN_FRAGMENTS];
    uint64_t l4_sum; // pseudo header and message; addresses, ports, signatures and checksum counted as zero
};

struct stream { // one worker's
    // what to send; constant while a trial runs
    struct template *template;
    uint16_t templates;
    uint16_t parts;
    uint16_t pick[PLAN_SIZES]; // template of the n-th packet
    uint16_t picks;
    bool random_sizes, random_flows;
    uint16_t magic, wire_id; // see signature.h
    uint16_t device, queue;
    uint16_t src_at, dst_at; // offsets in the frame of the last 32 bits of the addresses
    uint16_t sport_at;       // ports, or the identifier of an ICMP query; 0: none
    uint16_t dport_at;
    uint16_t ip_csum_at, l4_csum_at;   // 0: none
    uint16_t ip_csum_xor, l4_csum_xor; // not 0: a wrong checksum is wanted
    uint32_t l4_address_mask;          // all ones where the pseudo header counts
    bool udp;
    struct flow_space flows;
    uint32_t flow_step; // workers that share a stream take turns at the flows
    uint64_t limit;     // frames to send in all; a datagram's pieces stay together
    // where it stands
    struct pace pace;
    uint64_t full_until; // tick: the port was full; not tried again before
    uint64_t sequence;
    uint32_t flow_next;
    uint16_t pick_next;
    uint64_t random;
    // w: worker  r: main thread
    uint64_t sent, sent_bytes; // frames the port took; bytes with FCS
    uint64_t refused;          // frames the port did not take; they are not part of the sequence
} __attribute__((aligned(64)));

// The smallest frame that holds the headers, the signature and the FCS.
uint16_t stream_size_least(const struct stream_plan *plan);
// Frames and offsets from the plan. 0, or -EINVAL with a sentence where a size cannot hold what it must, -ENOMEM.
int stream_init(struct stream *stream, const struct stream_plan *plan, struct sl_error *error);
void stream_fini(struct stream *stream);
// Fills `packets` packets (parts frames each, in order) into `frame`, mbufs of a pool. `tsc` is their time stamp.
void stream_build(struct stream *stream, struct rte_mbuf **frame, uint32_t packets, uint64_t tsc);
// Takes back the last `frames` frames that were built, which the port refused.
void stream_rewind(struct stream *stream, uint32_t frames);
// Sends what is due at `tsc`. Worker thread.
void stream_send(struct stream *stream, struct rte_mempool *pool, uint64_t tsc);

#endif
