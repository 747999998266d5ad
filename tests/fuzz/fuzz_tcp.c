// SPDX-License-Identifier: Apache-2.0
// Fuzzes the TCP endpoint, structured: the input is a program of small steps for live connections. Two engines talk over a
// path of which every segment may be lost, doubled, held back or altered, or arrive in one burst with others; a stranger
// adds segments aimed at the numbers that matter; both applications send, read, close, connect anew and change their
// minds; time passes, sometimes hours of it. After each step everything that sl_tcp_check() knows must hold, and at the end no buffer may be left. Where nothing was altered or added, what is read
// is what was sent.
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tcp/engine.h"
#include "tcp/join.h"

#define STEPS     4096u
#define PATH_ROOM 512u
#define ROOM      600u // bytes of a seed

struct block {
    uint32_t refs;
    uint8_t data[];
};

struct flight {
    struct sl_tcp_out out;
    uint8_t *payload;
};

struct end {
    struct sl_tcp_engine *tcp;
    struct sl_tcp_conn *conn;
    uint32_t sent, read; // bytes of the application
    struct sl_tcp_listener *listener; // the server's; NULL: it does not listen now
    struct sl_tcp_conn *residue; // of the connection, where it was detached
    struct sl_tcp_saved saved;
    bool refuse, accepted;
};

struct world {
    struct end end[2]; // client, server
    struct flight path[2][PATH_ROOM]; // on their way to end [i]
    unsigned n_path[2];
    uint64_t now_us;
    bool clean; // nothing was altered or added
    struct sl_tcp_options options; // of every connection at first
    uint32_t early; // bytes that ride on the client's SYN, with a cookie of Fast Open; 0: none
    const uint8_t *at, *stop;
    uint32_t blocks;
};

static struct world *world; // for the engine's calls, which know no context

static void expect(bool true_thing)
{
    if (!true_thing)
        abort();
}

// ---- buffers ----------------------------------------------------------------------------------------------------
static struct block *block_new(uint32_t bytes)
{
    struct block *block = malloc(sizeof(*block) + bytes);

    expect(block != NULL);
    block->refs = 1;
    world->blocks++;
    return block;
}

static void hold(void *owner)
{
    ((struct block *)owner)->refs++;
}

static void release(void *owner)
{
    struct block *block = owner;

    expect(block->refs > 0);
    if (--block->refs)
        return;
    world->blocks--;
    free(block);
}

static const struct sl_tcp_buffers buffers = {hold, release};

static struct sl_ip address_of(unsigned who)
{
    struct sl_ip ip;

    sl_ip_parse(who ? "192.0.2.2" : "192.0.2.1", &ip);
    return ip;
}

static sl_be16 port_of(unsigned who)
{
    return who ? 80 : 4000;
}

static uint8_t byte_of(uint32_t offset)
{
    return (uint8_t)(offset * 31 >> 3);
}

// ---- input ------------------------------------------------------------------------------------------------------
static uint8_t next8(void)
{
    return world->at < world->stop ? *world->at++ : 0;
}

static uint32_t next16(void)
{
    return (uint32_t)next8() << 8 | next8();
}

// A distance: mostly small, sometimes anything.
static uint32_t distance(void)
{
    uint8_t kind = next8();

    if (kind < 160)
        return (uint32_t)(int32_t)(int8_t)next8();
    return kind < 230 ? next16() : next16() << 16 | next16();
}

// ---- path -------------------------------------------------------------------------------------------------------
// Our clients have no Fast Open: the path gives their SYN a cookie and bytes, which come before those that the client
// counts.
static void make_early(struct flight *flight)
{
    struct tcp_options options;

    tcp_options_read(&options, flight->out.options, flight->out.options_len, true);
    options.present |= TCP_OPTION_TFO;
    options.tfo_len = TCP_TFO_COOKIE;
    tcp_tfo_cookie(&world->end[1].tcp->fast_open, &flight->out.src, world->now_us / TCP_FAST_OPEN_EPOCH_US,
                   options.tfo);
    flight->out.options_len = (uint8_t)tcp_options_write(flight->out.options, &options);
    flight->out.seq -= world->early;
    flight->out.len = (uint16_t)world->early;
    free(flight->payload);
    flight->payload = malloc(world->early);
    expect(flight->payload != NULL);
    for (uint32_t i = 0; i < world->early; i++)
        flight->payload[i] = byte_of(i - world->early);
}

