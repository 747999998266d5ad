// SPDX-License-Identifier: Apache-2.0
// How a joined pair (splice.h) begins and ends: the numbers between two saved connections, and from what has passed
// the two connections again. Not on the path of packets.
#include <errno.h>
#include "tcp/engine.h"
#include "tcp/splice.h"
#include "wire/checksum.h"

const char *sl_tcp_splice_error_name(enum sl_tcp_splice_error error)
{
    static const char *const names[] = {"joined", "timestamps", "sack", "ecn", "mss", "half-closed", "state"};

    return (unsigned)error < sizeof(names) / sizeof(names[0]) ? names[error] : "?";
}

// ---- may they? --------------------------------------------------------------------------------------------------
static bool unlike(const struct sl_tcp_saved *a, const struct sl_tcp_saved *b, uint16_t flag)
{
    return (a->flags ^ b->flags) & flag;
}

// A segment as large as `from`'s peer was told he may send has to be one that `to`'s peer takes, and the way to him.
// The room that options need is the sender's to leave, and the same on both legs.
static bool too_large(const struct sl_tcp_saved *from, const struct sl_tcp_saved *to)
{
    return from->told_mss > to->peer_mss ||
           from->told_mss + TCP_HEADERS(sl_ip_is_v4(&to->local)) > to->path_mtu;
}

// What has come from one peer must have gone to the other: a FIN as well.
static bool half_passed(const struct sl_tcp_saved *from, const struct sl_tcp_saved *to)
{
    return !!(from->flags & SL_TCP_SAVED_FIN_RECEIVED) != !!(to->flags & SL_TCP_SAVED_FIN_SENT);
}

static bool detached(const struct sl_tcp_saved *leg)
{
    return leg->version == SL_TCP_SAVED_VERSION &&
           (leg->state == SL_TCP_ESTABLISHED || leg->state == SL_TCP_CLOSE_WAIT ||
            leg->state == SL_TCP_FIN_WAIT_1 || leg->state == SL_TCP_FIN_WAIT_2);
}

static enum sl_tcp_splice_error refuse(const struct sl_tcp_saved *a, const struct sl_tcp_saved *b)
{
    if (!detached(a) || !detached(b))
        return SL_TCP_SPLICE_STATE;
    if (half_passed(a, b) || half_passed(b, a))
        return SL_TCP_SPLICE_HALF;
    if (unlike(a, b, SL_TCP_SAVED_TIMESTAMPS))
        return SL_TCP_SPLICE_TIMESTAMPS;
    if (unlike(a, b, SL_TCP_SAVED_SACK))
        return SL_TCP_SPLICE_SACK;
    if (unlike(a, b, SL_TCP_SAVED_ECN))
        return SL_TCP_SPLICE_ECN;
    return too_large(a, b) || too_large(b, a) ? SL_TCP_SPLICE_MSS : SL_TCP_SPLICE_JOINED;
}

// ---- joining ----------------------------------------------------------------------------------------------------
// An IPv4 address in its mapped form weighs as its four bytes do (its prefix is 0xffff, which is nothing), so this
// holds from one family to the other too: length and protocol of the pseudo headers are the same.
static uint16_t csum_of(const struct sl_tcp_saved *from, const struct sl_tcp_saved *to)
{
    struct sl_csum_diff diff = {0};

    sl_csum_diff_128(&diff, &from->remote, &to->local);
    sl_csum_diff_128(&diff, &from->local, &to->remote);
    sl_csum_diff_16(&diff, from->remote_port, to->local_port);
    sl_csum_diff_16(&diff, from->local_port, to->remote_port);
    return sl_csum_fold(diff.sum);
}

static uint8_t way_flags(const struct sl_tcp_saved *from)
{
    bool kept = from->snd_una != from->snd_nxt && !(from->flags & SL_TCP_SAVED_FIN_SENT);

    return (uint8_t)((from->flags & SL_TCP_SAVED_TIMESTAMPS ? SL_TCP_WAY_TIMESTAMPS : 0) |
                     (from->flags & SL_TCP_SAVED_SACK ? SL_TCP_WAY_SACK : 0) |
                     (from->flags & SL_TCP_SAVED_FIN_RECEIVED ? SL_TCP_WAY_FIN : 0) |
                     (kept ? SL_TCP_WAY_FLUSHING : 0));
}

