// SPDX-License-Identifier: Apache-2.0
// Opening and closing through packetdrill's table: handshakes, blocking calls, errors of calls in the wrong state.
#include "drive.h"
#include "wire/headers.h"

static void a_passive_open_gives_accept_a_connection(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct drive *d = v6 ? drive_new_v6("") : drive_new("");

        drive_open_passive(d);
        drive_free(d);
    }
}

static void an_ipv6_listener_takes_ipv4_unless_told_not_to(void **state)
{
    for (int only_v6 = 0; only_v6 < 2; only_v6++) {
        struct drive *d = drive_new_v6("");
        struct sl_ip any = {0};
        struct sockaddr_storage addr = drive_address(d, &any, d->local_port);
        int fd = drive_socket(d, true);

        assert_int_equal(PD(d, setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6)), 0);
        assert_int_equal(PD(d, bind, fd, (void *)&addr, sizeof(addr)), 0);
        assert_int_equal(PD(d, listen, fd, 5), 0);
        sl_ip_parse("192.168.0.1", &d->local);
        sl_ip_parse("192.0.2.1", &d->remote);
        drive_put(d, SL_TCP_SYN, 0, 0, 0, 1000);
        if (only_v6) {
            drive_expect(d, SL_TCP_RST | SL_TCP_ACK, -d->isn, 0, 1);
        } else {
            drive_expect(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1);
            drive_put(d, SL_TCP_ACK, 1, 0, 1, 1000);
            drive_accept(d, fd); // the address is ::ffff:192.0.2.1
        }
        drive_free(d);
    }
}

static ssize_t accepts(struct drive *d, int fd)
{
    return PD(d, accept, fd, NULL, NULL);
}

static void accept_blocks_until_the_handshake_ends(void **state)
{
    struct drive *d = drive_new("");
    struct tcp_options syn = drive_syn();
    int listener = drive_listen(d);
    struct drive_call call;
    uint64_t at_us;

    drive_call_begin(&call, d, accepts, listener);
    drive_wait(d, 100 * MS);
    drive_put_options(d, SL_TCP_SYN, 0, 0, 0, 32792, &syn);
    drive_expect(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1);
    drive_wait(d, 50 * MS);
    at_us = drive_now(d);
    drive_put(d, SL_TCP_ACK, 1, 0, 1, 32792);
    drive_wait(d, S);
    drive_call_end(&call);
    assert_true(call.result >= 0);
    assert_in_range(call.at_us, at_us, at_us + 100); // the second that passed since is not in it
    drive_free(d);
}

static void accept_that_may_not_block_says_again(void **state)
{
    struct drive *d = drive_new("");
    int listener = drive_listen(d), fd;

    assert_int_equal(PD(d, fcntl, listener, F_SETFL, O_NONBLOCK), 0);
    drive_fails(accepts(d, listener), EAGAIN);
    fd = drive_socket(d, true);
    drive_fails(accepts(d, fd), EINVAL);
    drive_fails(accepts(d, 9999), EBADF);
    drive_free(d);
}

