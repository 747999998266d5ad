// SPDX-License-Identifier: Apache-2.0
#include "triple.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "wire/emit.h"
#include "wire/l4.h"

#define SERVER_PORT sl_be16_of(8080)
#define CLIENT_PORT sl_be16_of(40000)
#define PREFACE     0xee

uint32_t triple_random(struct triple *triple, uint32_t below)
{
    triple->random ^= triple->random << 13;
    triple->random ^= triple->random >> 7;
    triple->random ^= triple->random << 17;
    return (uint32_t)(triple->random >> 33) % below;
}

static uint64_t now_of(const struct triple *triple, unsigned host)
{
    return triple->now_us + triple->host[host].ahead_us;
}

// ---- wires ------------------------------------------------------------------------------------------------------
static void insert(struct triple *triple, struct triple_packet *packet)
{
    struct triple_packet **at = &triple->head;

    while (*at && (*at)->due_us <= packet->due_us)
        at = &(*at)->next;
    packet->next = *at;
    *at = packet;
}

static void travel(struct triple *triple, unsigned to, uint64_t delay_us, const uint8_t *bytes, uint32_t len)
{
    struct triple_packet *packet = malloc(sizeof(*packet));

    assert_non_null(packet);
    *packet = (struct triple_packet){
        .due_us = triple->now_us + delay_us, .to = to, .block = rig_block_new(len), .len = len};
    memcpy(packet->block->data, bytes, len);
    insert(triple, packet);
}

static const struct sl_tcp *tcp_of(const uint8_t *packet)
{
    return (const struct sl_tcp *)(packet + (packet[0] >> 4 == 4 ? 20 : 40));
}

static uint32_t payload_of(const uint8_t *packet, uint32_t len)
{
    const struct sl_tcp *tcp = tcp_of(packet);

    return len - (uint32_t)((const uint8_t *)tcp - packet) - (uint32_t)(tcp->data_offset >> 4) * 4;
}

static void put_on_wire(struct triple *triple, enum triple_wire wire, unsigned to, const uint8_t *bytes,
                        uint32_t len)
{
    const struct triple_spec *spec = &triple->spec;
    uint64_t delay_us = spec->delay_us[wire == TRIPLE_UP_B || wire == TRIPLE_DOWN_B];
    uint32_t dice = triple_random(triple, 1000);

    if (triple->lose && triple->lose(triple, wire, tcp_of(bytes), payload_of(bytes, len)))
        return;
    if (dice < spec->loss)
        return;
    if (dice < spec->loss + spec->reorder)
        delay_us *= 3;
    travel(triple, to, delay_us, bytes, len);
    if (dice >= spec->loss + spec->reorder && dice < spec->loss + spec->reorder + spec->duplicate)
        travel(triple, to, delay_us + 1, bytes, len);
}

static unsigned host_of(const struct triple *triple, const struct sl_ip *ip)
{
    for (unsigned i = 0; i < TRIPLE_HOSTS; i++)
        if (i != TRIPLE_GATEWAY && sl_ip_equal(&triple->host[i].ip, ip))
            return i;
    fail_msg("a packet to nobody");
    return 0;
}

static bool send(void *context, const struct sl_tcp_out *out)
{
    struct triple_host *host = context;
    struct triple *triple = host->triple;
    unsigned from = (unsigned)(host - triple->host), to;
    uint8_t packet[2048];
    unsigned at = sl_tcp_write_headers(out, 0, packet);

    for (unsigned i = 0; i < out->n_pieces; at += out->pieces[i++].len)
        memcpy(packet + at, out->pieces[i].data, out->pieces[i].len);
    if (from != TRIPLE_GATEWAY) {
        put_on_wire(triple, from == TRIPLE_CLIENT ? TRIPLE_UP_A : TRIPLE_DOWN_B, TRIPLE_GATEWAY, packet, at);
        return true;
    }
    to = host_of(triple, &out->dst);
    put_on_wire(triple, to == TRIPLE_CLIENT ? TRIPLE_DOWN_A : TRIPLE_UP_B, to, packet, at);
    return true;
}