// The peer's clock goes on where ours stands, and its echoes of ours become echoes of the other peer's: so neither
// sees time go back (RFC 7323 section 5.3), and both measure the whole path.
static void way_begin(struct sl_tcp_way *way, const struct sl_tcp_saved *from, const struct sl_tcp_saved *to)
{
    *way = (struct sl_tcp_way){
        .seq = to->snd_nxt - from->rcv_nxt,
        .ack = to->rcv_nxt - from->snd_nxt,
        .tsval = to->tsval - from->ts_recent,
        .tsecr = to->ts_recent - from->tsval,
        .sport = to->local_port,
        .dport = to->remote_port,
        .csum = csum_of(from, to),
        .shift_in = from->snd_wscale,
        .shift_out = to->rcv_wscale,
        .max = from->rcv_nxt,
        .acked = from->snd_una,
        .edge = from->snd_una + from->snd_wnd,
        .told_ack = from->rcv_nxt,
        .told_edge = tcp_seq_max(from->rcv_edge, from->rcv_nxt),
        .flush = from->snd_nxt,
        .ts_recent = from->ts_recent,
        .ts_max = from->ts_recent,
        .flags = way_flags(from),
    };
}

enum sl_tcp_splice_error sl_tcp_splice_join(struct sl_tcp_splice *splice, const struct sl_tcp_saved *leg0,
                                            const struct sl_tcp_saved *leg1)
{
    enum sl_tcp_splice_error error = refuse(leg0, leg1);

    if (error)
        return error;
    way_begin(&splice->way[0], leg0, leg1);
    way_begin(&splice->way[1], leg1, leg0);
    return SL_TCP_SPLICE_JOINED;
}

uint32_t sl_tcp_splice_excess(const struct sl_tcp_saved *from, const struct sl_tcp_saved *to)
{
    uint32_t may = from->rcv_edge - from->rcv_nxt, takes = to->snd_una + to->snd_wnd - to->snd_nxt;

    if ((int32_t)takes <= 0) // what is on its way fills it, or more
        return may;
    return may > takes ? may - takes : 0;
}

void sl_tcp_splice_fence(struct sl_tcp_splice *splice, unsigned from, uint32_t bytes)
{
    const struct sl_tcp_way *back = &splice->way[!from];

    splice->way[from].fence = back->max + back->seq + bytes;
    splice->way[from].flags |= SL_TCP_WAY_FENCE;
}

// ---- what has become of them ------------------------------------------------------------------------------------
// How far the peer of leg `from` is acknowledged, by the other, in its own numbers.
static uint32_t acknowledged(const struct sl_tcp_splice *splice, unsigned from)
{
    const struct sl_tcp_way *back = &splice->way[!from];

    return back->acked + back->ack;
}

static bool fin_passed(const struct sl_tcp_splice *splice, unsigned from)
{
    return splice->way[from].flags & SL_TCP_WAY_FIN;
}

static bool fin_acked(const struct sl_tcp_splice *splice, unsigned from)
{
    return fin_passed(splice, from) && acknowledged(splice, from) == splice->way[from].max;
}

static bool reset(const struct sl_tcp_splice *splice)
{
    return (splice->way[0].flags | splice->way[1].flags) & SL_TCP_WAY_RESET;
}

enum sl_tcp_splice_phase sl_tcp_splice_phase(const struct sl_tcp_splice *splice)
{
    bool both = fin_passed(splice, 0) && fin_passed(splice, 1);

    if (fin_acked(splice, 0) && fin_acked(splice, 1)) // a reset of who has forgotten it says no more
        return SL_TCP_SPLICE_CLOSED;
    if (reset(splice))
        return SL_TCP_SPLICE_RESET;
    if (both)
        return SL_TCP_SPLICE_CLOSING;
    return fin_acked(splice, 0) || fin_acked(splice, 1) ? SL_TCP_SPLICE_HALF_CLOSED : SL_TCP_SPLICE_OPEN;
}

bool sl_tcp_splice_quoted(const struct sl_tcp_splice *splice, unsigned leg, uint32_t *seq)
{
    const struct sl_tcp_way *way = &splice->way[leg], *back = &splice->way[!leg];
    uint32_t from = way->flags & SL_TCP_WAY_FLUSHING ? way->flush : way->acked;

    if (*seq - from >= back->max + back->seq - from)
        return false;
    *seq -= back->seq;
    return true;
}

