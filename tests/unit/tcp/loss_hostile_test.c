// SPDX-License-Identifier: Apache-2.0
// A peer that acknowledges at random: true, false, old, overlapping, with SACK blocks, ECN echoes and ICMP errors in any
// order. After each segment and each timer the invariants of sl_tcp_check() hold, and a peer that then turns honest gets
// every byte.
#include "loss.h"

static uint64_t state64;

static uint32_t dice(uint32_t below)
{
    state64 ^= state64 << 13;
    state64 ^= state64 >> 7;
    state64 ^= state64 << 17;
    return (uint32_t)(state64 >> 33) % below;
}

static uint32_t somewhere(const struct tcp_conn *conn) // a relative number, mostly in flight
{
    uint32_t una = conn->snd_una - conn->iss, flight = conn->snd_nxt - conn->snd_una;

    switch (dice(8)) {
    case 0:
        return una - dice(100000);
    case 1:
        return una + flight + dice(3000);
    case 2:
        return (uint32_t)(state64 >> 7);
    default:
        return una + MSS * dice(flight / MSS + 1) + (dice(6) ? 0 : dice(MSS));
    }
}

static void put_ack(struct rig *rig, const struct tcp_conn *conn)
{
    uint32_t una = conn->snd_una - conn->iss, flight = conn->snd_nxt - conn->snd_una;
    struct rig_in in = {.flags = SL_TCP_ACK, .seq = 1, .window = dice(20) ? PEER_WND : dice(8000)};

    in.flags |= dice(15) ? 0 : SL_TCP_ECE;
    in.ack = dice(3) ? una : dice(4) ? una + dice(flight + 1) : somewhere(conn);
    in.options.n_sacks = (uint8_t)dice(5);
    if (in.options.n_sacks)
        in.options.present |= TCP_OPTION_SACK;
    for (unsigned i = 0; i < in.options.n_sacks; i++) {
        in.options.sacks[i].start = somewhere(conn);
        in.options.sacks[i].end = dice(8) ? in.options.sacks[i].start + MSS * (1 + dice(4)) : somewhere(conn);
    }
    rig->tsecr -= dice(10) ? 0 : dice(400);
    rig_put(rig, in);
}

static void put_too_big(struct rig *rig, const struct tcp_conn *conn)
{
    struct sl_tcp_icmp_in in = {.local = rig->local,
                                .remote = rig->remote,
                                .local_port = rig->local_port,
                                .remote_port = rig->remote_port,
                                .seq = conn->snd_una + dice(conn->snd_nxt - conn->snd_una + 1),
                                .kind = SL_TCP_ICMP_TOO_BIG,
                                .mtu = 500 + dice(1200)};

    sl_tcp_icmp(rig->tcp, &in, rig->now_us);
    rig_flush(rig);
}

static uint32_t honest(struct rig *rig, struct sl_tcp_conn *conn,
                       uint32_t end) // acknowledges all in order; how far
{
    uint32_t at = inside(conn)->snd_una - inside(conn)->iss;

    rig_drop_out(rig); // what he threw away
    for (unsigned i = 0; i < 4000 && at != end; i++) {
        const struct rig_segment *segment;
        bool heard = false;

        rig_wait_out(rig, 130 * RIG_S);
        while ((segment = rig_take(rig)) != NULL) {
            heard |= segment->out.len != 0;
            if (segment->out.len && tcp_seq_le(segment->seq, at) &&
                tcp_seq_gt(segment->seq + segment->out.len, at))
                at = segment->seq + segment->out.len;
        }
        if (rig_state(conn) == SL_TCP_CLOSED)
            return 0;
        loss_ack(rig, at);
        if (!heard)
            rig_wait(rig, RTT);
    }
    return at;
}

static void live(unsigned seed)
{
    struct sl_tcp_options options = rig_options();
    uint32_t queued = 0, at;
    struct sl_tcp_config config;
    struct sl_tcp_conn *conn;
    struct rig *rig;

    state64 = 0x9e3779b97f4a7c15 * (seed + 1);
    rig_config(&config);
    config.segments_held = seed % 5 == 0 ? 6 : 4096;
    options.ecn = seed & 1;
    options.pacing = seed & 2;
    options.congestion = (const char *[]){"cubic", "newreno", "bbr"}[seed / 4 % 3];
    options.retries = 100;
    rig = rig_new_with(&config, false);
    conn = loss_open(rig, &options, loss_syn(seed % 3 != 0, seed & 8));
    if (options.ecn)
        ((struct tcp_conn *)conn)->flags |= TCP_ECN_ON; // as if it had been agreed
    for (unsigned i = 0; i < 150; i++) {
        if (dice(3) == 0 && rig_send(rig, conn, queued, (at = 1 + dice(6 * MSS))) == 0)
            queued += at;
        if (dice(40) == 0)
            put_too_big(rig, inside(conn));
        rig->refuse = dice(25) == 0;
        put_ack(rig, inside(conn));
        rig_wait(rig, dice(4) ? dice(3000) : dice(20) ? dice(150000) : dice(3000000));
        rig->refuse = false;
        if (rig->n_out > RIG_OUT - 2000)
            break;
    }
    at = honest(rig, conn, queued + 1);
    if (at != queued + 1)
        fail_msg("seed %u: %u of %u bytes arrived", seed, at - 1, queued);
    rig_free(rig);
}

static void whatever_it_says_the_invariants_hold_and_an_honest_end_gets_all(void **state)
{
    for (unsigned seed = 0; seed < 300; seed++)
        live(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_it_says_the_invariants_hold_and_an_honest_end_gets_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
