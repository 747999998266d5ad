// SPDX-License-Identifier: Apache-2.0
// Random segments of a hostile peer and random calls of a careless caller: whatever comes, the invariants hold after each
// step, no buffer is lost, every connection ends when it is told to, and an honest one works afterwards.
#include <stdlib.h>
#include "script.h"

#define PEERS 3u
#define STEPS 500u

struct peer {
    struct sl_tcp_conn *conn;
    uint32_t isn, sent; // ours; bytes queued by the caller
};

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((random_state >> 33) % below);
}

// A number near one that matters, or anywhere.
static uint32_t near(uint32_t number)
{
    switch (draw(12)) {
    case 0:
        return number + draw(5) - 2;
    case 1:
        return number + draw(9000) - 2000;
    case 2:
        return draw(20) ? number : draw(UINT32_MAX);
    default:
        return number;
    }
}

static uint8_t some_flags(void)
{
    static const uint8_t rare[] = {ACK | FIN, SYN,       SYN | ACK,        RST,
                                   RST | ACK, ACK | URG, ACK | SL_TCP_ECE, ACK | SL_TCP_CWR};

    if (draw(25) == 0)
        return rare[draw(sizeof(rare))];
    return draw(200) ? ACK : (uint8_t)draw(256);
}

static struct tcp_options some_options(const struct rig *rig, uint32_t una)
{
    struct tcp_options options = {.mss = (uint16_t)draw(1600), .wscale = (uint8_t)draw(15)};

    if (draw(3))
        options.present = (uint8_t)draw(32) & (uint8_t)~TCP_OPTION_TIMESTAMPS;
    if (draw(8)) {
        options.present |= TCP_OPTION_TIMESTAMPS;
        options.tsval = rig->tsval + draw(4) - (draw(40) == 0) * 50;
        options.tsecr = rig->tsecr - (draw(10) == 0) * draw(3000);
    }
    options.n_sacks = (uint8_t)(options.present & TCP_OPTION_SACK ? 1 + draw(4) : 0);
    for (unsigned i = 0; i < options.n_sacks; i++) {
        options.sacks[i].start = near(una + draw(8) * 1448);
        options.sacks[i].end =
            options.sacks[i].start + draw(4) * 1448 + (draw(4) == 0) * draw(500) - (draw(10) == 0) * 5000;
    }
    return options;
}

static void say_anything(struct rig *rig, struct peer *peer)
{
    struct sl_tcp_info info = {.rcv_nxt = rig->peer_isn, .snd_una = rig->isn, .snd_nxt = rig->isn};
    struct rig_in in = {.flags = some_flags(), .no_timestamps = true};
    uint32_t una, nxt;

    if (peer->conn)
        info = rig_info(peer->conn);
    una = info.snd_una - rig->isn, nxt = info.snd_nxt - rig->isn;
    in.seq = near(info.rcv_nxt - rig->peer_isn);
    in.ack = near(draw(8) == 0 ? nxt : una + (nxt > una ? draw(3) * 1448 : 0));
    in.len = draw(2) ? draw(1460) : 0;
    in.window = draw(4) ? 65535 : draw(3000);
    in.urgent = (uint16_t)draw(65536);
    in.ecn = (uint8_t)draw(4);
    in.charge = in.len ? in.len + draw(2000) : 0;
    in.options = some_options(rig, una);
    rig_put(rig, in);
}

static void read_some(struct rig *rig, struct peer *peer)
{
    struct sl_tcp_chunk chunk;

    while (draw(4) && sl_tcp_read(peer->conn, 1 + draw(3000), &chunk, rig->now_us) == 1)
        if (chunk.owner)
            rig_buffers.release(chunk.owner);
}

static void call_anything(struct rig *rig, struct peer *peer)
{
    struct sl_tcp_options options = rig_options();

    switch (draw(200)) {
    case 0:
        sl_tcp_shutdown(peer->conn, rig->now_us);
        break;
    case 1:
        sl_tcp_close(peer->conn, rig->now_us);
        peer->conn = NULL;
        break;
    case 2:
        sl_tcp_abort(peer->conn, rig->now_us);
        peer->conn = NULL;
        break;
    case 3:
        sl_tcp_urgent(peer->conn);
        break;
    case 4:
        options.keepalive_idle_ms = draw(2) * 1000;
        options.keepalive_interval_ms = 1000;
        options.user_timeout_ms = draw(2) * 5000;
        options.no_delay = draw(2);
        sl_tcp_options_set(peer->conn, &options, rig->now_us);
        break;
    default:
        if (draw(3) == 0)
            read_some(rig, peer);
        else if (rig_send(rig, peer->conn, peer->sent, 1 + draw(8000)) == 0)
            peer->sent++;
    }
    rig_flush(rig);
}

static void take_events(struct rig *rig, struct peer peers[PEERS], unsigned current)
{
    struct sl_tcp_event event;

    while (rig_event(rig, &event)) {
        if (event.bits & SL_TCP_ACCEPTED) {
            if (peers[current].conn) // ended, and not let go of yet
                sl_tcp_close(peers[current].conn, rig->now_us);
            peers[current].conn = event.conn;
        }
        if (event.bits & SL_TCP_ENDED && draw(2))
            for (unsigned i = 0; i < PEERS; i++)
                if (peers[i].conn == event.conn) {
                    sl_tcp_close(event.conn, rig->now_us);
                    peers[i].conn = NULL;
                }
    }
}