// ---- the gateway's packets ----------------------------------------------------------------------------------------
static bool of_leg(const struct sl_tcp_saved *saved, const struct sl_tcp_in *in)
{
    return sl_ip_equal(&in->src, &saved->remote) && sl_ip_equal(&in->dst, &saved->local) &&
           in->sport == saved->remote_port && in->dport == saved->local_port;
}

static void give(struct triple *triple, unsigned host, const struct triple_packet *packet)
{
    struct sl_tcp_in in;

    if (sl_tcp_read_packet(&in, packet->block->data, packet->len, false))
        fail_msg("a packet that is none came to host %u", host);
    in.payload.owner = packet->block;
    in.payload.charge = in.payload.len;
    rig_buffers.hold(packet->block);
    if (!sl_tcp_input(triple->host[host].tcp, &in, now_of(triple, host)) || in.payload.len == 0)
        rig_buffers.release(packet->block);
}

static void follow(struct triple *triple)
{
    for (unsigned i = 0; i < 2; i++) {
        struct sl_tcp_saved saved = triple->saved[i];

        if (!triple->residue[i])
            continue;
        sl_tcp_splice_leg(&triple->splice, i, &saved, now_of(triple, TRIPLE_GATEWAY));
        sl_tcp_follow(triple->residue[i], &saved);
    }
}

static void forward(struct triple *triple, unsigned from, const struct triple_packet *packet,
                    const struct sl_tcp_in *in)
{
    const struct sl_tcp_saved *to = &triple->saved[!from];
    const uint8_t *tcp = (const uint8_t *)tcp_of(packet->block->data);
    uint32_t len = packet->len - (uint32_t)(tcp - packet->block->data);
    struct sl_emit_ip ip = {.src = to->local,
                            .dst = to->remote,
                            .payload_len = (uint16_t)len,
                            .proto = SL_PROTO_TCP,
                            .tos = in->ecn,
                            .ttl = 63,
                            .dont_fragment = true};
    uint8_t out[2048], *at = sl_emit_ip(out, &ip);

    memcpy(at, tcp, len);
    put_on_wire(triple, from == 0 ? TRIPLE_UP_B : TRIPLE_DOWN_A, host_of(triple, &to->remote), out,
                (uint32_t)(at - out) + len);
    triple->passed++;
}

static void fenced(struct triple *triple, const struct triple_packet *packet)
{
    int error = triple_part(triple);

    if (error)
        fail_msg("the fence was reached, and parting said %d", error);
    triple->fences++;
    give(triple, TRIPLE_GATEWAY, packet);
}

static void splice(struct triple *triple, unsigned from, const struct triple_packet *packet,
                   const struct sl_tcp_in *in)
{
    struct sl_tcp *tcp = (struct sl_tcp *)tcp_of(packet->block->data);
    uint32_t header = sizeof(*tcp) + in->options_len;
    struct sl_tcp_out out;

    if (triple->residue[from])
        sl_tcp_residue_input(triple->residue[from], in, now_of(triple, TRIPLE_GATEWAY));
    switch (sl_tcp_splice(&triple->splice, from, tcp, header, in->payload.len)) {
    case SL_TCP_SPLICE_STRAY:
        triple->strays++; // fallthrough
        __attribute__((fallthrough));
    case SL_TCP_SPLICE_PASS:
        forward(triple, from, packet, in);
        break;
    case SL_TCP_SPLICE_OLD:
        sl_tcp_splice_answer(&triple->splice, from, &triple->saved[from], &out);
        send(&triple->host[TRIPLE_GATEWAY], &out);
        triple->answered++;
        break;
    case SL_TCP_SPLICE_FENCE:
        fenced(triple, packet);
        return;
    default:
        triple->drops++;
    }
    follow(triple);
    if (sl_tcp_splice_phase(&triple->splice) == SL_TCP_SPLICE_RESET)
        for (unsigned i = 0; i < 2; i++) {
            if (triple->residue[i])
                sl_tcp_abort(triple->residue[i], now_of(triple, TRIPLE_GATEWAY));
            triple->residue[i] = NULL;
        }
}

