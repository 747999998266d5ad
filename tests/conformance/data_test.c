// SPDX-License-Identifier: Apache-2.0
// Bytes through packetdrill's table: reads and writes, blocking and not, poll, epoll, splice, and what the wire sees.
#include "drive.h"
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void what_is_written_goes_out_at_once(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct seen seen;

    assert_int_equal(PD(d, write, fd, "hello", 5), 5);
    seen = drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 5, 1);
    assert_memory_equal(seen.payload, "hello", 5);
    assert_int_equal(PD(d, write, fd, "x", 0), 0);
    drive_expect_silence(d);
    drive_free(d);
}

static void what_arrives_is_read(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), waiting;
    uint8_t bytes[1000];

    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 1000, 1, 5000);
    drive_expect(d, SL_TCP_ACK, 1, 0, 1001);
    assert_int_equal(PD(d, ioctl, fd, SIOCINQ, &waiting), 0);
    assert_int_equal(waiting, 1000);
    assert_int_equal(PD(d, recv, fd, bytes, 300, MSG_PEEK), 300);
    assert_int_equal(PD(d, read, fd, bytes, 300), 300);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(bytes[i], (uint8_t)(1 + i));
    assert_int_equal(PD(d, recv, fd, bytes, 1000, 0), 700);
    assert_int_equal(bytes[0], (uint8_t)301);
    drive_fails(PD(d, recv, fd, bytes, 1, MSG_DONTWAIT), EAGAIN);
    drive_fails(PD(d, recv, fd, bytes, 1, MSG_OOB), EINVAL);
    drive_free(d);
}

static void vectors_scatter_and_gather(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    char a[4] = "abcd", b[3] = "efg", got_a[2], got_b[5];
    struct iovec out[2] = {{a, 4}, {b, 3}}, in[2] = {{got_a, 2}, {got_b, 5}};
    struct msghdr message = {.msg_iov = in, .msg_iovlen = 2, .msg_controllen = 99};
    struct seen seen;

    assert_int_equal(PD(d, writev, fd, out, 2), 7);
    seen = drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 7, 1);
    assert_memory_equal(seen.payload, "abcdefg", 7);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 7, 8, 5000);
    drive_expect(d, SL_TCP_ACK, 8, 0, 8);
    assert_int_equal(PD(d, recvmsg, fd, &message, 0), 7);
    assert_int_equal(message.msg_controllen, 0);
    assert_int_equal(got_a[1], 2);
    assert_int_equal(got_b[4], 7);
    drive_free(d);
}

static ssize_t reads_ten(struct drive *d, int fd)
{
    char bytes[10];

    return PD(d, recv, fd, bytes, 10, MSG_WAITALL);
}

static ssize_t reads(struct drive *d, int fd)
{
    char bytes[10];

    return PD(d, read, fd, bytes, 10);
}

static void a_blocking_read_returns_when_bytes_come(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct drive_call call;
    uint64_t at_us;

    drive_call_begin(&call, d, reads, fd);
    drive_wait(d, 2 * S);
    at_us = drive_now(d);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 4, 1, 5000);
    drive_wait(d, 2 * S);
    drive_call_end(&call);
    assert_int_equal(call.result, 4);
    assert_in_range(call.at_us, at_us, at_us + 100);
    drive_free(d);
}

static void a_read_of_all_waits_for_all(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct drive_call call;
    uint64_t at_us;

    drive_call_begin(&call, d, reads_ten, fd);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 4, 1, 5000);
    drive_expect(d, SL_TCP_ACK, 1, 0, 5);
    drive_wait(d, S);
    at_us = drive_now(d);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 5, 6, 1, 5000);
    drive_wait(d, S);
    drive_call_end(&call);
    assert_int_equal(call.result, 10);
    assert_in_range(call.at_us, at_us, at_us + 100);
    drive_free(d);
}

