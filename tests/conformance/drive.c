// SPDX-License-Identifier: Apache-2.0
#include "drive.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "wire/headers.h"

#define PEER_ISN 1000000u

// ---- life -------------------------------------------------------------------------------------------------
void drive_init(struct drive *d, const char *flags)
{
    void (*init)(const char *, struct packetdrill_interface *);

    *(void **)&init = dlsym(d->handle, "packetdrill_interface_init");
    assert_non_null(init);
    init(flags, &d->pd);
}

static struct drive *drive_open(const char *flags, bool v6)
{
    struct drive *d = calloc(1, sizeof(*d));
    const char *file = getenv("SLUICE_PACKETDRILL");

    assert_non_null(d);
    assert_non_null(file);
    d->handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (d->handle == NULL)
        fail_msg("%s", dlerror());
    drive_init(d, flags);
    assert_non_null(d->pd.userdata);
    d->v6 = v6;
    assert_int_equal(sl_ip_parse(v6 ? "fd3d:fa7b:d17d::1" : "192.168.0.1", &d->local), 0);
    assert_int_equal(sl_ip_parse(v6 ? "2001:db8::1" : "192.0.2.1", &d->remote), 0);
    d->local_port = sl_be16_of(DRIVE_PORT);
    d->remote_port = sl_be16_of(45678);
    d->tsval = 100;
    return d;
}

struct drive *drive_new(const char *flags)
{
    return drive_open(flags, false);
}

struct drive *drive_new_v6(const char *flags)
{
    return drive_open(flags, true);
}

void drive_free(struct drive *d)
{
    d->pd.free(d->pd.userdata);
    dlclose(d->handle);
    free(d);
}

uint64_t drive_now(struct drive *d)
{
    struct timeval tv;

    assert_int_equal(PD(d, gettimeofday, &tv, NULL), 0);
    return (uint64_t)tv.tv_sec * S + (uint64_t)tv.tv_usec;
}

void drive_wait(struct drive *d, uint32_t us)
{
    assert_int_equal(PD(d, usleep, us), 0);
}

// ---- packets ----------------------------------------------------------------------------------------------
void drive_put_options(struct drive *d, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack,
                       uint16_t window, const struct tcp_options *options)
{
    static uint8_t payload[9000];
    uint8_t packet[SL_TCP_HEADERS_MAX + sizeof(payload)];
    struct tcp_options all = options ? *options : (struct tcp_options){0};
    struct sl_tcp_out out = {.src = d->remote,
                             .dst = d->local,
                             .sport = d->remote_port,
                             .dport = d->local_port,
                             .seq = PEER_ISN + seq,
                             .ack = flags & SL_TCP_ACK ? d->isn + ack : 0,
                             .flags = flags,
                             .window = window,
                             .hop_limit = 64,
                             .len = (uint16_t)len};
    unsigned headers;

    for (uint32_t i = 0; i < len; i++)
        payload[i] = (uint8_t)(seq + i);
    if (d->timestamps) {
        all.present |= TCP_OPTION_TIMESTAMPS;
        all.tsval = ++d->tsval;
        all.tsecr = d->tsecr;
    }
    out.options_len = (uint8_t)tcp_options_write(out.options, &all);
    out.n_pieces = len != 0;
    out.pieces[0] = (struct sl_tcp_chunk){payload, len, len, NULL};
    headers = sl_tcp_write_headers(&out, 1, packet);
    memcpy(packet + headers, payload, len);
    assert_int_equal(PD(d, netdev_send, packet, headers + len), 0);
}

void drive_put(struct drive *d, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack, uint16_t window)
{
    drive_put_options(d, flags, seq, len, ack, window, NULL);
}

static void describe(struct seen *seen, const struct sl_tcp_in *in)
{
    seen->flags = in->flags;
    seen->ecn = in->ecn;
    seen->window = in->window;
    seen->urgent = in->urgent;
    seen->len = in->payload.len;
    seen->src = in->src;
    seen->dst = in->dst;
    seen->sport = in->sport;
    seen->dport = in->dport;
    memcpy(seen->payload, in->payload.data, in->payload.len);
    tcp_options_read(&seen->options, in->options, in->options_len, in->flags & SL_TCP_SYN);
}

struct seen drive_take(struct drive *d)
{
    uint8_t packet[9100];
    size_t len = sizeof(packet);
    long long at_us;
    struct sl_tcp_in in;
    struct seen seen = {0};

    assert_int_equal(PD(d, netdev_receive, packet, &len, &at_us), 0);
    if (len == 0)
        fail_msg("nothing ever comes out");
    assert_int_equal(sl_tcp_read_packet(&in, packet, len, false), 0); // its checksums are right
    describe(&seen, &in);
    seen.at_us = (uint64_t)at_us;
    seen.hop_limit = packet[0] >> 4 == 4 ? packet[8] : packet[7];
    seen.traffic_class = packet[0] >> 4 == 4 ? packet[1] : (uint8_t)(packet[0] << 4 | packet[1] >> 4);
    if (in.flags & SL_TCP_SYN) {
        d->isn = in.seq;
        if (!(in.flags & SL_TCP_ACK))
            d->local_port = in.sport;
    }
    if (seen.options.present & TCP_OPTION_TIMESTAMPS)
        d->tsecr = seen.options.tsval;
    seen.seq = in.seq - d->isn;
    seen.ack = in.flags & SL_TCP_ACK ? in.ack - PEER_ISN : 0;
    return seen;
}