static void land(struct triple *triple, struct triple_packet *packet)
{
    struct sl_tcp_in in;

    if (packet->to == TRIPLE_GATEWAY && triple->spliced) {
        if (sl_tcp_read_packet(&in, packet->block->data, packet->len, false))
            fail_msg("a packet that is none came to the gateway");
        for (unsigned i = 0; i < 2; i++)
            if (of_leg(&triple->saved[i], &in)) {
                splice(triple, i, packet, &in);
                goto done;
            }
    }
    give(triple, packet->to, packet);
done:
    rig_buffers.release(packet->block);
    free(packet);
}

// ---- applications -----------------------------------------------------------------------------------------------
static void read_all(struct triple *triple, unsigned host, struct triple_end *end)
{
    struct sl_tcp_chunk chunk;
    int got;

    while (!end->idle &&
           (got = sl_tcp_read(end->conn, UINT32_MAX, &chunk, now_of(triple, host))) != -EAGAIN) {
        if (got == 0)
            end->eof = true;
        if (got != 1)
            return;
        uint32_t own = tcp_min_u32(chunk.len, end->skip);

        for (uint32_t i = 0; i < chunk.len; i++)
            if (chunk.data[i] != (i < own ? PREFACE : rig_byte(end->read + i - own)))
                fail_msg("host %u: byte %u is wrong", host, end->read + i);
        end->skip -= own;
        end->read += chunk.len - own;
        rig_buffers.release(chunk.owner);
    }
}

static void application(struct triple *triple, unsigned host, struct triple_end *end)
{
    uint64_t now_us = now_of(triple, host);

    if (!end->conn)
        return;
    read_all(triple, host, end);
    while (end->queued < tcp_min_u32(end->to_send, end->allowed)) {
        uint32_t len = tcp_min_u32(tcp_min_u32(end->to_send, end->allowed) - end->queued, 4000);
        struct sl_tcp_chunk chunk = rig_chunk(end->queued, len);

        if (sl_tcp_send(end->conn, &chunk, now_us)) {
            rig_buffers.release(chunk.owner);
            break;
        }
        end->queued += len;
    }
    if (end->close_when_sent && end->queued == end->to_send && !end->shut)
        end->shut = sl_tcp_shutdown(end->conn, now_us) == 0;
}

static void events(struct triple *triple, unsigned host, struct triple_end *end)
{
    struct sl_tcp_event event;

    while (sl_tcp_event(triple->host[host].tcp, &event)) {
        if (event.bits & SL_TCP_ACCEPTED)
            end->conn = event.conn;
        if (event.bits & SL_TCP_ENDED) {
            read_all(triple, host, end);
            end->ended = true;
            end->error = event.error;
            sl_tcp_close(event.conn, now_of(triple, host));
            end->conn = NULL;
        }
    }
}

// ---- the gateway's application ------------------------------------------------------------------------------------
static const struct sl_tcp_options *options_of(const struct triple *triple, unsigned leg)
{
    return leg == 0 ? &triple->spec.gateway_a : &triple->spec.gateway_b;
}

static struct sl_ip gateway_ip(bool v6, bool inside)
{
    struct sl_ip ip;

    sl_ip_parse(v6 ? (inside ? "2001:db8:b::fe" : "2001:db8:a::fe")
                   : (inside ? "198.51.100.254" : "192.0.2.254"),
                &ip);
    return ip;
}

// What no peer sent: a 200 to CONNECT, a PROXY header. So the streams of the two legs are not one to one.
static void say_first(struct triple *triple, unsigned leg)
{
    uint32_t len = triple->spec.preface[leg];
    struct sl_tcp_chunk chunk;

    if (len == 0)
        return;
    chunk = rig_chunk(0, len);
    memset(((struct rig_block *)chunk.owner)->data, PREFACE, len);
    assert_int_equal(sl_tcp_send(triple->leg[leg], &chunk, now_of(triple, TRIPLE_GATEWAY)), 0);
}