static bool send(void *context, const struct sl_tcp_out *out)
{
    struct end *from = context;
    unsigned to = from == &world->end[0];
    struct flight *flight;
    uint32_t at = 0;

    expect(out->len <= 9000 && out->options_len <= 40 && out->options_len % 4 == 0 && out->n_pieces <= SL_TCP_PIECES);
    if (from->refuse || world->n_path[to] == PATH_ROOM)
        return false;
    flight = &world->path[to][world->n_path[to]++];
    flight->out = *out;
    flight->payload = malloc(out->len + 1u);
    expect(flight->payload != NULL);
    for (unsigned i = 0; i < out->n_pieces; at += out->pieces[i++].len)
        memcpy(flight->payload + at, out->pieces[i].data, out->pieces[i].len);
    expect(at == out->len);
    if (world->early && to == 1 && (out->flags & (SL_TCP_SYN | SL_TCP_ACK)) == SL_TCP_SYN)
        make_early(flight);
    return true;
}

// As it comes to the engine; a payload lies in a block of its own.
static struct sl_tcp_in arrived(const struct sl_tcp_out *out, const uint8_t *payload)
{
    struct sl_tcp_in in = {.src = out->src, .dst = out->dst, .sport = out->sport, .dport = out->dport, .seq = out->seq,
                           .ack = out->ack, .window = out->window, .urgent = out->urgent, .flags = out->flags,
                           .ecn = out->ecn, .options_len = out->options_len, .options = out->options};
    struct block *block;

    if (out->len == 0)
        return in;
    block = block_new(out->len);
    memcpy(block->data, payload, out->len);
    in.payload = (struct sl_tcp_chunk){block->data, out->len, out->len + (next8() & 1) * 2048u, block};
    return in;
}

static void put(struct end *end, const struct sl_tcp_out *out, const uint8_t *payload)
{
    struct sl_tcp_in in = arrived(out, payload);

    if (!sl_tcp_input(end->tcp, &in, world->now_us) && in.payload.owner)
        release(in.payload.owner);
}

static void path_remove(unsigned to, unsigned i)
{
    free(world->path[to][i].payload);
    world->n_path[to]--;
    memmove(&world->path[to][i], &world->path[to][i + 1], (world->n_path[to] - i) * sizeof(struct flight));
}

static void alter(struct sl_tcp_out *out)
{
    world->clean = false;
    switch (next8() % 8) {
    case 0: out->seq += distance(); break;
    case 1: out->ack += distance(); break;
    case 2: out->flags ^= (uint8_t)(1u << next8() % 8); break;
    case 3: out->window = (uint16_t)next16(); break;
    case 4: out->options_len = (uint8_t)(next8() % 11 * 4); break;
    case 5: out->options[next8() % 40] = next8(); break;
    case 6: out->ecn = next8() & 3; break;
    default: out->len = (uint16_t)(out->len ? next16() % out->len : 0); break;
    }
}

// The i-th segment on its way arrives, perhaps again later, perhaps altered.
static void arrive(unsigned to, uint8_t how)
{
    unsigned i;
    struct flight copy;

    if (world->n_path[to] == 0)
        return;
    i = how & 4 ? next8() % world->n_path[to] : 0;
    if (how & 8) {
        path_remove(to, i); // lost
        return;
    }
    copy = world->path[to][i];
    copy.payload = malloc(copy.out.len + 1u);
    expect(copy.payload != NULL);
    memcpy(copy.payload, world->path[to][i].payload, copy.out.len);
    if ((how & 0x70) == 0x70)
        alter(&copy.out);
    if ((how & 3) != 3)
        path_remove(to, i);
    put(&world->end[to], &copy.out, copy.payload);
    free(copy.payload);
}