struct seen drive_expect(struct drive *d, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack)
{
    struct seen seen = drive_take(d);

    if (seen.flags != flags || seen.seq != seq || seen.len != len || seen.ack != ack)
        fail_msg("came out: flags 0x%02x seq %u len %u ack %u; expected: 0x%02x %u %u %u", seen.flags,
                 seen.seq, seen.len, seen.ack, flags, seq, len, ack);
    return seen;
}

// The next packet is the answer to what a closed port is asked now.
void drive_expect_silence(struct drive *d)
{
    uint64_t now_us = drive_now(d);
    sl_be16 port = d->local_port;
    struct seen seen;

    d->local_port = sl_be16_of(9);
    drive_put(d, SL_TCP_SYN, 77, 0, 0, 1000);
    d->local_port = port;
    seen = drive_take(d);
    if (seen.sport != sl_be16_of(9))
        fail_msg("came out: flags 0x%02x seq %u len %u ack %u, %llu us ago; expected: nothing", seen.flags,
                 seen.seq, seen.len, seen.ack, (unsigned long long)(now_us - seen.at_us));
}

// ---- sockets ----------------------------------------------------------------------------------------------
struct sockaddr_storage drive_address(const struct drive *d, const struct sl_ip *ip, sl_be16 port)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = ip->w[3]};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

    memcpy(&v6.sin6_addr, ip, 16);
    memcpy(&storage, d->v6 ? (void *)&v6 : (void *)&v4, d->v6 ? sizeof(v6) : sizeof(v4));
    return storage;
}

int drive_socket(struct drive *d, bool blocking)
{
    int fd = PD(d, socket, d->v6 ? AF_INET6 : AF_INET, SOCK_STREAM, IPPROTO_TCP);

    assert_true(fd >= 0);
    assert_int_equal(PD(d, fcntl, fd, F_GETFL), O_RDWR);
    if (!blocking)
        assert_int_equal(PD(d, fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    return fd;
}

int drive_listen(struct drive *d)
{
    struct sockaddr_storage addr = drive_address(d, &d->local, d->local_port);
    int fd = drive_socket(d, true), one = 1;

    assert_int_equal(PD(d, setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    assert_int_equal(PD(d, bind, fd, (void *)&addr, sizeof(addr)), 0);
    assert_int_equal(PD(d, listen, fd, 5), 0);
    return fd;
}

int drive_accept(struct drive *d, int listener)
{
    struct sockaddr_storage addr = {0}, peer = drive_address(d, &d->remote, d->remote_port);
    socklen_t len = sizeof(addr);
    int fd = PD(d, accept, listener, (void *)&addr, &len);

    assert_true(fd >= 0);
    assert_memory_equal(&addr, &peer, len);
    return fd;
}

int drive_connect(struct drive *d, int fd)
{
    struct sockaddr_storage addr = drive_address(d, &d->remote, d->remote_port);

    return PD(d, connect, fd, (void *)&addr, sizeof(addr));
}

struct tcp_options drive_syn(void)
{
    return (struct tcp_options){.present = TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_WSCALE,
                                .mss = 1460};
}

int drive_open_passive(struct drive *d)
{
    struct tcp_options syn = drive_syn();
    int listener = drive_listen(d), fd;

    drive_put_options(d, SL_TCP_SYN, 0, 0, 0, 32792, &syn);
    drive_expect(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1);
    drive_put(d, SL_TCP_ACK, 1, 0, 1, 32792);
    fd = drive_accept(d, listener);
    assert_int_equal(PD(d, close, listener), 0);
    return fd;
}

int drive_open_active(struct drive *d)
{
    struct tcp_options syn = drive_syn();
    int fd = drive_socket(d, false);

    drive_fails(drive_connect(d, fd), EINPROGRESS);
    drive_expect(d, SL_TCP_SYN, 0, 0, 0);
    drive_put_options(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1, 32792, &syn);
    drive_expect(d, SL_TCP_ACK, 1, 0, 1);
    return fd;
}

void drive_fails(ssize_t result, int error)
{
    int got = errno;

    if (result != -1 || got != error)
        fail_msg("result %zd, %s; expected: -1, %s", result, strerror(got), strerror(error));
}

// ---- blocking calls ---------------------------------------------------------------------------------------
static void *call_run(void *argument)
{
    struct drive_call *call = argument;

    call->tid = gettid();
    call->result = call->run(call->d, call->fd);
    call->error = errno;
    call->at_us = drive_now(call->d);
    return NULL;
}

static bool is_asleep(int tid)
{
    char path[64], text[256] = "";
    FILE *file;
    char *end;

    snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    file = fopen(path, "r");
    if (file == NULL)
        return true; // has returned already
    if (fgets(text, sizeof(text), file) == NULL)
        text[0] = 0;
    fclose(file);
    end = strrchr(text, ')');
    return end && end[2] == 'S';
}

// Returns when the thread sleeps in the call, as packetdrill does.
void drive_call_begin(struct drive_call *call, struct drive *d, ssize_t (*run)(struct drive *, int), int fd)
{
    *call = (struct drive_call){.d = d, .run = run, .fd = fd};
    assert_int_equal(pthread_create(&call->thread, NULL, call_run, call), 0);
    for (int i = 0; i < 5000 && (call->tid == 0 || !is_asleep(call->tid)); i++)
        usleep(1000);
}

void drive_call_end(struct drive_call *call)
{
    assert_int_equal(pthread_join(call->thread, NULL), 0);
}