static void connect_backend(struct triple *triple)
{
    struct sl_ip local = gateway_ip(triple->spec.v6_b, true);
    int error = 0;

    triple->leg[1] =
        sl_tcp_connect(triple->host[TRIPLE_GATEWAY].tcp, &local, triple->port[1],
                       &triple->host[TRIPLE_SERVER + triple->backend].ip, SERVER_PORT,
                       &triple->spec.gateway_b, &triple->leg[1], now_of(triple, TRIPLE_GATEWAY), &error);
    assert_int_equal(error, 0);
    triple->connecting = true;
    triple->connected = false;
    say_first(triple, 1);
}

static void relay(struct triple *triple, unsigned from)
{
    uint64_t now_us = now_of(triple, TRIPLE_GATEWAY);
    struct sl_tcp_conn *in = triple->leg[from], *out = triple->leg[!from];
    struct sl_tcp_chunk chunk;
    int got;

    if (!in || !out || !triple->connected || triple->own_answers)
        return;
    while ((got = sl_tcp_read(in, UINT32_MAX, &chunk, now_us)) == 1) {
        triple->relayed[from] += chunk.len;
        if (sl_tcp_send(out, &chunk, now_us)) { // the other leg was reset
            rig_buffers.release(chunk.owner);
            triple->dead = true;
            return;
        }
    }
    if (got == 0 && !triple->eof[from])
        triple->eof[from] = sl_tcp_shutdown(out, now_us) == 0;
}

static void gateway_ended(struct triple *triple, const struct sl_tcp_event *event)
{
    for (unsigned i = 0; i < 2; i++) {
        if (event->conn == triple->residue[i]) {
            triple->residue[i] = NULL;
            triple->residue_error = event->error;
        } else if (event->conn == triple->leg[i]) {
            triple->leg[i] = NULL;
            triple->leg_error[i] = event->error;
            triple->dead |= event->error != 0;
        }
    }
    sl_tcp_close(event->conn, now_of(triple, TRIPLE_GATEWAY));
}

static void gateway_events(struct triple *triple)
{
    struct sl_tcp_event event;

    while (sl_tcp_event(triple->host[TRIPLE_GATEWAY].tcp, &event)) {
        if (event.bits & SL_TCP_ACCEPTED) {
            triple->leg[0] = event.conn;
            sl_tcp_user_set(event.conn, &triple->leg[0]);
            say_first(triple, 0);
            if (!triple->connecting)
                connect_backend(triple);
        }
        if (event.bits & SL_TCP_CONNECTED)
            triple->connected = true;
        if (event.bits & SL_TCP_ENDED)
            gateway_ended(triple, &event);
    }
}

// ---- joining and parting ------------------------------------------------------------------------------------------
static void put_back(struct triple *triple, unsigned leg, int detached)
{
    int error = 0;

    triple->leg[leg] =
        sl_tcp_attach(triple->host[TRIPLE_GATEWAY].tcp, &triple->saved[leg], options_of(triple, leg),
                      &triple->leg[leg], now_of(triple, TRIPLE_GATEWAY), &error);
    if (error)
        fail_msg("leg %u could not be put back: %d", leg, error);
    triple->resumed += detached == 1;
}

bool triple_join(struct triple *triple)
{
    struct sl_tcp_engine *tcp = triple->host[TRIPLE_GATEWAY].tcp;
    uint64_t now_us = now_of(triple, TRIPLE_GATEWAY);
    int out[2];

    if (!triple->leg[0] || !triple->leg[1] || triple->spliced)
        return false;
    for (unsigned i = 0; i < 2; i++)
        sl_tcp_quick_ack(triple->leg[i], true, now_us);
    sl_tcp_output(tcp, now_us);
    out[0] = sl_tcp_detach(triple->leg[0], &triple->saved[0], now_us);
    if (out[0] < 0)
        return false;
    out[1] = sl_tcp_detach(triple->leg[1], &triple->saved[1], now_us);
    if (out[1] < 0) {
        put_back(triple, 0, out[0]);
        return false;
    }
    triple->refused = sl_tcp_splice_join(&triple->splice, &triple->saved[0], &triple->saved[1]);
    if (triple->refused) {
        put_back(triple, 0, out[0]);
        put_back(triple, 1, out[1]);
        return false;
    }
    for (unsigned i = 0; i < 2; i++) {
        triple->residue[i] = out[i] == 1 ? triple->leg[i] : NULL;
        triple->residues += out[i] == 1;
        triple->leg[i] = NULL;
    }
    triple->spliced = true;
    triple->joins++;
    return true;
}