static void a_read_gives_up_after_the_receive_timeout(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct timeval timeout = {3, 500000};
    uint64_t begin_us;
    struct drive_call call;

    assert_int_equal(PD(d, setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
    begin_us = drive_now(d);
    drive_call_begin(&call, d, reads, fd);
    drive_wait(d, 10 * S);
    drive_call_end(&call);
    assert_int_equal(call.result, -1);
    assert_int_equal(call.error, EAGAIN);
    assert_in_range(call.at_us - begin_us, 3500 * MS, 3501 * MS);
    drive_free(d);
}

static ssize_t writes_much(struct drive *d, int fd)
{
    static char bytes[50000];

    return PD(d, write, fd, bytes, sizeof(bytes));
}

static void a_blocking_write_waits_for_room(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), size = 10000, waiting; // doubled, as Linux does
    uint32_t acked = 1;
    struct drive_call call;

    assert_int_equal(PD(d, setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    drive_call_begin(&call, d, writes_much, fd);
    assert_int_equal(PD(d, ioctl, fd, SIOCOUTQ, &waiting), 0);
    assert_int_equal(waiting, 20000);
    while (acked < 50001) {
        struct seen seen = drive_take(d);

        assert_int_equal(seen.seq, acked);
        acked += seen.len;
        drive_wait(d, 10 * MS);
        drive_put(d, SL_TCP_ACK, 1, 0, acked, 60000);
    }
    drive_wait(d, S);
    drive_call_end(&call);
    assert_int_equal(call.result, 50000);
    assert_int_equal(PD(d, ioctl, fd, SIOCOUTQ, &waiting), 0);
    assert_int_equal(waiting, 0);
    drive_free(d);
}

static void a_write_that_may_not_block_takes_what_fits(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), size = 10000;
    static char bytes[30000];

    assert_int_equal(PD(d, setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    assert_int_equal(PD(d, send, fd, bytes, sizeof(bytes), MSG_DONTWAIT), 20000);
    drive_fails(PD(d, send, fd, bytes, sizeof(bytes), MSG_DONTWAIT), EAGAIN);
    drive_free(d);
}

static void calls_on_sockets_without_a_connection_fail(void **state)
{
    struct drive *d = drive_new("");
    int fresh = drive_socket(d, true), listener = drive_listen(d);
    char byte;

    drive_fails(PD(d, read, fresh, &byte, 1), ENOTCONN);
    drive_fails(PD(d, write, fresh, "x", 1), EPIPE);
    drive_fails(PD(d, read, listener, &byte, 1), ENOTCONN);
    drive_fails(PD(d, read, 9999, &byte, 1), EBADF);
    drive_free(d);
}

static void a_reader_is_told_what_is_left(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), on = 1, left;
    char bytes[60], control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {bytes, 60};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};

    assert_int_equal(PD(d, setsockopt, fd, IPPROTO_TCP, 36 /* TCP_INQ */, &on, sizeof(on)), 0);
    drive_put(d, SL_TCP_PSH | SL_TCP_FIN | SL_TCP_ACK, 1, 100, 1, 5000);
    for (unsigned i = 0; i < 2; i++) {
        message.msg_controllen = sizeof(control);
        assert_int_equal(PD(d, recvmsg, fd, &message, 0), i ? 40 : 60);
        assert_int_equal(message.msg_controllen, sizeof(control));
        memcpy(&left, CMSG_DATA((struct cmsghdr *)control), sizeof(left));
        assert_int_equal(left, i ? 1 : 40);
    }
    message.msg_controllen = 1;
    assert_int_equal(PD(d, recvmsg, fd, &message, 0), 0);
    assert_int_equal(message.msg_flags, MSG_CTRUNC);
    drive_free(d);
}

static void urgent_bytes_are_pointed_at(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct seen seen;

    assert_int_equal(PD(d, send, fd, "abc", 3, MSG_OOB), 3);
    seen = drive_expect(d, SL_TCP_URG | SL_TCP_PSH | SL_TCP_ACK, 1, 3, 1);
    assert_int_equal(seen.urgent, 3);
    drive_free(d);
}

static void an_unanswered_segment_is_repeated_in_virtual_time(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    uint64_t begin_us, gap_us = 0;

    assert_int_equal(PD(d, write, fd, "x", 1), 1);
    begin_us = drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 1, 1).at_us;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t at_us = drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 1, 1).at_us;

        assert_true(i < 2 || at_us - begin_us >= gap_us * 19 / 10); // the first is the tail loss probe
        gap_us = at_us - begin_us;
        begin_us = at_us;
    }
    drive_put(d, SL_TCP_ACK, 1, 0, 2, 5000);
    drive_expect_silence(d);
    drive_free(d);
}

static void three_duplicates_bring_the_lost_segment_back(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct tcp_options sack = {.present = TCP_OPTION_SACK, .n_sacks = 1};
    static char bytes[4 * 1460];
    uint64_t at_us;

    assert_int_equal(PD(d, write, fd, bytes, sizeof(bytes)), sizeof(bytes));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(drive_take(d).seq, 1 + i * 1460);
    at_us = drive_now(d);
    sack.sacks[0] = (struct tcp_sack){d->isn + 1 + 1460, d->isn + 1 + 4 * 1460};
    drive_put_options(d, SL_TCP_ACK, 1, 0, 1, 32792, &sack);
    assert_in_range(drive_expect(d, SL_TCP_ACK, 1, 1460, 1).at_us, at_us, at_us + 10 * MS);
    drive_free(d);
}