// ---- parting ----------------------------------------------------------------------------------------------------
// All of it, or all but a FIN: which takes no memory to repeat.
static bool settled(const struct sl_tcp_splice *splice, unsigned from)
{
    uint32_t rest = splice->way[from].max - acknowledged(splice, from);

    return !(splice->way[from].flags & SL_TCP_WAY_FLUSHING) &&
           (rest == 0 || (rest == 1 && fin_passed(splice, from)));
}

static uint8_t state_of(const struct sl_tcp_splice *splice, unsigned leg)
{
    if (fin_passed(splice, !leg))
        return fin_acked(splice, !leg) ? SL_TCP_FIN_WAIT_2 : SL_TCP_FIN_WAIT_1;
    return fin_passed(splice, leg) ? SL_TCP_CLOSE_WAIT : SL_TCP_ESTABLISHED;
}

static void leg_flags(const struct sl_tcp_splice *splice, unsigned leg, struct sl_tcp_saved *saved)
{
    saved->flags &= (uint16_t) ~(SL_TCP_SAVED_FIN_RECEIVED | SL_TCP_SAVED_FIN_SENT | SL_TCP_SAVED_URGENT);
    saved->flags |= (uint16_t)((fin_passed(splice, leg) ? SL_TCP_SAVED_FIN_RECEIVED : 0) |
                               (fin_passed(splice, !leg) ? SL_TCP_SAVED_FIN_SENT : 0));
    saved->state = state_of(splice, leg);
}

static void leg_timestamps(const struct sl_tcp_way *way, const struct sl_tcp_way *back,
                           struct sl_tcp_saved *saved, uint64_t now_us)
{
    if (!(way->flags & SL_TCP_WAY_TIMESTAMPS))
        return;
    if (saved->ts_recent != way->ts_recent)
        saved->ts_recent_us = now_us;
    saved->ts_recent = way->ts_recent;
    saved->tsval = back->ts_max + back->tsval;
}

void sl_tcp_splice_leg(const struct sl_tcp_splice *splice, unsigned leg, struct sl_tcp_saved *saved,
                       uint64_t now_us)
{
    const struct sl_tcp_way *way = &splice->way[leg], *back = &splice->way[!leg];

    if (way->told_ack != saved->rcv_nxt) // else what was owed at the join is owed still
        saved->rcv_wup = way->told_ack;
    saved->rcv_nxt = tcp_seq_max(way->told_ack, acknowledged(splice, leg));
    saved->rcv_edge = tcp_seq_max(way->told_edge, saved->rcv_nxt);
    saved->snd_una = way->acked;
    saved->snd_nxt = back->max + back->seq;
    saved->snd_wnd = way->edge - way->acked;
    saved->snd_wl1 = way->told_ack; // whatever comes next is newer
    saved->snd_wl2 = way->acked;
    saved->max_window = tcp_max_u32(saved->max_window, saved->snd_wnd);
    leg_timestamps(way, back, saved, now_us);
    leg_flags(splice, leg, saved);
    saved->saved_us = now_us;
}

int sl_tcp_splice_part(const struct sl_tcp_splice *splice, struct sl_tcp_saved *leg0,
                       struct sl_tcp_saved *leg1, uint64_t now_us)
{
    struct sl_tcp_saved *legs[2] = {leg0, leg1};

    enum sl_tcp_splice_phase phase = sl_tcp_splice_phase(splice);

    if (phase == SL_TCP_SPLICE_RESET)
        return -ECONNRESET;
    if (phase == SL_TCP_SPLICE_CLOSED || phase == SL_TCP_SPLICE_CLOSING)
        return -ESHUTDOWN;
    if (!settled(splice, 0) || !settled(splice, 1))
        return -EBUSY;
    for (unsigned i = 0; i < 2; i++) {
        sl_tcp_splice_leg(splice, i, legs[i], now_us);
        legs[i]->rcv_nxt = splice->way[i].max; // a FIN on its way is ours to repeat, so it has arrived
        legs[i]->rcv_edge = tcp_seq_max(legs[i]->rcv_edge, legs[i]->rcv_nxt);
    }
    return 0;
}