// The first `n` on their way arrive at once, one of them perhaps altered.
static void arrive_together(unsigned to, unsigned n, uint8_t how)
{
    struct flight *path = world->path[to];
    struct sl_tcp_in in[SL_TCP_BURST_MAX];
    uint64_t kept;

    n = n < world->n_path[to] ? n : world->n_path[to];
    if (n == 0)
        return;
    if ((how & 0x70) == 0x70)
        alter(&path[next8() % n].out);
    for (unsigned i = 0; i < n; i++)
        in[i] = arrived(&path[i].out, path[i].payload);
    kept = sl_tcp_input_burst(world->end[to].tcp, in, n, world->now_us);
    expect(n == SL_TCP_BURST_MAX || kept >> n == 0);
    for (unsigned i = 0; i < n; i++)
        if (!(kept >> i & 1) && in[i].payload.owner)
            release(in[i].payload.owner);
    while (n--)
        path_remove(to, 0);
}

// All that is on its way arrives, and what it brings about, for some rounds.
static void settle(void);

static void quiet(uint8_t rounds)
{
    for (unsigned i = 0; i < 2u * (rounds & 7) + 1; i++) {
        while (world->n_path[i & 1])
            if (rounds & 2)
                arrive_together(i & 1, SL_TCP_BURST_MAX, 0);
            else
                arrive(i & 1, 0);
        settle();
    }
}

// ---- a stranger -------------------------------------------------------------------------------------------------
static void aim(struct end *end, struct sl_tcp_out *out)
{
    struct sl_tcp_info info = {0};

    if (end->conn)
        sl_tcp_info(end->conn, &info);
    out->seq = info.rcv_nxt + distance();
    out->ack = (next8() & 1 ? info.snd_nxt : info.snd_una) + distance();
    out->window = (uint16_t)next16();
    out->flags = next8();
    out->ecn = next8() & 3;
    out->urgent = (uint16_t)next16();
    out->len = (uint16_t)(next8() & 1 ? next16() % 3000 : 0);
}

static void aim_options(struct end *end, struct sl_tcp_out *out)
{
    struct tcp_options options = {.present = next8() & (TCP_OPTION_SACK | TCP_OPTION_TIMESTAMPS | TCP_OPTION_MSS),
                                  .mss = (uint16_t)next16(), .n_sacks = next8() % 5};
    struct sl_tcp_info info = {0};

    if (end->conn)
        sl_tcp_info(end->conn, &info);
    options.tsval = distance();
    options.tsecr = (uint32_t)(world->now_us / 1000) + distance();
    for (unsigned i = 0; i < options.n_sacks; i++) {
        options.sacks[i].start = info.snd_una + distance();
        options.sacks[i].end = options.sacks[i].start + distance();
    }
    out->options_len = (uint8_t)tcp_options_write(out->options, &options);
}

static void strange(unsigned to)
{
    static uint8_t payload[3000];
    struct end *end = &world->end[to];
    struct sl_tcp_out out = {0};

    world->clean = false;
    out.src = address_of(!to);
    out.dst = address_of(to);
    out.sport = port_of(!to);
    out.dport = port_of(to);
    if (next8() % 16 == 0)
        out.sport = (sl_be16)next16();
    if (next8() % 64 == 0)
        out.src.b[12] = (uint8_t)next8(); // groups, broadcast
    aim(end, &out);
    aim_options(end, &out);
    put(end, &out, payload);
}

static void strange_icmp(unsigned to)
{
    struct end *end = &world->end[to];
    struct sl_tcp_info info = {0};
    struct sl_tcp_icmp_in in = {.kind = next8() % 4, .mtu = next16()};

    world->clean = false;
    if (!end->conn)
        return;
    sl_tcp_info(end->conn, &info);
    in.local = info.local;
    in.remote = info.remote;
    in.local_port = info.local_port;
    in.remote_port = info.remote_port;
    in.seq = info.snd_una + distance();
    sl_tcp_icmp(end->tcp, &in, world->now_us);
}