static void out_of_order_bytes_are_sacked(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct seen seen;
    char bytes[30];

    drive_put(d, SL_TCP_ACK, 11, 10, 1, 5000);
    seen = drive_expect(d, SL_TCP_ACK, 1, 0, 1);
    assert_int_equal(seen.options.n_sacks, 1);
    assert_int_equal(seen.options.sacks[0].end - seen.options.sacks[0].start, 10);
    drive_put(d, SL_TCP_ACK, 1, 10, 1, 5000);
    drive_expect(d, SL_TCP_ACK, 1, 0, 21);
    assert_int_equal(PD(d, read, fd, bytes, 30), 20);
    drive_free(d);
}

static void a_lone_segment_is_acknowledged_late_where_quick_acks_are_off(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), off = 0, on = 1;
    uint64_t at_us;

    assert_int_equal(PD(d, setsockopt, fd, IPPROTO_TCP, 12 /* TCP_QUICKACK */, &off, sizeof(off)), 0);
    at_us = drive_now(d);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 10, 1, 5000);
    assert_in_range(drive_expect(d, SL_TCP_ACK, 1, 0, 11).at_us - at_us, 39 * MS, 45 * MS);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 11, 10, 1, 5000);
    at_us = drive_now(d);
    assert_int_equal(PD(d, setsockopt, fd, IPPROTO_TCP, 12, &on, sizeof(on)), 0);
    assert_in_range(drive_expect(d, SL_TCP_ACK, 1, 0, 21).at_us - at_us, 0, 100);
    drive_free(d);
}

static void poll_says_what_is_ready(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct pollfd fds[2] = {{fd, POLLIN | POLLOUT | POLLRDHUP, 0}, {9999, POLLIN, 0}};

    assert_int_equal(PD(d, poll, fds, 1, 0), 1);
    assert_int_equal(fds[0].revents, POLLOUT);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 10, 1, 5000);
    assert_int_equal(PD(d, poll, fds, 2, -1), 2);
    assert_int_equal(fds[0].revents, POLLIN | POLLOUT);
    assert_int_equal(fds[1].revents, POLLNVAL);
    drive_put(d, SL_TCP_FIN | SL_TCP_ACK, 11, 0, 1, 5000);
    assert_int_equal(PD(d, shutdown, fd, SHUT_WR), 0);
    assert_int_equal(PD(d, poll, fds, 1, 0), 1);
    assert_int_equal(fds[0].revents & (POLLIN | POLLOUT), POLLIN | POLLOUT);
    drive_put(d, SL_TCP_RST, 12, 0, 0, 0);
    assert_int_equal(PD(d, poll, fds, 1, 0), 1);
    assert_int_equal(fds[0].revents & (POLLHUP | POLLERR), POLLHUP | POLLERR);
    drive_free(d);
}

static int watched;

static ssize_t polls(struct drive *d, int fd)
{
    struct pollfd one = {fd, POLLIN, 0};

    return PD(d, poll, &one, 1, 700);
}

static ssize_t epoll_waits(struct drive *d, int epfd)
{
    struct epoll_event event = {0};
    int n = PD(d, epoll_wait, epfd, &event, 1, -1);

    return n == 1 && event.events == EPOLLIN && event.data.fd == watched ? 1 : 0;
}

static void poll_waits_in_virtual_time(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    uint64_t begin_us = drive_now(d);
    struct drive_call call;

    drive_call_begin(&call, d, polls, fd);
    drive_wait(d, 2 * S);
    drive_call_end(&call);
    assert_int_equal(call.result, 0);
    assert_in_range(call.at_us - begin_us, 700 * MS, 701 * MS);
    drive_free(d);
}

static void epoll_tells_levels_and_edges(void **state)
{
    struct drive *d = drive_new("");
    struct epoll_event event = {.events = EPOLLIN}, got;
    int epfd = PD(d, epoll_create, 1);
    struct drive_call call;

    watched = event.data.fd = drive_open_passive(d);
    assert_int_equal(PD(d, epoll_ctl, epfd, EPOLL_CTL_ADD, watched, &event), 0);
    drive_fails(PD(d, epoll_ctl, epfd, EPOLL_CTL_ADD, watched, &event), EEXIST);
    drive_call_begin(&call, d, epoll_waits, epfd);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 10, 1, 5000);
    drive_wait(d, MS);
    drive_call_end(&call);
    assert_int_equal(call.result, 1);
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 1); // a level stays
    event.events = EPOLLIN | EPOLLET;
    assert_int_equal(PD(d, epoll_ctl, epfd, EPOLL_CTL_MOD, watched, &event), 0);
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 1);
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 0); // an edge does not
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 11, 10, 1, 5000);
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 1);
    assert_int_equal(PD(d, epoll_ctl, epfd, EPOLL_CTL_DEL, watched, NULL), 0);
    drive_fails(PD(d, epoll_ctl, epfd, EPOLL_CTL_DEL, watched, NULL), ENOENT);
    drive_free(d);
}

