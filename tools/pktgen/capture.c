// SPDX-License-Identifier: Apache-2.0
// A pcap file's records, through a reader that believes no length it has not checked. Called by replay.c.
//
//     file header, 24 bytes:  magic, version, -, -, snaplen, link type
//     each record, 16 bytes:  seconds, fraction, captured length, length on the wire; then the bytes
#include "capture.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "plan.h"

#define MAGIC_US      0xa1b2c3d4u
#define MAGIC_NS      0xa1b23c4du
#define MAGIC_NG      0x0a0d0d0au
#define HEADER_BYTES  24
#define RECORD_BYTES  16
#define LINK_ETHERNET 1
#define FRAME_LEAST   14

struct reader {
    const uint8_t *bytes;
    size_t len_bytes;
    bool swapped, nanoseconds;
};

static uint32_t word_at(const struct reader *reader, size_t at)
{
    uint32_t word;
    memcpy(&word, reader->bytes + at, sizeof(word));
    return reader->swapped ? __builtin_bswap32(word) : word;
}

static int header_read(const char *name, struct reader *reader, struct sl_error *error)
{
    if (reader->len_bytes < HEADER_BYTES)
        return sl_error_set(error, -EINVAL, "%s: too short for a capture file", name);
    uint32_t magic = word_at(reader, 0);
    reader->swapped = magic == __builtin_bswap32(MAGIC_US) || magic == __builtin_bswap32(MAGIC_NS);
    magic = word_at(reader, 0);
    reader->nanoseconds = magic == MAGIC_NS;
    if (magic == MAGIC_NG)
        return sl_error_set(error, -EINVAL, "%s: pcapng; make it pcap with 'editcap -F pcap %s out.pcap'",
                            name, name);
    if (magic != MAGIC_US && magic != MAGIC_NS)
        return sl_error_set(error, -EINVAL, "%s: not a pcap file", name);
    if ((word_at(reader, 20) & 0xffff) != LINK_ETHERNET)
        return sl_error_set(error, -EINVAL, "%s: link type %u; only Ethernet can be sent", name,
                            word_at(reader, 20));
    return 0;
}

static uint64_t record_time(const struct reader *reader, size_t at)
{
    return word_at(reader, at) * 1000000000ULL +
           word_at(reader, at + 4) * (reader->nanoseconds ? 1ULL : 1000ULL);
}

// Walks the records; stores them where `capture->frame` has room for them. Returns how many can be sent.
static size_t records_walk(const struct reader *reader, struct capture *capture)
{
    size_t count = 0, at = HEADER_BYTES;
    uint64_t first = 0;
    capture->cut = 0;
    while (reader->len_bytes - at >= RECORD_BYTES) {
        uint32_t have = word_at(reader, at + 8), whole = word_at(reader, at + 12);
        uint64_t time = record_time(reader, at);
        at += RECORD_BYTES;
        if (have > reader->len_bytes - at) { // the file ends inside this frame
            capture->cut++;
            break;
        }
        if (have != whole || have < FRAME_LEAST || have > FRAME_MAX - FRAME_FCS) {
            capture->cut++;
        } else {
            first = count == 0 ? time : first;
            if (capture->frame)
                capture->frame[count] =
                    (struct capture_frame){time > first ? time - first : 0, (uint32_t)at, have};
            count++;
        }
        at += have;
    }
    return count;
}

int capture_parse(const char *name, uint8_t *bytes, size_t len_bytes, struct capture *capture,
                  struct sl_error *error)
{
    struct reader reader = {bytes, len_bytes, false, false};
    *capture = (struct capture){.bytes = bytes, .len_bytes = len_bytes};
    if (len_bytes > UINT32_MAX)
        return sl_error_set(error, -EFBIG, "%s: more than 4 GB", name);
    int rc = header_read(name, &reader, error);
    if (rc != 0)
        return rc;
    capture->frames = records_walk(&reader, capture);
    if (capture->frames == 0)
        return sl_error_set(error, -EINVAL, "%s: holds no frame that can be sent whole", name);
    capture->frame = calloc(capture->frames, sizeof(*capture->frame));
    if (!capture->frame)
        return sl_error_set(error, -ENOMEM, "out of memory for %zu frames", capture->frames);
    records_walk(&reader, capture);
    return 0;
}

int capture_load(const char *path, struct capture *capture, struct sl_error *error)
{
    struct stat status;
    *capture = (struct capture){0};
    FILE *file = fopen(path, "re");
    if (!file || fstat(fileno(file), &status) != 0) {
        int rc = sl_error_set(error, -errno, "%s: %s; look at the path", path, strerror(errno));
        if (file)
            fclose(file);
        return rc;
    }
    size_t size = S_ISREG(status.st_mode) ? (size_t)status.st_size : 0;
    uint8_t *bytes = malloc(size ? size : 1);
    size_t got = bytes ? fread(bytes, 1, size, file) : 0;
    fclose(file);
    if (!bytes)
        return sl_error_set(error, -ENOMEM, "%s: out of memory", path);
    return capture_parse(path, bytes, got, capture, error);
}

void capture_fini(struct capture *capture)
{
    free(capture->bytes);
    free(capture->frame);
    *capture = (struct capture){0};
}