static void an_active_open_connects(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_active(d), error = -1;
    socklen_t len = sizeof(error);

    assert_int_equal(PD(d, getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, 0);
    assert_int_equal(drive_connect(d, fd), 0); // the first is told of success
    drive_fails(drive_connect(d, fd), EISCONN);
    drive_free(d);
}

static void a_second_connect_in_progress_says_already(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_socket(d, false);

    drive_fails(drive_connect(d, fd), EINPROGRESS);
    drive_fails(drive_connect(d, fd), EALREADY);
    drive_free(d);
}

static ssize_t connects(struct drive *d, int fd)
{
    return drive_connect(d, fd);
}

static void a_blocking_connect_returns_with_the_syn_ack(void **state)
{
    struct drive *d = drive_new("");
    struct tcp_options syn = drive_syn();
    struct drive_call call;
    uint64_t at_us;

    drive_call_begin(&call, d, connects, drive_socket(d, true));
    drive_expect(d, SL_TCP_SYN, 0, 0, 0);
    drive_wait(d, 30 * MS);
    at_us = drive_now(d);
    drive_put_options(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1, 5000, &syn);
    drive_expect(d, SL_TCP_ACK, 1, 0, 1);
    drive_wait(d, S);
    drive_call_end(&call);
    assert_int_equal(call.result, 0);
    assert_in_range(call.at_us, at_us, at_us + 100);
    drive_free(d);
}

static void a_reset_refuses_the_connect(void **state)
{
    struct drive *d = drive_new("");
    struct tcp_options syn = drive_syn();
    int fd = drive_socket(d, false);

    drive_fails(drive_connect(d, fd), EINPROGRESS);
    drive_expect(d, SL_TCP_SYN, 0, 0, 0);
    drive_put(d, SL_TCP_RST | SL_TCP_ACK, 0, 0, 1, 0);
    drive_fails(drive_connect(d, fd), ECONNREFUSED);
    drive_fails(drive_connect(d, fd), EINPROGRESS); // the socket may try again
    drive_expect(d, SL_TCP_SYN, 0, 0, 0);
    drive_put_options(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1, 5000, &syn);
    drive_expect(d, SL_TCP_ACK, 1, 0, 1);
    drive_free(d);
}

static void a_connect_that_nobody_answers_times_out(void **state)
{
    static const uint32_t after_ms[] = {0, 1000, 3000, 7000, 15000, 31000, 63000};
    struct drive *d = drive_new("");
    struct drive_call call;
    uint64_t begin_us = drive_now(d);

    drive_call_begin(&call, d, connects, drive_socket(d, true));
    for (unsigned i = 0; i < 7; i++) {
        struct seen seen = drive_expect(d, SL_TCP_SYN, 0, 0, 0);

        assert_in_range(seen.at_us - begin_us, after_ms[i] * MS, after_ms[i] * MS + 5 * MS);
    }
    drive_wait(d, 120 * S);
    drive_call_end(&call);
    assert_int_equal(call.result, -1);
    assert_int_equal(call.error, ETIMEDOUT);
    assert_in_range(call.at_us - begin_us, 127 * S, 127 * S + 10 * MS);
    drive_free(d);
}

static void a_connect_gives_up_after_the_send_timeout(void **state)
{
    struct drive *d = drive_new("");
    struct timeval timeout = {0, 200000};
    int fd = drive_socket(d, true);
    struct drive_call call;
    uint64_t begin_us = drive_now(d);

    assert_int_equal(PD(d, setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
    drive_call_begin(&call, d, connects, fd);
    drive_wait(d, S);
    drive_call_end(&call);
    assert_int_equal(call.result, -1);
    assert_int_equal(call.error, EINPROGRESS);
    assert_in_range(call.at_us - begin_us, 200 * MS, 201 * MS);
    drive_free(d);
}

// An ICMP error about the SYN: type 3, the code, and the quote.
static void put_unreachable(struct drive *d, uint8_t code, uint32_t seq)
{
    uint8_t packet[20 + 8 + 28] = {0x45, 0, 0, sizeof(packet), 0, 0, 0, 0, 64, 1}, *quote = packet + 28;
    uint32_t number = sl_be32_of(d->isn + seq);

    memcpy(packet + 12, &d->remote.w[3], 4);
    memcpy(packet + 16, &d->local.w[3], 4);
    packet[20] = 3;
    packet[21] = code;
    quote[0] = 0x45;
    quote[9] = 6;
    memcpy(quote + 12, &d->local.w[3], 4);
    memcpy(quote + 16, &d->remote.w[3], 4);
    memcpy(quote + 20, &d->local_port, 2);
    memcpy(quote + 22, &d->remote_port, 2);
    memcpy(quote + 24, &number, 4);
    assert_int_equal(PD(d, netdev_send, packet, sizeof(packet)), 0);
}

static void a_port_unreachable_refuses_the_connect(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_socket(d, false), error = 0;
    socklen_t len = sizeof(error);

    drive_fails(drive_connect(d, fd), EINPROGRESS);
    drive_expect(d, SL_TCP_SYN, 0, 0, 0);
    put_unreachable(d, 3, 12345); // no number of ours
    assert_int_equal(PD(d, getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, 0);
    put_unreachable(d, 3, 0);
    assert_int_equal(PD(d, getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, ECONNREFUSED);
    drive_fails(drive_connect(d, fd), ECONNABORTED); // the error was taken already
    drive_free(d);
}

static void close_sends_fin_and_waits(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);

    assert_int_equal(PD(d, close, fd), 0);
    drive_expect(d, SL_TCP_FIN | SL_TCP_ACK, 1, 0, 1);
    drive_put(d, SL_TCP_ACK, 1, 0, 2, 5000);
    drive_put(d, SL_TCP_FIN | SL_TCP_ACK, 1, 0, 2, 5000);
    drive_expect(d, SL_TCP_ACK, 2, 0, 2);
    drive_put(d, SL_TCP_FIN | SL_TCP_ACK, 1, 0, 2, 5000); // TIME-WAIT answers it
    drive_expect(d, SL_TCP_ACK, 2, 0, 2);
    drive_fails(PD(d, close, fd), EBADF);
    drive_free(d);
}

static void a_peer_that_closes_first_is_read_as_the_end(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    char byte;

    drive_put(d, SL_TCP_FIN | SL_TCP_ACK, 1, 0, 1, 5000);
    drive_expect(d, SL_TCP_ACK, 1, 0, 2);
    assert_int_equal(PD(d, read, fd, &byte, 1), 0);
    assert_int_equal(PD(d, write, fd, "x", 1), 1);
    drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 1, 2);
    drive_put(d, SL_TCP_ACK, 2, 0, 2, 5000);
    assert_int_equal(PD(d, close, fd), 0);
    drive_expect(d, SL_TCP_FIN | SL_TCP_ACK, 2, 0, 2);
    drive_put(d, SL_TCP_ACK, 2, 0, 3, 5000);
    drive_expect_silence(d);
    drive_free(d);
}

static void closing_with_unread_bytes_resets(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);

    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 100, 1, 5000);
    drive_expect(d, SL_TCP_ACK, 1, 0, 101);
    assert_int_equal(PD(d, close, fd), 0);
    drive_expect(d, SL_TCP_RST | SL_TCP_ACK, 1, 0, 101);
    drive_free(d);
}

static void linger_of_zero_resets(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct linger linger = {1, 0}, got = {0};
    socklen_t len = sizeof(got);

    assert_int_equal(PD(d, setsockopt, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(PD(d, getsockopt, fd, SOL_SOCKET, SO_LINGER, &got, &len), 0);
    assert_memory_equal(&got, &linger, sizeof(got));
    assert_int_equal(PD(d, close, fd), 0);
    drive_expect(d, SL_TCP_RST | SL_TCP_ACK, 1, 0, 1);
    drive_free(d);
}

static void a_reset_is_told_once(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), error = 0;
    socklen_t len = sizeof(error);
    char byte;

    drive_put(d, SL_TCP_RST, 1, 0, 0, 0);
    drive_fails(PD(d, read, fd, &byte, 1), ECONNRESET);
    assert_int_equal(PD(d, read, fd, &byte, 1), 0);
    drive_fails(PD(d, write, fd, "x", 1), EPIPE);
    assert_int_equal(PD(d, getsockopt, fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, 0);
    drive_free(d);
}

static void shutdown_for_writing_leaves_reading_open(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    char bytes[10];

    assert_int_equal(PD(d, shutdown, fd, SHUT_WR), 0);
    drive_expect(d, SL_TCP_FIN | SL_TCP_ACK, 1, 0, 1);
    drive_fails(PD(d, write, fd, "x", 1), EPIPE);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 10, 2, 5000);
    drive_expect(d, SL_TCP_ACK, 2, 0, 11);
    assert_int_equal(PD(d, read, fd, bytes, 10), 10);
    drive_put(d, SL_TCP_FIN | SL_TCP_ACK, 11, 0, 2, 5000);
    drive_expect(d, SL_TCP_ACK, 2, 0, 12);
    assert_int_equal(PD(d, read, fd, bytes, 10), 0);
    drive_free(d);
}

static void shutdown_for_reading_ends_reads_at_once(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), fresh = drive_socket(d, true);
    char byte;

    assert_int_equal(PD(d, shutdown, fd, SHUT_RD), 0);
    assert_int_equal(PD(d, read, fd, &byte, 1), 0);
    drive_expect_silence(d);
    drive_fails(PD(d, shutdown, fresh, SHUT_WR), ENOTCONN);
    drive_fails(PD(d, shutdown, fd, 7), EINVAL);
    drive_free(d);
}

static void connecting_to_nowhere_disconnects(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_active(d);
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    assert_int_equal(PD(d, connect, fd, &nowhere, sizeof(nowhere)), 0);
    drive_expect(d, SL_TCP_RST | SL_TCP_ACK, 1, 0, 1);
    drive_fails(drive_connect(d, fd), EINPROGRESS);
    drive_expect(d, SL_TCP_SYN, 0, 0, 0);
    drive_free(d);
}

static void ports_are_taken_as_linux_takes_them(void **state)
{
    struct drive *d = drive_new("");
    struct sockaddr_storage addr = drive_address(d, &d->local, d->local_port);
    int listener = drive_listen(d), other = drive_socket(d, true), one = 1;

    drive_fails(PD(d, bind, other, (void *)&addr, sizeof(addr)), EADDRINUSE);
    assert_int_equal(PD(d, setsockopt, other, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    drive_fails(PD(d, bind, other, (void *)&addr, sizeof(addr)), EADDRINUSE); // one listens
    assert_int_equal(PD(d, close, listener), 0);
    assert_int_equal(PD(d, bind, other, (void *)&addr, sizeof(addr)), 0);
    drive_fails(PD(d, bind, other, (void *)&addr, sizeof(addr)), EINVAL);
    drive_fails(PD(d, bind, drive_socket(d, true), (void *)&addr, 4), EINVAL);
    drive_free(d);
}

static void closing_a_listener_resets_who_was_not_accepted(void **state)
{
    struct drive *d = drive_new("");
    int listener = drive_listen(d);

    drive_put(d, SL_TCP_SYN, 0, 0, 0, 1000);
    drive_expect(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1);
    drive_put(d, SL_TCP_ACK, 1, 0, 1, 1000);
    assert_int_equal(PD(d, close, listener), 0);
    drive_expect(d, SL_TCP_RST | SL_TCP_ACK, 1, 0, 1);
    drive_free(d);
}

static void sockets_that_are_not_tcp_are_refused(void **state)
{
    struct drive *d = drive_new("");

    drive_fails(PD(d, socket, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
    drive_fails(PD(d, socket, AF_INET, SOCK_DGRAM, 0), ESOCKTNOSUPPORT);
    drive_fails(PD(d, socket, AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    drive_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passive_open_gives_accept_a_connection),
        cmocka_unit_test(an_ipv6_listener_takes_ipv4_unless_told_not_to),
        cmocka_unit_test(accept_blocks_until_the_handshake_ends),
        cmocka_unit_test(accept_that_may_not_block_says_again),
        cmocka_unit_test(an_active_open_connects),
        cmocka_unit_test(a_second_connect_in_progress_says_already),
        cmocka_unit_test(a_blocking_connect_returns_with_the_syn_ack),
        cmocka_unit_test(a_reset_refuses_the_connect),
        cmocka_unit_test(a_connect_that_nobody_answers_times_out),
        cmocka_unit_test(a_connect_gives_up_after_the_send_timeout),
        cmocka_unit_test(a_port_unreachable_refuses_the_connect),
        cmocka_unit_test(close_sends_fin_and_waits),
        cmocka_unit_test(a_peer_that_closes_first_is_read_as_the_end),
        cmocka_unit_test(closing_with_unread_bytes_resets),
        cmocka_unit_test(linger_of_zero_resets),
        cmocka_unit_test(a_reset_is_told_once),
        cmocka_unit_test(shutdown_for_writing_leaves_reading_open),
        cmocka_unit_test(shutdown_for_reading_ends_reads_at_once),
        cmocka_unit_test(connecting_to_nowhere_disconnects),
        cmocka_unit_test(ports_are_taken_as_linux_takes_them),
        cmocka_unit_test(closing_a_listener_resets_who_was_not_accepted),
        cmocka_unit_test(sockets_that_are_not_tcp_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