static void room_is_an_edge_for_who_was_refused(void **state)
{
    struct drive *d = drive_new("");
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET}, got;
    int fd = drive_open_passive(d), epfd = PD(d, epoll_create, 1), size = 7300;
    static char bytes[20000];

    assert_int_equal(PD(d, setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    assert_int_equal(PD(d, epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &event), 0);
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 1);
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 0);
    assert_int_equal(PD(d, send, fd, bytes, sizeof(bytes), MSG_DONTWAIT), 14600);
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 0);
    drive_put(d, SL_TCP_ACK, 1, 0, 7301, 60000);
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 1);
    drive_put(d, SL_TCP_ACK, 1, 0, 14601, 60000); // nobody was refused since
    assert_int_equal(PD(d, epoll_wait, epfd, &got, 1, 0), 0);
    drive_free(d);
}

static void splice_moves_bytes_through_a_pipe(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), fds[2];

    assert_int_equal(PD(d, pipe, fds), 0);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 100, 1, 5000);
    drive_expect(d, SL_TCP_ACK, 1, 0, 101);
    assert_int_equal(PD(d, splice, fd, NULL, fds[1], NULL, 1000, 0), 100);
    assert_int_equal(PD(d, splice, fds[0], NULL, fd, NULL, 1000, 0), 100);
    assert_int_equal(drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 100, 101).payload[99], 100);
    assert_int_equal(PD(d, close, fds[0]), 0);
    assert_int_equal(PD(d, close, fds[1]), 0);
    drive_free(d);
}

static void an_empty_packet_tells_that_none_will_come(void **state)
{
    struct drive *d = drive_new("");
    uint8_t packet[100];
    size_t len = sizeof(packet);
    long long at_us;

    drive_open_passive(d);
    assert_int_equal(PD(d, netdev_receive, packet, &len, &at_us), 0);
    assert_int_equal(len, 0);
    drive_free(d);
}

static void a_call_that_nothing_can_end_is_interrupted(void **state)
{
    struct drive *d = drive_new("");
    char byte;

    drive_fails(PD(d, read, drive_open_passive(d), &byte, 1), EINTR); // after 5 s of real time
    drive_free(d);
}

static void fds_left_open_may_be_closed_by_close(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);

    assert_int_equal(close(fd), 0); // packetdrill's own, on what a script left open
    drive_put(d, SL_TCP_RST, 1, 0, 0, 0);
    drive_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_goes_out_at_once),
        cmocka_unit_test(what_arrives_is_read),
        cmocka_unit_test(vectors_scatter_and_gather),
        cmocka_unit_test(a_blocking_read_returns_when_bytes_come),
        cmocka_unit_test(a_read_of_all_waits_for_all),
        cmocka_unit_test(a_read_gives_up_after_the_receive_timeout),
        cmocka_unit_test(a_blocking_write_waits_for_room),
        cmocka_unit_test(a_write_that_may_not_block_takes_what_fits),
        cmocka_unit_test(calls_on_sockets_without_a_connection_fail),
        cmocka_unit_test(a_reader_is_told_what_is_left),
        cmocka_unit_test(urgent_bytes_are_pointed_at),
        cmocka_unit_test(an_unanswered_segment_is_repeated_in_virtual_time),
        cmocka_unit_test(three_duplicates_bring_the_lost_segment_back),
        cmocka_unit_test(out_of_order_bytes_are_sacked),
        cmocka_unit_test(a_lone_segment_is_acknowledged_late_where_quick_acks_are_off),
        cmocka_unit_test(poll_says_what_is_ready),
        cmocka_unit_test(poll_waits_in_virtual_time),
        cmocka_unit_test(epoll_tells_levels_and_edges),
        cmocka_unit_test(room_is_an_edge_for_who_was_refused),
        cmocka_unit_test(splice_moves_bytes_through_a_pipe),
        cmocka_unit_test(an_empty_packet_tells_that_none_will_come),
        cmocka_unit_test(a_call_that_nothing_can_end_is_interrupted),
        cmocka_unit_test(fds_left_open_may_be_closed_by_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