int triple_part(struct triple *triple)
{
    int error = sl_tcp_splice_part(&triple->splice, &triple->saved[0], &triple->saved[1],
                                   now_of(triple, TRIPLE_GATEWAY));

    if (error)
        return error;
    gateway_events(triple); // residues that have ended
    assert_null(triple->residue[0]);
    assert_null(triple->residue[1]);
    triple->spliced = false;
    put_back(triple, 0, 0);
    put_back(triple, 1, 0);
    triple->parts++;
    return 0;
}

void triple_reset(struct triple *triple)
{
    struct sl_tcp_out out;

    for (unsigned i = 0; i < 2; i++) {
        sl_tcp_splice_reset(&triple->splice, i, &triple->saved[i], &out);
        send(&triple->host[TRIPLE_GATEWAY], &out);
    }
    triple->spliced = false;
}

bool triple_quiet(struct triple *triple)
{
    struct sl_tcp_saved saved[2] = {triple->saved[0], triple->saved[1]};

    return triple->spliced &&
           sl_tcp_splice_part(&triple->splice, &saved[0], &saved[1], now_of(triple, TRIPLE_GATEWAY)) == 0;
}

void triple_backend(struct triple *triple, unsigned backend)
{
    sl_tcp_close(triple->leg[1], now_of(triple, TRIPLE_GATEWAY));
    triple->backend = backend;
    triple->relayed[0] = triple->relayed[1] = 0;
    connect_backend(triple);
}

void triple_answer(struct triple *triple, uint32_t from, uint32_t bytes)
{
    struct sl_tcp_chunk chunk = rig_chunk(from, bytes);

    assert_int_equal(sl_tcp_send(triple->leg[0], &chunk, now_of(triple, TRIPLE_GATEWAY)), 0);
}

// ---- running ----------------------------------------------------------------------------------------------------
static void check(const struct triple *triple, unsigned host)
{
    const char *wrong = sl_tcp_check(triple->host[host].tcp, NULL);

    if (wrong)
        fail_msg("host %u: invariant: %s", host, wrong);
}

static void attend(struct triple *triple, unsigned host, struct triple_end *end)
{
    struct sl_tcp_engine *tcp = triple->host[host].tcp;
    uint64_t now_us = now_of(triple, host);

    sl_tcp_tick(tcp, now_us);
    events(triple, host, end);
    application(triple, host, end);
    sl_tcp_output(tcp, now_us);
    events(triple, host, end);
    check(triple, host);
}

static void attend_gateway(struct triple *triple)
{
    struct sl_tcp_engine *tcp = triple->host[TRIPLE_GATEWAY].tcp;
    uint64_t now_us = now_of(triple, TRIPLE_GATEWAY);

    sl_tcp_tick(tcp, now_us);
    gateway_events(triple);
    relay(triple, 0);
    relay(triple, 1);
    if (triple->want_join && triple->connected && !triple->spliced)
        triple_join(triple);
    sl_tcp_output(tcp, now_us);
    gateway_events(triple);
    check(triple, TRIPLE_GATEWAY);
}

static uint64_t next_us(const struct triple *triple)
{
    uint64_t due = triple->head ? triple->head->due_us : UINT64_MAX;

    for (unsigned i = 0; i < TRIPLE_HOSTS; i++) {
        uint64_t at = sl_tcp_deadline(triple->host[i].tcp);

        if (at != UINT64_MAX)
            due = tcp_min_u64(due, at > triple->host[i].ahead_us ? at - triple->host[i].ahead_us : 0);
    }
    return triple->spec.burst ? tcp_min_u64(due, triple->burst_at_us) : due;
}