// ---- applications -----------------------------------------------------------------------------------------------
static void app_send(struct end *end, uint32_t len)
{
    struct block *block;
    struct sl_tcp_chunk chunk;

    if (!end->conn || len == 0)
        return;
    block = block_new(len);
    for (uint32_t i = 0; i < len; i++)
        block->data[i] = byte_of(end->sent + i);
    chunk = (struct sl_tcp_chunk){block->data, len, len, block};
    if (sl_tcp_send(end->conn, &chunk, world->now_us) == 0)
        end->sent += len;
    else
        release(block);
}

static void app_read(struct end *end, uint32_t max)
{
    struct sl_tcp_chunk chunk;

    for (unsigned n = 0; end->conn && n < 64 && sl_tcp_read(end->conn, max, &chunk, world->now_us) == 1; n++) {
        for (uint32_t i = 0; world->clean && i < chunk.len; i++)
            expect(chunk.data[i] == byte_of(end->read + i));
        end->read += chunk.len;
        if (chunk.owner)
            release(chunk.owner);
    }
}

static void app_end(struct end *end, uint8_t how)
{
    if (!end->conn)
        return;
    if (how % 4 == 0) {
        sl_tcp_abort(end->conn, world->now_us);
        end->conn = NULL;
        world->clean = false;
    } else if (how % 4 == 1) {
        sl_tcp_close(end->conn, world->now_us);
        end->conn = NULL;
        world->clean = false;
    } else {
        sl_tcp_shutdown(end->conn, world->now_us);
    }
}

static void app_options(struct end *end)
{
    struct sl_tcp_options options = world->options;
    uint8_t bits = next8(), more = next8();

    if (!end->conn)
        return;
    options.cork = more & 1;
    options.mtu_probing = !(more & 2);
    options.retries = more & 4 ? 3 : 15;
    options.fin_wait_2_ms = more & 8 ? 0 : 60000;
    options.keepalive_probes = more & 16 ? 2 : 9;
    options.mtu = more & 32 ? 576 : world->options.mtu;
    options.no_delay = bits & 1;
    options.pacing = bits & 2;
    options.keepalive_idle_ms = bits & 4 ? 1000 : 0;
    options.user_timeout_ms = bits & 8 ? 5000 : 0;
    options.rx_bytes = bits & 16 ? 4096 : 4u << 20;
    options.tx_bytes = bits & 32 ? 4096 : 4u << 20;
    sl_tcp_options_set(end->conn, &options, world->now_us);
}

static void app_return(struct end *end)
{
    int error = 0;

    end->conn = sl_tcp_attach(end->tcp, &end->saved, &world->options, NULL, world->now_us, &error);
    if (!end->conn) // altered, and not believed
        sl_tcp_abort(end->residue, world->now_us);
    world->clean &= end->conn != NULL;
    end->residue = NULL;
}

// Out of the engine and back, in between perhaps altered as a segment of shared memory may be. What comes back is the
// connection, or a refusal; where nothing was altered it is always the connection.
static void app_leave(struct end *end)
{
    struct sl_tcp_saved saved;
    bool altered = next8() >= 240;
    int error = 0, left;

    if (end->residue) {
        app_return(end);
        return;
    }
    if (!end->conn || (left = sl_tcp_detach(end->conn, &saved, world->now_us)) < 0)
        return;
    if (altered)
        for (unsigned i = 0; i < 3; i++)
            ((uint8_t *)&saved)[next8() % sizeof(saved)] ^= next8();
    world->clean &= !altered;
    if (left == 1 && next8() & 1) { // a residue lives for a while, and hears what the connection would
        end->residue = end->conn;
        end->saved = saved;
        end->conn = NULL;
        return;
    }
    if (left == 1 && altered)
        sl_tcp_close(end->conn, world->now_us);
    end->conn = sl_tcp_attach(end->tcp, &saved, &world->options, NULL, world->now_us, &error);
    expect(altered || end->conn != NULL);
    world->clean &= end->conn != NULL;
}

