// SPDX-License-Identifier: Apache-2.0
// The path of packets between two joined connections (splice.h): watch, translate, mend the checksum. Each field is
// read, changed and accounted for on its own (RFC 1624): sums of constants would be off by one whenever a number
// wraps.
#include "tcp/engine.h"
#include "tcp/splice.h"
#include "wire/checksum.h"

#define KIND_NOP        1
#define KIND_SACK       5
#define KIND_TIMESTAMPS 8
#define ALONE           0x0101080au // NOP NOP timestamps: what nearly all segments have

struct segment { // as it came, in its leg's numbers
    uint32_t seq, end, ack;
    uint32_t window; // bytes
    uint32_t tsval;
    uint8_t flags;
    bool timestamps;
    bool has_data;
    bool clamped; // acknowledges less than was acknowledged in its name already
};

// ---- options ----------------------------------------------------------------------------------------------------
static uint32_t load32(const uint8_t *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static bool plain(const uint8_t *options, size_t len)
{
    return len == 12 && load32(options) == sl_be32_of(ALONE);
}

// The next option of a kind from *at on, its length checked; NULL: none, or one whose length lies before it.
static uint8_t *option_next(uint8_t **at, const uint8_t *end)
{
    while (*at < end && **at == KIND_NOP)
        ++*at;
    if (end - *at < 2 || **at == 0 || (*at)[1] < 2 || (*at)[1] > end - *at)
        return NULL;
    uint8_t *option = *at;
    *at += option[1];
    return option;
}

static bool is_timestamps(const uint8_t *option)
{
    return option[0] == KIND_TIMESTAMPS && option[1] == 10;
}

static bool is_sack(const uint8_t *option)
{
    return option[0] == KIND_SACK && option[1] > 2 && option[1] % 8 == 2;
}

// The last one counts where there are two, as in options.c.
static void find_timestamps(struct segment *segment, uint8_t *options, size_t len)
{
    const uint8_t *end = options + len;
    uint8_t *option;

    if (plain(options, len)) {
        segment->timestamps = true;
        segment->tsval = sl_host32(load32(options + 4));
        return;
    }
    while ((option = option_next(&options, end)) != NULL)
        if (is_timestamps(option)) {
            segment->timestamps = true;
            segment->tsval = sl_host32(load32(option + 2));
        }
}

// A number at any address; at an odd offset of the message its bytes weigh in the other half of each word.
static void shift32(uint8_t *at, size_t offset, uint32_t by, struct sl_csum_diff *even,
                    struct sl_csum_diff *odd)
{
    uint32_t before = load32(at), after = sl_be32_of(sl_host32(before) + by);

    memcpy(at, &after, sizeof(after));
    sl_csum_diff_32(offset & 1 ? odd : even, before, after);
}

// An echo of 0 is none (RFC 7323 section 3.2).
static void shift_timestamps(const struct sl_tcp_way *way, uint8_t *value, size_t offset,
                             struct sl_csum_diff *even, struct sl_csum_diff *odd)
{
    shift32(value, offset, way->tsval, even, odd);
    if (load32(value + 4))
        shift32(value + 4, offset + 4, way->tsecr, even, odd);
}

// Blocks of what a residue sent are none of the other peer's: it is not told of any until the residue is done.
static void blank(uint8_t *option, size_t offset, struct sl_csum_diff *diff)
{
    uint8_t nops[TCP_OPTIONS_MAX];

    memset(nops, KIND_NOP, sizeof(nops));
    sl_csum_diff_bytes(diff, offset, option, nops, option[1]);
    memcpy(option, nops, option[1]);
}

static void shift_sacks(const struct sl_tcp_way *way, uint8_t *option, size_t offset, bool clamped,
                        struct sl_csum_diff *even, struct sl_csum_diff *odd)
{
    if (clamped) {
        blank(option, offset, even);
        return;
    }
    for (unsigned i = 2; i < option[1]; i += 4)
        shift32(option + i, offset + i, way->ack, even, odd);
}

static void options_translate(const struct sl_tcp_way *way, uint8_t *options, size_t len,
                              const struct segment *segment, struct sl_csum_diff *diff)
{
    const uint8_t *start = options, *end = options + len;
    struct sl_csum_diff odd = {0};
    uint8_t *option;

    if (plain(options, len)) {
        if (way->flags & SL_TCP_WAY_TIMESTAMPS)
            shift_timestamps(way, options + 4, 0, diff, &odd);
        return;
    }
    while ((option = option_next(&options, end)) != NULL) {
        size_t offset = (size_t)(option - start);

        if (is_timestamps(option) && way->flags & SL_TCP_WAY_TIMESTAMPS)
            shift_timestamps(way, option + 2, offset, diff, &odd);
        else if (is_sack(option) && way->flags & SL_TCP_WAY_SACK && !(segment->flags & SL_TCP_SYN))
            shift_sacks(way, option, offset, segment->clamped, diff, &odd);
    }
    sl_csum_diff_odd(diff, odd);
}

// ---- watching ---------------------------------------------------------------------------------------------------
// Between what it was told; an older one that reaches so far too, as hosts have it (RFC 9293 section 3.10.7.4).
static bool in_window(const struct sl_tcp_way *way, const struct segment *segment)
{
    return tcp_seq_ge(segment->end, way->told_ack) && tcp_seq_le(segment->seq, way->told_edge);
}

// RFC 5961 section 3.2: the very number ends it, another of the window is asked back by the host.
static enum sl_tcp_splice_verdict watch_reset(struct sl_tcp_way *way, const struct segment *segment)
{
    if (!in_window(way, segment))
        return SL_TCP_SPLICE_DROP;
    if (segment->seq != way->told_ack && segment->seq != way->max)
        return SL_TCP_SPLICE_STRAY;
    way->flags |= SL_TCP_WAY_RESET;
    return SL_TCP_SPLICE_PASS;
}

static bool old_timestamp(const struct sl_tcp_way *way, const struct segment *segment)
{
    return way->flags & SL_TCP_WAY_TIMESTAMPS && segment->timestamps &&
           tcp_seq_lt(segment->tsval, way->ts_recent);
}

static void watch_ack(struct sl_tcp_way *way, const struct segment *segment)
{
    way->acked = tcp_seq_max(way->acked, segment->ack);
    way->edge = tcp_seq_max(way->edge, segment->ack + segment->window);
    if (way->flags & SL_TCP_WAY_FLUSHING && tcp_seq_ge(way->acked, way->flush))
        way->flags &= (uint8_t)~SL_TCP_WAY_FLUSHING;
}

// Where the join is in what this peer sends.
static uint32_t joined_at(const struct sl_tcp_way *way, const struct sl_tcp_way *back)
{
    return back->flush - way->seq;
}

// Numbers wrap: the join goes out of sight as a bound that follows.
static void keep_in_sight(const struct sl_tcp_way *way, struct sl_tcp_way *back)
{
    if (way->max - joined_at(way, back) > TCP_WINDOW_MAX && !(back->flags & SL_TCP_WAY_FLUSHING))
        back->flush += TCP_WINDOW_MAX / 2;
}

static void watch_data(struct sl_tcp_way *way, struct sl_tcp_way *back, const struct segment *segment)
{
    if (way->flags & SL_TCP_WAY_TIMESTAMPS && segment->timestamps) {
        if (tcp_seq_le(segment->seq, way->told_ack))
            way->ts_recent = segment->tsval;
        way->ts_max = tcp_seq_max(way->ts_max, segment->tsval);
    }
    if (tcp_seq_le(segment->end, way->max) || way->flags & SL_TCP_WAY_FIN) // nothing follows a FIN
        return;
    way->max = segment->end;
    keep_in_sight(way, back);
    if (segment->flags & SL_TCP_FIN)
        way->flags |= SL_TCP_WAY_FIN;
}

static enum sl_tcp_splice_verdict watch(struct sl_tcp_way *way, struct sl_tcp_way *back,
                                        struct segment *segment)
{
    if (segment->flags & SL_TCP_SYN) // the host asks back, whatever its number (RFC 5961 section 4.2)
        return SL_TCP_SPLICE_STRAY;
    if (segment->flags & SL_TCP_RST)
        return watch_reset(way, segment);
    if (tcp_seq_lt(segment->seq, joined_at(way, back)) && segment->has_data)
        return SL_TCP_SPLICE_OLD;
    if (!in_window(way, segment) || old_timestamp(way, segment) || !(segment->flags & SL_TCP_ACK) ||
        tcp_seq_gt(segment->ack, back->max + back->seq)) // of what the other has not sent
        return SL_TCP_SPLICE_STRAY;
    watch_ack(way, segment);
    if (way->flags & SL_TCP_WAY_FENCE && tcp_seq_ge(segment->ack, way->fence)) {
        way->flags &= (uint8_t)~SL_TCP_WAY_FENCE;
        return SL_TCP_SPLICE_FENCE;
    }
    watch_data(way, back, segment);
    return SL_TCP_SPLICE_PASS;
}

// Windows that shrink put the numbers of acknowledgements out of place. Who was told a wider window than the other
// has, by us before the join or by what scaling rounds up, may have sent beyond it; once he knows, he acknowledges
// from the edge that he knows (RFC 9293 section 3.8.6 leaves him no better), which the other, who took some of it
// after all, is past. Where both are so neither looks at what the other says, and both would wait for ever. An
// acknowledgement alone may stand anywhere: an old one that brings no old news is moved to where the other looks. One
// right before, of who has nothing in flight, is a probe (section 3.8.4) and means to be out of place.
#define OLD_MOST (1u << 20) // bytes: how far out of place

static void straighten(const struct sl_tcp_way *way, const struct sl_tcp_way *back, struct segment *segment)
{
    uint32_t old = way->told_ack - segment->seq;
    bool probe = old == 1 && way->max == way->told_ack;

    if (segment->end != segment->seq || segment->flags & (SL_TCP_RST | SL_TCP_SYN) || probe ||
        old > OLD_MOST || tcp_seq_lt(segment->ack + way->ack, back->told_ack))
        return;
    segment->seq = segment->end = way->told_ack;
}

// ---- acknowledgement and window -----------------------------------------------------------------------------------
// What was acknowledged to the other peer is never taken back: while the residue's bytes are on their way a lesser
// number stands for all that is before them, and the window is what is left behind it.
static uint32_t ack_translate(const struct sl_tcp_way *way, struct segment *segment)
{
    uint32_t ack = segment->ack, edge = ack + segment->window;

    segment->clamped = way->flags & SL_TCP_WAY_FLUSHING && tcp_seq_lt(ack, way->flush);
    if (segment->clamped) {
        ack = way->flush;
        segment->window = tcp_seq_gt(edge, ack) ? edge - ack : 0;
    }
    return ack + way->ack;
}

static uint16_t window_translate(const struct sl_tcp_way *way, uint32_t bytes)
{
    uint32_t scaled = bytes >> way->shift_out;

    return scaled == 0 ? bytes != 0 : (uint16_t)tcp_min_u32(scaled, UINT16_MAX);
}

// The same for one that stands beyond the other's window.
static uint32_t seq_translate(const struct sl_tcp_way *way, const struct sl_tcp_way *back,
                              const struct segment *segment)
{
    uint32_t seq = segment->seq + way->seq;

    if (__builtin_expect(tcp_seq_gt(seq, back->edge), 0) && segment->end == segment->seq)
        return back->acked;
    return seq;
}

// What the peer of the other leg is told by it.
static void tell(struct sl_tcp_way *back, uint32_t ack, uint32_t window)
{
    back->told_ack = tcp_seq_max(back->told_ack, ack);
    back->told_edge = tcp_seq_max(back->told_edge, ack + window);
}

// ---- all of it --------------------------------------------------------------------------------------------------
static void translate(struct sl_tcp_splice *splice, unsigned from, struct sl_tcp *tcp, size_t options_len,
                      struct segment *segment, bool believed)
{
    const struct sl_tcp_way *way = &splice->way[from];
    struct sl_csum_diff diff = {way->csum};
    uint32_t seq = believed ? seq_translate(way, &splice->way[!from], segment) : segment->seq + way->seq;
    uint32_t ack = tcp->flags & SL_TCP_ACK ? ack_translate(way, segment) : segment->ack;
    uint16_t window =
        tcp->flags & SL_TCP_SYN ? sl_host16(tcp->window) : window_translate(way, segment->window);
    sl_be16 wire_window = sl_be16_of(window);

    if (believed)
        tell(&splice->way[!from], ack, (uint32_t)window << way->shift_out);
    tcp->sport = way->sport;
    tcp->dport = way->dport;
    sl_csum_diff_32(&diff, tcp->seq, sl_be32_of(seq));
    sl_csum_diff_32(&diff, tcp->ack, sl_be32_of(ack));
    sl_csum_diff_16(&diff, tcp->window, wire_window);
    tcp->seq = sl_be32_of(seq);
    tcp->ack = sl_be32_of(ack);
    tcp->window = wire_window;
    if (options_len)
        options_translate(way, (uint8_t *)(tcp + 1), options_len, segment, &diff);
    sl_csum_patch(&tcp->checksum, diff);
}

enum sl_tcp_splice_verdict sl_tcp_splice(struct sl_tcp_splice *splice, unsigned from, struct sl_tcp *tcp,
                                         size_t header_bytes, size_t payload_bytes)
{
    struct sl_tcp_way *way = &splice->way[from];
    size_t options_len = header_bytes - sizeof(*tcp);
    struct segment segment = {.seq = sl_host32(tcp->seq),
                              .ack = sl_host32(tcp->ack),
                              .flags = tcp->flags,
                              .has_data = payload_bytes != 0};
    enum sl_tcp_splice_verdict verdict;

    segment.end = segment.seq + (uint32_t)payload_bytes + (segment.flags & SL_TCP_FIN ? 1 : 0);
    segment.window = (uint32_t)sl_host16(tcp->window) << way->shift_in;
    if (options_len && way->flags & SL_TCP_WAY_TIMESTAMPS)
        find_timestamps(&segment, (uint8_t *)(tcp + 1), options_len);
    if (__builtin_expect(tcp_seq_lt(segment.seq, way->told_ack), 0))
        straighten(way, &splice->way[!from], &segment);
    verdict = watch(way, &splice->way[!from], &segment);
    if (verdict <= SL_TCP_SPLICE_STRAY)
        translate(splice, from, tcp, options_len, &segment,
                  verdict == SL_TCP_SPLICE_PASS && !(segment.flags & SL_TCP_RST));
    return verdict;
}

void sl_tcp_splice_answer(const struct sl_tcp_splice *splice, unsigned to, const struct sl_tcp_saved *saved,
                          struct sl_tcp_out *out)
{
    const struct sl_tcp_way *way = &splice->way[to], *back = &splice->way[!to];
    struct tcp_options options = {.present = way->flags & SL_TCP_WAY_TIMESTAMPS ? TCP_OPTION_TIMESTAMPS : 0,
                                  .tsval = back->ts_max + back->tsval,
                                  .tsecr = way->ts_recent};

    *out = (struct sl_tcp_out){
        .src = saved->local,
        .dst = saved->remote,
        .sport = saved->local_port,
        .dport = saved->remote_port,
        .seq = way->acked,
        .ack = way->told_ack,
        .flags = SL_TCP_ACK,
        .hop_limit = 64,
        .window = (uint16_t)tcp_min_u32((way->told_edge - way->told_ack) >> back->shift_out, UINT16_MAX)};
    out->options_len = (uint8_t)tcp_options_write(out->options, &options);
}

void sl_tcp_splice_reset(const struct sl_tcp_splice *splice, unsigned to, const struct sl_tcp_saved *saved,
                         struct sl_tcp_out *out)
{
    sl_tcp_splice_answer(splice, to, saved, out);
    out->flags = SL_TCP_RST | SL_TCP_ACK;
    out->window = 0;
    out->options_len = 0;
}