static void burst(struct triple *triple)
{
    if (!triple->spec.burst || triple->now_us < triple->burst_at_us)
        return;
    triple->burst_at_us = triple->now_us + triple->spec.burst_us;
    triple->client.allowed += triple_random(triple, 2) * triple_random(triple, triple->spec.burst);
    triple->server[triple->backend].allowed +=
        triple_random(triple, 2) * triple_random(triple, triple->spec.burst);
    if (triple->client.allowed >= triple->client.to_send &&
        triple->server[0].allowed >= triple->server[0].to_send)
        triple->burst_at_us = UINT64_MAX;
}

void triple_run(struct triple *triple, uint64_t for_us, bool (*done)(struct triple *triple))
{
    uint64_t until_us = triple->now_us + for_us, due;

    for (;;) {
        burst(triple);
        while (triple->head && triple->head->due_us <= triple->now_us) {
            struct triple_packet *packet = triple->head;

            triple->head = packet->next;
            land(triple, packet);
        }
        attend(triple, TRIPLE_CLIENT, &triple->client);
        attend_gateway(triple);
        attend(triple, TRIPLE_SERVER, &triple->server[0]);
        attend(triple, TRIPLE_SERVER2, &triple->server[1]);
        if (triple->every)
            triple->every(triple);
        if (done && done(triple))
            return;
        due = next_us(triple);
        if (due > until_us) {
            triple->now_us = until_us;
            return;
        }
        triple->now_us = due > triple->now_us ? due : triple->now_us + 1;
    }
}

bool triple_delivered(struct triple *triple)
{
    return triple->client.read == triple->server[0].to_send &&
           triple->server[0].read == triple->client.to_send;
}

bool triple_closed(struct triple *triple)
{
    return triple->client.ended && triple->server[0].ended;
}

// ---- making -----------------------------------------------------------------------------------------------------
void triple_spec_default(struct triple_spec *spec)
{
    *spec = (struct triple_spec){.delay_us = {5 * RIG_MS, 10 * RIG_MS}, .seed = 1};
    sl_tcp_options_default(&spec->client);
    spec->gateway_a = spec->gateway_b = spec->server = spec->client;
}

static void host_new(struct triple *triple, unsigned i)
{
    static const char *const v4[] = {"192.0.2.1", "192.0.2.254", "198.51.100.1", "198.51.100.2"};
    static const char *const v6[] = {"2001:db8:a::1", "2001:db8:a::fe", "2001:db8:b::1", "2001:db8:b::2"};
    struct triple_host *host = &triple->host[i];
    struct sl_tcp_config config;

    rig_config(&config);
    config.connections = 16;
    config.buffers_held = config.segments_held = 8192;
    config.entropy[0] ^= (uint64_t)(i + 1) * 0x9e3779b97f4a7c15 ^ triple->spec.seed;
    host->triple = triple;
    config.context = host;
    config.send = send;
    config.now_us = triple->now_us + host->ahead_us;
    host->tcp = sl_tcp_new(&config);
    assert_non_null(host->tcp);
    sl_ip_parse((i < TRIPLE_SERVER ? triple->spec.v6_a : triple->spec.v6_b) ? v6[i] : v4[i], &host->ip);
}

static uint32_t isn(const struct triple *triple, unsigned host, struct sl_ip local, sl_be16 local_port,
                    struct sl_ip remote, sl_be16 remote_port)
{
    struct tcp_tuple tuple = {local, remote, local_port, remote_port};

    return tcp_isn(&triple->host[host].tcp->secret, &tuple, now_of(triple, host));
}

#define BEFORE_WRAP 0xffff0000u