// Another connection of the same tuple: over a TIME-WAIT of either end's, over what is left of the old one there, or, begun
// by the server, towards the client's own SYN.
static void app_connect(unsigned who)
{
    struct end *end = &world->end[who];
    struct sl_ip local = address_of(who), remote = address_of(!who);
    int error = 0;

    if (end->conn)
        return;
    world->clean = false;
    end->conn = sl_tcp_connect(end->tcp, &local, port_of(who), &remote, port_of(!who), &world->options, NULL, world->now_us,
                               &error);
    expect(end->conn != NULL || error == -EADDRINUSE || error == -ENOBUFS);
}

// Connections that were accepted and never told of go with their listener.
static void app_listen(struct end *end)
{
    struct sl_ip any = {0};
    bool wild = next8() & 1;
    int error = 0;

    world->clean = false;
    if (end->listener) {
        sl_tcp_unlisten(end->listener);
        end->listener = NULL;
        return;
    }
    sl_ip_parse(wild ? "0.0.0.0" : "192.0.2.2", &any);
    end->listener = sl_tcp_listen(end->tcp, &any, 80, &world->options, NULL, &error);
    expect(end->listener != NULL);
    expect(sl_tcp_listen(end->tcp, &any, 80, &world->options, NULL, &error) == NULL && error == -EADDRINUSE);
}

static void app_look(struct end *end, uint8_t how)
{
    struct sl_tcp_chunk chunk;
    uint32_t bytes = 0;

    if (!end->conn)
        return;
    for (uint32_t i = 0; sl_tcp_peek(end->conn, i, &chunk); i++)
        bytes += chunk.len;
    if (how & 1)
        sl_tcp_quick_ack(end->conn, how & 2, world->now_us);
    struct sl_tcp_info info;
    sl_tcp_info(end->conn, &info);
    expect(info.rcv_unread == bytes && info.rcv_urgent <= 65535u + bytes + info.rcv_wnd);
}

// Connections beside the one that is looked at closely: they say a little, hear what there is, and close.
static void app_beside(unsigned who)
{
    struct sl_ip local = address_of(who), remote = address_of(!who);
    sl_be16 port = (sl_be16)(port_of(who) + 1 + next8() % 8);
    int error = 0;

    if (!sl_tcp_connect(world->end[who].tcp, &local, port, &remote, port_of(!who), &world->options, NULL, world->now_us, &error))
        expect(error == -EADDRINUSE || error == -ENOBUFS);
}

static void app_other(unsigned who)
{
    uint8_t how = next8();
    struct end *end = &world->end[who];

    switch (how >> 2 & 3) {
    case 0: case 1: app_connect(who); break;
    case 2: if (who == 1 && how >> 4 == 0) app_listen(end); else app_connect(who); break;
    default:
        if (how & 16)
            app_beside(who);
        else
            app_look(end, how);
    }
}

static void beside_event(struct end *end, const struct sl_tcp_event *event)
{
    struct sl_tcp_chunk chunk;
    uint32_t len = 1 + (world->at < world->stop ? *world->at : 0) * 20u;

    while (sl_tcp_read(event->conn, UINT32_MAX, &chunk, world->now_us) == 1)
        if (chunk.owner)
            release(chunk.owner);
    if (event->bits & (SL_TCP_CONNECTED | SL_TCP_ACCEPTED) && !(event->bits & SL_TCP_ENDED)) {
        struct block *block = block_new(len);

        memset(block->data, 0, len);
        chunk = (struct sl_tcp_chunk){block->data, len, len, block};
        if (sl_tcp_send(event->conn, &chunk, world->now_us))
            release(block);
        if (end == &world->end[0])
            sl_tcp_shutdown(event->conn, world->now_us);
        return;
    }
    if (event->bits & SL_TCP_ENDED || sl_tcp_read(event->conn, 1, &chunk, world->now_us) == 0)
        sl_tcp_close(event->conn, world->now_us);
}

