// SPDX-License-Identifier: Apache-2.0
// TIME-WAIT (RFC 9293 section 3.6.1): what is left of a connection that has ended, small and by the hundred thousand. All
// wait equally long, so the list by age is the list by expiry and needs no timer. A reset does not shorten the wait
// (RFC 1337); a new SYN does, where it cannot be taken for an old one (RFC 6191, RFC 9293 MUST-13).
#include "tcp/engine.h"

static void list_add(struct sl_tcp_engine *tcp, uint32_t index)
{
    struct tcp_time_wait *wait = tcp_wait_at(tcp, index);

    wait->older = tcp->wait_newest;
    wait->newer = TCP_NONE;
    if (tcp->wait_newest == TCP_NONE)
        tcp->wait_oldest = index;
    else
        tcp_wait_at(tcp, tcp->wait_newest)->newer = index;
    tcp->wait_newest = index;
}

static void list_remove(struct sl_tcp_engine *tcp, uint32_t index)
{
    struct tcp_time_wait *wait = tcp_wait_at(tcp, index);

    if (wait->older == TCP_NONE)
        tcp->wait_oldest = wait->newer;
    else
        tcp_wait_at(tcp, wait->older)->newer = wait->newer;
    if (wait->newer == TCP_NONE)
        tcp->wait_newest = wait->older;
    else
        tcp_wait_at(tcp, wait->newer)->older = wait->older;
}

void tcp_time_wait_free(struct sl_tcp_engine *tcp, uint32_t index)
{
    tcp_table_remove(tcp, &tcp_wait_at(tcp, index)->tuple, index | TCP_WAIT_BIT);
    list_remove(tcp, index);
    tcp_pool_put(&tcp->waits, index);
}

static uint32_t slot_get(struct sl_tcp_engine *tcp)
{
    if (tcp->waits.used == tcp->waits.n) {
        tcp->counters.time_waits_evicted++;
        tcp_time_wait_free(tcp, tcp->wait_oldest);
    }
    return tcp_pool_get(&tcp->waits);
}

void tcp_time_wait_enter(struct sl_tcp_engine *tcp, struct tcp_conn *conn)
{
    uint32_t index = slot_get(tcp);
    struct tcp_time_wait *wait = tcp_wait_at(tcp, index);

    *wait = (struct tcp_time_wait){
        .tuple = conn->tuple,
        .snd_nxt = conn->snd_nxt,
        .rcv_nxt = conn->rcv_nxt,
        .rcv_wnd = tcp_rcv_wnd(conn),
        .rcv_wscale = conn->rcv_wscale,
        .ts_recent = conn->ts_recent,
        .ts_recent_us = conn->ts_recent_us,
        .ts_offset = conn->ts_offset,
        .timestamps = tcp_has(conn, TCP_TS_ON),
        .expires_us = tcp->now_us + TCP_TIME_WAIT_US,
    };
    tcp->counters.time_waits++;
    tcp_table_add(tcp, &wait->tuple, index | TCP_WAIT_BIT); // first, so that the port is held all the time
    tcp_end(tcp, conn, 0);
    list_add(tcp, index);
}

void tcp_time_wait_expire(struct sl_tcp_engine *tcp, uint64_t now_us)
{
    for (unsigned i = 0; i < 4096; i++) {
        if (tcp->wait_oldest == TCP_NONE || tcp_wait_at(tcp, tcp->wait_oldest)->expires_us > now_us)
            return;
        tcp_time_wait_free(tcp, tcp->wait_oldest);
    }
}

static void answer(struct sl_tcp_engine *tcp, const struct tcp_time_wait *wait, const struct sl_tcp_in *in)
{
    struct tcp_options options = {0};
    struct sl_tcp_out out = {.src = in->dst,
                             .dst = in->src,
                             .sport = in->dport,
                             .dport = in->sport,
                             .seq = wait->snd_nxt,
                             .ack = wait->rcv_nxt,
                             .flags = SL_TCP_ACK,
                             .window = (uint16_t)tcp_min_u32(wait->rcv_wnd >> wait->rcv_wscale, UINT16_MAX),
                             .hop_limit = 64};

    if (wait->timestamps) {
        options.present = TCP_OPTION_TIMESTAMPS;
        options.tsval = (uint32_t)(tcp->now_us / TCP_MS) + wait->ts_offset;
        options.tsecr = wait->ts_recent;
    }
    out.options_len = (uint8_t)tcp_options_write(out.options, &options);
    tcp_send_segment(tcp, &out);
}

// RFC 6191 section 2: newer by timestamp, or beyond what was received.
static bool is_new_connection(const struct tcp_time_wait *wait, const struct sl_tcp_in *in,
                              const struct tcp_options *options)
{
    if ((in->flags & (SL_TCP_SYN | SL_TCP_ACK | SL_TCP_RST | SL_TCP_FIN)) != SL_TCP_SYN)
        return false;
    if (wait->timestamps && options->present & TCP_OPTION_TIMESTAMPS && options->tsval != wait->ts_recent)
        return tcp_seq_gt(options->tsval, wait->ts_recent);
    return tcp_seq_gt(in->seq, wait->rcv_nxt);
}

bool tcp_time_wait_input(struct sl_tcp_engine *tcp, uint32_t index, const struct sl_tcp_in *in,
                         const struct tcp_options *options)
{
    struct tcp_time_wait *wait = tcp_wait_at(tcp, index);

    if (in->flags & SL_TCP_RST) // RFC 1337
        return false;
    if (is_new_connection(wait, in, options)) {
        struct tcp_listener *listener = tcp_listener_find(tcp, &in->dst, in->dport);
        uint32_t floor =
            wait->snd_nxt + 65537; // beyond every number that the old one may have in the network

        if (listener != NULL) {
            tcp->counters.time_waits_reused++;
            tcp_time_wait_free(tcp, index);
            return tcp_listen_input(tcp, listener, in, options, floor);
        }
    }
    if (in->flags & SL_TCP_FIN &&
        in->seq + in->payload.len + 1 == wait->rcv_nxt) { // ours was lost: wait anew
        wait->expires_us = tcp->now_us + TCP_TIME_WAIT_US;
        list_remove(tcp, index);
        list_add(tcp, index);
    } else if (in->payload.len == 0 && !(in->flags & SL_TCP_SYN) && in->seq == wait->rcv_nxt &&
               in->ack == wait->snd_nxt) {
        return false; // nothing to say to an acknowledgement
    } else if (wait->answered_us && tcp->now_us - wait->answered_us < TCP_OOW_ACK_US) {
        return false;
    }
    wait->answered_us = tcp->now_us;
    answer(tcp, wait, in);
    return false;
}