// Numbers begin with the clock (RFC 9293 section 3.4.1): a host is put ahead until its own are near their end. The
// gateway has one clock for two legs: a port is looked for that suits the second.
static void near_wrap(struct triple *triple, const struct sl_ip gateway[2])
{
    struct triple_host *host = triple->host;
    sl_be16 port = triple->port[0];
    uint32_t best = UINT32_MAX;

    host[TRIPLE_CLIENT].ahead_us += 4ull * (uint32_t)(BEFORE_WRAP - isn(triple, TRIPLE_CLIENT, host[0].ip,
                                                                        CLIENT_PORT, gateway[0], port));
    host[TRIPLE_GATEWAY].ahead_us += 4ull * (uint32_t)(BEFORE_WRAP - isn(triple, TRIPLE_GATEWAY, gateway[0],
                                                                         port, host[0].ip, CLIENT_PORT));
    for (uint32_t i = 1024; i < 65536; i++) {
        uint32_t left = 0u - isn(triple, TRIPLE_GATEWAY, gateway[1], sl_be16_of((uint16_t)i),
                                 host[TRIPLE_SERVER].ip, SERVER_PORT);

        if (left < best && left > 20000)
            best = left, triple->port[1] = sl_be16_of((uint16_t)i);
    }
    host[TRIPLE_SERVER].ahead_us +=
        4ull * (uint32_t)(BEFORE_WRAP - isn(triple, TRIPLE_SERVER, host[TRIPLE_SERVER].ip, SERVER_PORT,
                                            gateway[1], triple->port[1]));
}

struct triple *triple_new(const struct triple_spec *spec)
{
    struct triple *triple = calloc(1, sizeof(*triple));
    struct sl_ip gateway[2] = {gateway_ip(spec->v6_a, false), gateway_ip(spec->v6_b, true)};

    assert_non_null(triple);
    triple->spec = *spec;
    triple->now_us = 1000 * RIG_S;
    triple->random = 0x9e3779b97f4a7c15 ^ (uint64_t)spec->seed * 0xbf58476d1ce4e5b9;
    triple->port[0] = sl_be16_of(443);
    triple->port[1] = sl_be16_of(50000);
    for (unsigned i = 0; i < TRIPLE_HOSTS; i++) {
        triple->host[i].ahead_us = triple_random(triple, 1000000);
        host_new(triple, i);
    }
    if (spec->wraps)
        near_wrap(triple, gateway);
    triple->client.allowed = triple->server[0].allowed = triple->server[1].allowed =
        spec->burst ? spec->burst : UINT32_MAX;
    triple->burst_at_us = triple->now_us;
    triple->client.skip = spec->preface[0];
    triple->server[0].skip = triple->server[1].skip = spec->preface[1];
    return triple;
}

void triple_begin(struct triple *triple)
{
    struct sl_ip gateway = gateway_ip(triple->spec.v6_a, false);
    int error = 0;

    for (unsigned i = TRIPLE_SERVER; i < TRIPLE_HOSTS; i++)
        assert_non_null(sl_tcp_listen(triple->host[i].tcp, &triple->host[i].ip, SERVER_PORT,
                                      &triple->spec.server, NULL, &error));
    assert_non_null(sl_tcp_listen(triple->host[TRIPLE_GATEWAY].tcp, &gateway, triple->port[0],
                                  &triple->spec.gateway_a, NULL, &error));
    triple->client.conn = sl_tcp_connect(triple->host[TRIPLE_CLIENT].tcp, &triple->host[TRIPLE_CLIENT].ip,
                                         CLIENT_PORT, &gateway, triple->port[0], &triple->spec.client, NULL,
                                         now_of(triple, TRIPLE_CLIENT), &error);
    assert_int_equal(error, 0);
}

void triple_free(struct triple *triple)
{
    while (triple->head) {
        struct triple_packet *packet = triple->head;

        triple->head = packet->next;
        rig_buffers.release(packet->block);
        free(packet);
    }
    for (unsigned i = 0; i < TRIPLE_HOSTS; i++)
        sl_tcp_free(triple->host[i].tcp);
    free(triple);
    assert_int_equal(rig_blocks, 0);
}
