// SPDX-License-Identifier: Apache-2.0
// Reading capture files: the classic pcap format, either byte order, microseconds or nanoseconds, link type Ethernet.
// The whole file is in memory, so replay never waits for a disk. Pure but for capture_load(). Main thread.
#ifndef PKTGEN_CAPTURE_H
#define PKTGEN_CAPTURE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct capture_frame {
    uint64_t time_ns; // since the first frame
    uint32_t at;      // in capture->bytes
    uint32_t len_bytes;
};

struct capture {
    uint8_t *bytes;
    size_t len_bytes;
    struct capture_frame *frame;
    size_t frames;
    size_t cut; // frames that were captured short, or are too long to send: left out
};

// 0, or -errno with a sentence. capture_fini() frees it.
int capture_load(const char *path, struct capture *capture, struct sl_error *error);
// The same from memory, which then belongs to `capture` (allocated by malloc), whatever comes back.
int capture_parse(const char *name, uint8_t *bytes, size_t len_bytes, struct capture *capture,
                  struct sl_error *error);
void capture_fini(struct capture *capture);

#endif