static void events(struct end *end)
{
    struct sl_tcp_event event;

    while (sl_tcp_event(end->tcp, &event)) {
        if (event.bits & SL_TCP_ACCEPTED) {
            struct sl_tcp_info info;

            sl_tcp_info(event.conn, &info);
            if (info.remote_port == port_of(0)) {
                world->clean &= !end->accepted; // a cookie's ACK come twice: its bytes begin anew
                end->accepted = true;
                if (end->conn == NULL)
                    end->conn = event.conn;
            }
        }
        if (event.conn == end->residue) {
            if (!(event.bits & SL_TCP_ENDED))
                continue;
            sl_tcp_close(end->residue, world->now_us);
            end->residue = NULL;
            world->clean = false; // nobody goes on where it has ended
            continue;
        }
        if (event.conn != end->conn) {
            beside_event(end, &event);
            continue;
        }
        if (event.bits & SL_TCP_ENDED) {
            app_read(end, UINT32_MAX);
            sl_tcp_close(end->conn, world->now_us);
            end->conn = NULL;
        }
    }
}

// ---- steps --------------------------------------------------------------------------------------------------------
static void pass_time(uint8_t how)
{
    uint64_t a = sl_tcp_deadline(world->end[0].tcp), b = sl_tcp_deadline(world->end[1].tcp), due = a < b ? a : b;

    if (how & 1 && due != UINT64_MAX && due > world->now_us)
        world->now_us = due;
    else if (how >= 0xf0)
        world->now_us += (how & 15) * 600000000ull; // hours
    else
        world->now_us += how & 2 ? next16() * 64 : next8();
    for (unsigned i = 0; i < 2; i++)
        sl_tcp_tick(world->end[i].tcp, world->now_us);
}

static void step(void)
{
    uint8_t op = next8();
    unsigned who = op & 1;
    struct end *end = &world->end[who];

    switch (op >> 1 & 15) {
    case 0: case 1: case 2: case 3: arrive(who, op >> 5 ? next8() : 0); break;
    case 4: if (op & 0x80) arrive_together(who, 2u << (op >> 5 & 3), next8()); else arrive(who, next8()); break;
    case 5: case 6: app_send(end, 1 + next16() % (op & 0x80 ? 30000 : 1500)); break;
    case 7: app_read(end, op & 0x80 ? UINT32_MAX : 1u + next8()); break;
    case 8: case 9: case 10: pass_time(next8()); break;
    case 11: strange(who); break;
    case 12: if (op & 0x80) app_other(who); else if (op & 0x40) app_leave(end); else app_options(end); break;
    case 13: if (op & 0x80) strange_icmp(who); else end->refuse = op & 0x40; break;
    case 14: if (op >> 5 == 7) app_end(end, next8()); else pass_time(1); break;
    default: if (op & 0x80 && end->conn) sl_tcp_urgent(end->conn); else quiet(op >> 4); break;
    }
}

static void must_hold(const struct sl_tcp_engine *tcp)
{
    const char *wrong = sl_tcp_check(tcp, NULL);

    if (wrong == NULL)
        return;
    fprintf(stderr, "invariant: %s\n", wrong);
    abort();
}

static void settle(void)
{
    for (unsigned i = 0; i < 2; i++) {
        events(&world->end[i]);
        sl_tcp_output(world->end[i].tcp, world->now_us);
        events(&world->end[i]);
        must_hold(world->end[i].tcp);
    }
}

