// SPDX-License-Identifier: Apache-2.0
// TCP_INFO: what the engine knows, in the units of Linux's struct tcp_info (segments, microseconds).
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include "door.h"

enum { LINUX_ESTABLISHED = 1, LINUX_CLOSE = 7, LINUX_LISTEN = 10 };
enum { LINUX_CA_OPEN, LINUX_CA_DISORDER, LINUX_CA_CWR, LINUX_CA_RECOVERY, LINUX_CA_LOSS };

static uint8_t state_of(enum sl_tcp_state state)
{
    static const uint8_t states[] = {
        [SL_TCP_CLOSED] = LINUX_CLOSE, [SL_TCP_LISTEN] = LINUX_LISTEN, [SL_TCP_SYN_SENT] = 2,
        [SL_TCP_SYN_RECEIVED] = 3,     [SL_TCP_ESTABLISHED] = 1,       [SL_TCP_FIN_WAIT_1] = 4,
        [SL_TCP_FIN_WAIT_2] = 5,       [SL_TCP_CLOSE_WAIT] = 8,        [SL_TCP_CLOSING] = 11,
        [SL_TCP_LAST_ACK] = 9,         [SL_TCP_TIME_WAIT] = 6,
    };

    return states[state];
}

// The engine's enum tcp_recovery: open, CWR, recovery, loss. Linux says "disorder" for open with something SACKed.
static uint8_t ca_state(const struct sl_tcp_info *in)
{
    static const uint8_t states[] = {LINUX_CA_OPEN, LINUX_CA_CWR, LINUX_CA_RECOVERY, LINUX_CA_LOSS};

    return in->recovery == 0 && in->sacked_segments ? LINUX_CA_DISORDER : states[in->recovery & 3];
}

static uint32_t segments(uint32_t bytes, uint16_t mss)
{
    return mss ? bytes / mss : 0;
}