static void icmp_anything(struct rig *rig, uint32_t seq)
{
    struct sl_tcp_icmp_in in = {.local = rig->local,
                                .remote = rig->remote,
                                .local_port = rig->local_port,
                                .remote_port = rig->remote_port,
                                .seq = rig->isn + near(seq),
                                .kind = draw(4),
                                .mtu = draw(2) ? draw(2000) : 0};

    sl_tcp_icmp(rig->tcp, &in, rig->now_us);
    rig_flush(rig);
}

static void open_some(struct rig *rig, struct peer *peer)
{
    struct sl_tcp_options options = rig_options();
    int error;

    if (draw(3)) { // he does, honestly; what follows is not
        RIG_PUT(rig, .flags = SYN | (draw(2) ? SL_TCP_ECE | SL_TCP_CWR : 0), .window = 65535,
                .options = rig_full_syn(), .no_timestamps = true);
        RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 65535, .no_timestamps = true);
    } else {
        peer->conn = sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port,
                                    &options, NULL, rig->now_us, &error);
        rig_flush(rig);
    }
    peer->sent = 0;
}

static void step(struct rig *rig, struct peer peers[PEERS], sl_be16 first)
{
    unsigned current = draw(PEERS);
    struct peer *peer = &peers[current];

    rig->remote_port = (sl_be16)(first + current);
    rig->isn = peer->isn;
    if (peer->conn == NULL && draw(4) == 0)
        open_some(rig, peer);
    take_events(rig, peers, current);
    if (draw(3))
        say_anything(rig, peer);
    take_events(rig, peers, current);
    if (peer->conn && draw(2))
        call_anything(rig, peer);
    if (draw(100) == 0)
        icmp_anything(rig, 1);
    peer->isn = rig->isn;
    if (draw(3) == 0)
        rig->now_us += draw(300) * RIG_MS, rig->tsval += draw(300);
    sl_tcp_tick(rig->tcp, rig->now_us);
    rig_flush(rig);
    take_events(rig, peers, current);
}

static struct rig *small_rig(unsigned seed)
{
    struct sl_tcp_config config;
    struct sl_tcp_options options = rig_options();
    struct rig *rig;

    rig_config(&config);
    config.connections = 5;
    config.time_waits = 2;
    config.buffers_held = 40 + draw(200);
    config.segments_held = 5 + draw(100);
    config.rx_bytes = 8000 + draw(50000);
    config.tx_bytes = 20000 + draw(100000);
    config.entropy[0] = seed;
    rig = rig_new_with(&config, false);
    options.rx_initial_bytes = 2000 + draw(60000);
    options.backlog = draw(3);
    options.pacing = draw(2);
    options.ecn = draw(2);
    options.congestion = (const char *[]){"cubic", "newreno", "bbr"}[draw(3)];
    rig_listen(rig, &options);
    return rig;
}

static void let_go_of_all(struct rig *rig, struct peer peers[PEERS])
{
    for (unsigned i = 0; i < PEERS; i++)
        if (peers[i].conn)
            sl_tcp_abort(peers[i].conn, rig->now_us);
    script_events(rig, NULL);
    for (unsigned i = 0; i < 40; i++) { // half-open ones and orphans die of time
        rig_wait(rig, 60 * RIG_S);
        script_events(rig, NULL);
    }
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    assert_int_equal(rig_blocks, 0);
    assert_int_equal(rig->tcp->items.used, 0);
    assert_int_equal(rig->tcp->records.used, 0);
    assert_int_equal(rig->tcp->rx_charge + rig->tcp->tx_charge, 0);
}

static void honest_afterwards(struct rig *rig)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_conn *conn;

    rig_drop_out(rig);
    rig->remote_port += 1000;
    conn = rig_open_passive(rig, &options, rig_full_syn(), 65535);
    say(rig, ACK, 1, 100, 1);
    assert_int_equal(rig_read(rig, conn, 0), 100);
}

static void add_counters(struct sl_tcp_counters *sum, const struct sl_tcp_counters *one)
{
#define TCP_COUNTER(id, help) sum->id += one->id;
#include "tcp/counter.def"
#undef TCP_COUNTER
}

static void whatever_comes_the_invariants_hold_and_all_ends(void **state)
{
    struct sl_tcp_counters sum = {0};

    for (unsigned seed = 1; seed <= 300; seed++) {
        struct peer peers[PEERS] = {0};
        struct rig *rig;
        sl_be16 first;

        random_state = seed;
        rig = small_rig(seed);
        first = rig->remote_port;
        for (unsigned i = 0; i < STEPS; i++) {
            step(rig, peers, first);
            if (rig->n_out > RIG_OUT - 1000)
                break;
        }
        let_go_of_all(rig, peers);
        if (rig->n_out < RIG_OUT - 100)
            honest_afterwards(rig);
        add_counters(&sum, sl_tcp_counters(rig->tcp));
        rig_free(rig);
    }
    // it was a life, and not three hundred refusals
    assert_true(sum.established > 1000 && sum.bytes_in > 1000000 && sum.bytes_out > 1000000);
    assert_true(sum.recoveries && sum.timeouts && sum.loss_probes && sum.undone && sum.dsacks_in);
    assert_true(sum.refused_paws && sum.refused_ack && sum.refused_memory && sum.challenge_acks);
    assert_true(sum.time_waits && sum.cookies_good && sum.zero_windows && sum.persist_probes);
    assert_true(sum.mtu_reductions && sum.ecn_reductions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {T(whatever_comes_the_invariants_hold_and_all_ends)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