// What both ends are set to. Small receive buffers, so that windows close; small MTUs, so that segments are many.
static void options_begin(uint8_t how, uint8_t more)
{
    struct sl_tcp_options *options = &world->options;

    sl_tcp_options_default(options);
    options->timestamps = !(how & 16);
    options->sack = !(how & 32);
    options->cookies_always = how & 64;
    options->congestion = !(how & 128) ? "cubic" : how & 64 ? "newreno" : "bbr";
    if ((how & 96) == 96) {
        options->sack = options->fast_open = true;
        options->cookies_always = false;
        world->early = 1 + (how & 15) * 90u;
        world->end[1].read = 0 - world->early;
    }
    options->rx_bytes = more & 1 ? 4096 : 4u << 20;
    options->rx_initial_bytes = more & 1 ? 2048 : 65536;
    options->mtu = more & 2 ? 576 : more & 4 ? 9000 : 1500;
    options->wscale = !(more & 8);
    options->backlog = more & 16 ? 1 : 1024;
    options->cookies_never = more & 32 && !options->cookies_always;
    options->initial_window = more & 64 ? 64 : 0;
    options->keepalive_idle_ms = more & 128 ? 2000 : 0;
}

static void begin(uint8_t how, uint8_t more)
{
    struct sl_tcp_config config = {.connections = more & 16 ? 2 : 16, .time_waits = more & 128 ? 1 : 4, .listeners = 2,
                                   .buffers_held = how & 1 ? 24 : 4096, .segments_held = how & 2 ? 12 : 4096,
                                   .rx_bytes = how & 4 ? 20000 : 8u << 20, .tx_bytes = how & 8 ? 20000 : 8u << 20,
                                   .buffers = &buffers, .send = send, .now_us = 1000000000};
    struct sl_ip client = address_of(0), server = address_of(1);
    int error;

    options_begin(how, more);
    for (unsigned i = 0; i < 2; i++) {
        config.context = &world->end[i];
        config.entropy[0] = 77 + i;
        world->end[i].tcp = sl_tcp_new(&config);
        expect(world->end[i].tcp != NULL);
    }
    world->end[1].listener = sl_tcp_listen(world->end[1].tcp, &server, 80, &world->options, NULL, &error);
    expect(world->end[1].listener != NULL);
    world->end[0].conn = sl_tcp_connect(world->end[0].tcp, &client, 4000, &server, 80, &world->options, NULL, config.now_us,
                                        &error);
    expect(world->end[0].conn != NULL);
    world->now_us = config.now_us;
    world->clean = true;
}

static void finish(void)
{
    for (unsigned to = 0; to < 2; to++)
        while (world->n_path[to])
            path_remove(to, world->n_path[to] - 1);
    for (unsigned i = 0; i < 2; i++)
        sl_tcp_free(world->end[i].tcp);
    expect(world->blocks == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world = calloc(1, sizeof(*world));
    expect(world != NULL);
    world->at = data;
    world->stop = data + size;
    uint8_t how = next8();

    begin(how, next8());
    settle();
    for (unsigned i = 0; i < STEPS && world->at < world->stop; i++) {
        step();
        settle();
    }
    finish();
    free(world);
    return 0;
}

// ---- seeds --------------------------------------------------------------------------------------------------------
// Opcodes by hand: a handshake, transfers, losses, an end.
uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    static const uint8_t handshake[] = {0x01, 0x00, 0x01};
    uint8_t *seed = malloc(ROOM);
    uint32_t random = 2463534242u + index * 7919u;

    if (index >= 24 || seed == NULL) {
        free(seed);
        return NULL;
    }
    seed[0] = index < 8 ? 0 : (uint8_t)(index * 37);
    seed[1] = index < 4 ? 0 : (uint8_t)(index * 59);
    memcpy(seed + 2, handshake, sizeof(handshake));
    for (size_t i = 2 + sizeof(handshake); i < ROOM; i++) {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        seed[i] = (uint8_t)(random >> 8);
        if (index % 3 == 0) // mostly sending and arriving
            seed[i] = (uint8_t)((seed[i] & 1) | ((seed[i] >> 1) % 11) << 1);
    }
    *size = ROOM;
    return seed;
}