static void negotiated(const struct sl_tcp_info *in, uint32_t mss_clamp, struct tcp_info *out)
{
    out->tcpi_options =
        (uint8_t)((in->timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (in->sack ? TCPI_OPT_SACK : 0) |
                  (in->ecn ? TCPI_OPT_ECN : 0) | (in->snd_wscale || in->rcv_wscale ? TCPI_OPT_WSCALE : 0) |
                  (in->fast_open ? TCPI_OPT_SYN_DATA : 0));
    out->tcpi_snd_wscale = in->snd_wscale & 15;
    out->tcpi_rcv_wscale = in->rcv_wscale & 15;
    out->tcpi_snd_mss = in->snd_mss;
    out->tcpi_rcv_mss = in->rcv_mss;
    out->tcpi_pmtu = in->mtu;
    out->tcpi_advmss = (uint32_t)in->mtu - (sl_ip_is_v4(&in->remote) ? 40 : 60);
    if (mss_clamp && mss_clamp < out->tcpi_advmss)
        out->tcpi_advmss = mss_clamp;
}

static void sending(const struct sl_tcp_info *in, struct tcp_info *out)
{
    out->tcpi_ca_state = ca_state(in);
    out->tcpi_retransmits = out->tcpi_backoff = in->backoff;
    out->tcpi_unacked = in->in_flight_segments;
    out->tcpi_sacked = in->sacked_segments;
    out->tcpi_lost = in->lost_segments;
    out->tcpi_retrans = in->retrans_segments;
    out->tcpi_total_retrans = in->retransmits;
    out->tcpi_snd_cwnd = segments(in->cwnd, in->snd_mss);
    out->tcpi_snd_ssthresh = in->ssthresh == UINT32_MAX ? 0x7fffffff : segments(in->ssthresh, in->snd_mss);
    out->tcpi_reordering = 3;
    out->tcpi_notsent_bytes = in->snd_queued;
    out->tcpi_bytes_acked = in->bytes_acked;
    out->tcpi_segs_out = in->segments_out;
    out->tcpi_rto = in->rto_us;
    out->tcpi_rtt = in->srtt_us;
    out->tcpi_rttvar = in->rttvar_us;
    out->tcpi_min_rtt = in->min_rtt_us ? in->min_rtt_us : UINT32_MAX;
}

static void fill(const struct door_socket *s, const struct sl_tcp_info *in, struct tcp_info *out)
{
    out->tcpi_state = state_of(in->state);
    negotiated(in, s->options.mss_clamp, out);
    sending(in, out);
    out->tcpi_ato = 40000;
    out->tcpi_rcv_space = in->rcv_wnd;
    out->tcpi_rcv_ssthresh = in->rcv_wnd;
    out->tcpi_bytes_received = in->bytes_received;
    out->tcpi_segs_in = in->segments_in;
}

// ---- times ------------------------------------------------------------------------------------------------
// tcp_chrono_start() and its like: the buffer only where nothing else holds back, the peer's window where ours would do.
static enum door_doing doing(const struct door_socket *s, const struct sl_tcp_info *in)
{
    uint32_t flight = in->snd_nxt - in->snd_una, segment = in->snd_queued < in->snd_mss ? in->snd_queued : in->snd_mss;

    if (flight + in->snd_queued == 0)
        return DOOR_IDLE;
    if (in->snd_queued == 0)
        return s->out_of_room ? DOOR_BY_BUFFER : DOOR_BUSY;
    return flight + segment > in->snd_wnd && in->pipe + segment <= in->cwnd ? DOOR_BY_WINDOW : DOOR_BUSY;
}

// Called whenever something may have happened: what has passed since was spent as it was then.
void door_times_note(struct door_socket *s)
{
    struct door_times *times = &s->times;
    uint64_t now_us = s->door->now_us;
    struct sl_tcp_info in;
    bool begins;

    times->spent_us[times->doing] += now_us - times->seen_us;
    times->seen_us = now_us;
    if (s->conn == NULL)
        return;
    sl_tcp_info(s->conn, &in);
    begins = s->kind == DOOR_CONNECTING || times->data_in_us == 0;
    times->doing = begins ? DOOR_IDLE : doing(s, &in);
    if (begins || in.bytes_received != times->bytes_in)
        times->data_in_us = now_us;
    if (begins || in.bytes_acked != times->bytes_acked)
        times->ack_in_us = now_us;
    if (begins || in.snd_nxt != times->out_end)
        times->data_out_us = now_us;
    times->bytes_in = in.bytes_received;
    times->bytes_acked = in.bytes_acked;
    times->out_end = in.snd_nxt;
}

static void times(const struct door_socket *s, struct tcp_info *out)
{
    const struct door_times *times = &s->times;

    out->tcpi_rwnd_limited = times->spent_us[DOOR_BY_WINDOW];
    out->tcpi_sndbuf_limited = times->spent_us[DOOR_BY_BUFFER];
    out->tcpi_busy_time = times->spent_us[DOOR_BUSY] + out->tcpi_rwnd_limited + out->tcpi_sndbuf_limited;
    out->tcpi_last_data_recv = (uint32_t)((s->door->now_us - times->data_in_us) / DOOR_MS);
    out->tcpi_last_ack_recv = (uint32_t)((s->door->now_us - times->ack_in_us) / DOOR_MS);
    out->tcpi_last_data_sent = (uint32_t)((s->door->now_us - times->data_out_us) / DOOR_MS);
}

void door_tcp_info(const struct door_socket *s, void *to, socklen_t *len)
{
    struct sl_tcp_info in;
    struct tcp_info out = {.tcpi_state = LINUX_CLOSE, .tcpi_snd_ssthresh = 0x7fffffff};

    if (s->conn) {
        sl_tcp_info(s->conn, &in);
        fill(s, &in, &out);
        times(s, &out);
    } else if (s->kind == DOOR_LISTENING) {
        out.tcpi_state = LINUX_LISTEN;
        out.tcpi_unacked = s->queued;
        out.tcpi_sacked = s->backlog;
    }
    // A packetdrill newer than the headers here asks for more, and takes nothing less: what is not known is 0.
    memset(to, 0, *len);
    memcpy(to, &out, *len < sizeof(out) ? *len : sizeof(out));
}
