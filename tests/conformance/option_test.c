// SPDX-License-Identifier: Apache-2.0
// Options, TCP_INFO and the flags string: what is set is what the wire shows.
#include <linux/tcp.h>
#include "drive.h"
#include <dlfcn.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void set(struct drive *d, int fd, int level, int name, int value)
{
    if (PD(d, setsockopt, fd, level, name, &value, sizeof(value)))
        fail_msg("setsockopt %d %d: %s", level, name, strerror(errno));
}

static int get(struct drive *d, int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    if (PD(d, getsockopt, fd, level, name, &value, &len))
        fail_msg("getsockopt %d %d: %s", level, name, strerror(errno));
    return value;
}

static struct tcp_info info_of(struct drive *d, int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof(info);

    assert_int_equal(PD(d, getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    assert_int_equal(len, sizeof(info));
    return info;
}

static void fast_open_of_a_listening_socket_takes_data_with_the_syn(void **state)
{
    struct drive *d = drive_new("");
    struct tcp_options syn = drive_syn();
    int listener = drive_listen(d), fd;
    char bytes[100];
    struct seen out;

    set(d, listener, IPPROTO_TCP, TCP_FASTOPEN, 5);
    assert_int_equal(get(d, listener, IPPROTO_TCP, TCP_FASTOPEN), 5);
    syn.present |= TCP_OPTION_TFO;
    drive_put_options(d, SL_TCP_SYN, 0, 0, 0, 65535, &syn);
    out = drive_expect(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1);
    assert_int_equal(out.options.tfo_len, 8);
    syn.tfo_len = 8;
    memcpy(syn.tfo, out.options.tfo, 8);
    d->remote_port++;
    drive_put_options(d, SL_TCP_SYN, 0, 40, 0, 65535, &syn);
    drive_expect(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 41);
    fd = drive_accept(d, listener); // in SYN-RECEIVED
    assert_int_equal(PD(d, read, fd, bytes, sizeof(bytes)), 40);
    assert_int_equal(PD(d, write, fd, bytes, 10), 10);
    drive_expect(d, SL_TCP_ACK | SL_TCP_PSH, 1, 10, 41);
    assert_true(info_of(d, fd).tcpi_options & TCPI_OPT_SYN_DATA);
    drive_free(d);
}

static void options_read_back(void **state)
{
    static const struct {
        int level, name, value, read;
    } options[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1, 1},      {SOL_SOCKET, SO_KEEPALIVE, 1, 1},
        {SOL_SOCKET, SO_RCVBUF, 10000, 20000}, {SOL_SOCKET, SO_SNDBUF, 10000, 20000},
        {SOL_SOCKET, SO_RCVLOWAT, 7, 7},       {IPPROTO_TCP, TCP_NODELAY, 1, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 30, 30},   {IPPROTO_TCP, TCP_KEEPINTVL, 5, 5},
        {IPPROTO_TCP, TCP_KEEPCNT, 3, 3},      {IPPROTO_TCP, TCP_USER_TIMEOUT, 4000, 4000},
        {IPPROTO_TCP, TCP_SYNCNT, 2, 2},       {IPPROTO_TCP, TCP_MAXSEG, 1000, 1000},
        {IPPROTO_TCP, TCP_LINGER2, 9, 9},      {IPPROTO_IP, IP_TOS, 0x10, 0x10},
        {IPPROTO_IP, IP_TTL, 33, 33},
    };
    struct drive *d = drive_new("");
    int fd = drive_socket(d, true);

    for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        set(d, fd, options[i].level, options[i].name, options[i].value);
        assert_int_equal(get(d, fd, options[i].level, options[i].name), options[i].read);
    }
    assert_int_equal(get(d, fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assert_int_equal(get(d, fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_int_equal(get(d, drive_listen(d), SOL_SOCKET, SO_ACCEPTCONN), 1);
    drive_free(d);
}

static void what_is_not_known_is_refused(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_socket(d, true), one = 1;

    drive_fails(PD(d, setsockopt, fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)), ENOPROTOOPT);
    drive_fails(PD(d, setsockopt, fd, 999, 1, &one, sizeof(one)), ENOPROTOOPT);
    drive_fails(PD(d, setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &one, 1), EINVAL);
    drive_fails(PD(d, setsockopt, fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){0}, sizeof(one)), EINVAL);
    drive_fails(PD(d, setsockopt, fd, IPPROTO_TCP, TCP_CONGESTION, "magic", 5), ENOENT);
    drive_fails(PD(d, ioctl, fd, 0x9999, &one), ENOTTY);
    drive_free(d);
}

static void congestion_control_is_chosen_by_name(void **state)
{
    struct drive *d = drive_new("congestion=reno");
    int fd = drive_socket(d, true);
    char name[16];
    socklen_t len = sizeof(name);

    assert_int_equal(PD(d, getsockopt, fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "reno");
    assert_int_equal(PD(d, setsockopt, fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5), 0);
    len = sizeof(name);
    assert_int_equal(PD(d, getsockopt, fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    assert_string_equal(name, "cubic");
    drive_free(d);
}

static void max_segment_bounds_what_is_offered_and_sent(void **state)
{
    struct drive *d = drive_new("");
    struct tcp_options syn = drive_syn();
    int fd = drive_socket(d, false);
    static char bytes[3000];

    set(d, fd, IPPROTO_TCP, TCP_MAXSEG, 1000);
    drive_fails(drive_connect(d, fd), EINPROGRESS);
    assert_int_equal(drive_expect(d, SL_TCP_SYN, 0, 0, 0).options.mss, 1000);
    drive_put_options(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1, 32792, &syn);
    drive_expect(d, SL_TCP_ACK, 1, 0, 1);
    assert_int_equal(PD(d, write, fd, bytes, 3000), 3000);
    drive_expect(d, SL_TCP_ACK, 1, 1000, 1);
    assert_int_equal(get(d, fd, IPPROTO_TCP, TCP_MAXSEG), 1000);
    drive_free(d);
}

static void nagle_holds_small_segments_unless_off(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);

    assert_int_equal(PD(d, write, fd, "a", 1), 1);
    drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 1, 1);
    assert_int_equal(PD(d, write, fd, "b", 1), 1);
    drive_expect_silence(d);
    set(d, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 2, 1, 1);
    drive_free(d);
}

static void keepalive_probes_and_gives_up(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    uint64_t begin_us = drive_now(d);
    char byte;

    set(d, fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set(d, fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
    set(d, fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
    set(d, fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    assert_in_range(drive_expect(d, SL_TCP_ACK, 0, 0, 1).at_us - begin_us, 9990 * MS, 10010 * MS);
    assert_in_range(drive_expect(d, SL_TCP_ACK, 0, 0, 1).at_us - begin_us, 11990 * MS, 12010 * MS);
    drive_expect(d, SL_TCP_RST | SL_TCP_ACK, 1, 0, 1);
    drive_fails(PD(d, read, fd, &byte, 1), ETIMEDOUT);
    drive_free(d);
}

static void user_timeout_ends_a_silent_connection(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);

    set(d, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000);
    assert_int_equal(PD(d, write, fd, "x", 1), 1);
    drive_wait(d, 30 * S);
    drive_fails(PD(d, write, fd, "x", 1), ETIMEDOUT);
    drive_fails(PD(d, write, fd, "x", 1), EPIPE);
    drive_free(d);
}

static void tos_and_ttl_stand_in_the_packets(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct seen seen;

    set(d, fd, IPPROTO_IP, IP_TOS, 0x10);
    set(d, fd, IPPROTO_IP, IP_TTL, 33);
    assert_int_equal(PD(d, write, fd, "x", 1), 1);
    seen = drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 1, 1);
    assert_int_equal(seen.traffic_class, 0x10);
    assert_int_equal(seen.hop_limit, 33);
    drive_free(d);
}

static void info_tells_state_and_agreement(void **state)
{
    struct drive *d = drive_new("");
    int listener = drive_listen(d), fd;
    struct tcp_info info = info_of(d, listener);

    assert_int_equal(info.tcpi_state, 10); // TCP_LISTEN
    assert_int_equal(info.tcpi_sacked, 5); // its backlog
    assert_int_equal(PD(d, close, listener), 0);
    fd = drive_open_passive(d);
    info = info_of(d, fd);
    assert_int_equal(info.tcpi_state, 1);
    assert_int_equal(info.tcpi_options, TCPI_OPT_SACK | TCPI_OPT_WSCALE);
    assert_int_equal(info.tcpi_snd_mss, 1460);
    assert_int_equal(info.tcpi_pmtu, 1500);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    assert_int_equal(info.tcpi_snd_ssthresh, 0x7fffffff);
    assert_int_equal(PD(d, shutdown, fd, SHUT_WR), 0);
    assert_int_equal(info_of(d, fd).tcpi_state, 4);
    assert_int_equal(info_of(d, drive_socket(d, true)).tcpi_state, 7);
    drive_free(d);
}

static void info_counts_segments_in_flight(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), waiting;
    struct tcp_options sack = {.present = TCP_OPTION_SACK, .n_sacks = 1};
    static char bytes[20 * 1460];
    struct tcp_info info;

    assert_int_equal(PD(d, write, fd, bytes, sizeof(bytes)), sizeof(bytes));
    info = info_of(d, fd);
    assert_int_equal(info.tcpi_unacked, 10);
    assert_int_equal(info.tcpi_notsent_bytes, 10 * 1460);
    assert_int_equal(PD(d, ioctl, fd, SIOCOUTQNSD, &waiting), 0);
    assert_int_equal(waiting, 10 * 1460);
    sack.sacks[0] = (struct tcp_sack){d->isn + 1 + 1460, d->isn + 1 + 5 * 1460};
    drive_put_options(d, SL_TCP_ACK, 1, 0, 1, 32792, &sack);
    info = info_of(d, fd);
    assert_int_equal(info.tcpi_ca_state, 3); // TCP_CA_Recovery
    assert_int_equal(info.tcpi_sacked, 4);
    assert_int_equal(info.tcpi_lost, 1);
    assert_int_equal(info.tcpi_retrans, 1);
    assert_int_equal(info.tcpi_total_retrans, 1);
    assert_in_range(info.tcpi_snd_ssthresh, 5, 9); // CUBIC's seven tenths
    drive_free(d);
}

static void info_measures_the_round_trip(void **state)
{
    struct drive *d = drive_new("");
    struct tcp_options syn = drive_syn();
    int listener = drive_listen(d);
    struct tcp_info info;

    drive_put_options(d, SL_TCP_SYN, 0, 0, 0, 32792, &syn);
    drive_expect(d, SL_TCP_SYN | SL_TCP_ACK, 0, 0, 1);
    drive_wait(d, 50 * MS);
    drive_put(d, SL_TCP_ACK, 1, 0, 1, 32792);
    info = info_of(d, drive_accept(d, listener));
    assert_in_range(info.tcpi_rtt, 50000, 50100);
    assert_in_range(info.tcpi_rttvar, 25000, 25050);
    assert_in_range(info.tcpi_min_rtt, 50000, 50100);
    assert_in_range(info.tcpi_rto, 250000, 251000);
    drive_free(d);
}

static void a_short_buffer_takes_the_first_of_the_info(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    uint8_t bytes[9];
    socklen_t len = 8;

    bytes[8] = 99;
    assert_int_equal(PD(d, getsockopt, fd, IPPROTO_TCP, TCP_INFO, bytes, &len), 0);
    assert_int_equal(len, 8);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(bytes[8], 99);
    drive_free(d);
}

static void a_longer_buffer_than_the_info_ends_in_zeros(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    uint8_t info[sizeof(struct tcp_info) + 60];
    socklen_t len = sizeof(info);

    memset(info, 0xa5, sizeof(info));
    assert_int_equal(PD(d, getsockopt, fd, IPPROTO_TCP, TCP_INFO, info, &len), 0);
    assert_int_equal(len, sizeof(info)); // what a newer packetdrill takes nothing less than
    assert_int_equal(info[0], 1);
    assert_int_equal(info[sizeof(struct tcp_info)], 0);
    assert_int_equal(info[sizeof(info) - 1], 0);
    drive_free(d);
}

static void memory_is_told_and_congestion_control_has_nothing_to_tell(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    uint32_t memory[9];
    socklen_t len = sizeof(memory);

    set(d, fd, SOL_SOCKET, SO_RCVBUF, 30000);
    set(d, fd, SOL_SOCKET, SO_SNDBUF, 40000);
    drive_put(d, SL_TCP_PSH | SL_TCP_ACK, 1, 100, 1, 5000);
    assert_int_equal(PD(d, getsockopt, fd, SOL_SOCKET, 55, memory, &len), 0); // SO_MEMINFO
    assert_int_equal(len, sizeof(memory));
    assert_int_equal(memory[0], 100); // SK_MEMINFO_RMEM_ALLOC
    assert_int_equal(memory[1], 60000);
    assert_int_equal(memory[3], 80000);
    assert_int_equal(PD(d, getsockopt, fd, IPPROTO_TCP, TCP_CC_INFO, memory, &len), 0);
    assert_int_equal(len, 0);
    drive_free(d);
}

// packetdrill's assertions come by this way, with the library loaded before libc.
static void the_librarys_own_getsockopt_knows_the_doors_sockets_and_the_kernels(void **state)
{
    int (*preloaded)(int, int, int, void *, socklen_t *);
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d), real = socket(AF_INET, SOCK_DGRAM, 0), kind = 0;
    struct tcp_info info;
    socklen_t len = sizeof(info);

    *(void **)&preloaded = dlsym(d->handle, "getsockopt");
    assert_int_equal(preloaded(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    len = sizeof(kind);
    assert_int_equal(preloaded(real, SOL_SOCKET, SO_TYPE, &kind, &len), 0);
    assert_int_equal(kind, SOCK_DGRAM);
    drive_free(d);
    drive_fails(preloaded(fd, IPPROTO_TCP, TCP_INFO, &info, &len), EBADF); // without a door the kernel is asked
    close(real);
}

static void bursts_end_in_push_where_the_suites_expect_it(void **state)
{
    struct drive *d = drive_new("suite=linux");
    int fd = drive_open_passive(d);
    static char bytes[20 * 1460];

    assert_int_equal(PD(d, write, fd, bytes, sizeof(bytes)), sizeof(bytes));
    for (unsigned i = 0; i < 9; i++)
        drive_expect(d, SL_TCP_ACK, 1 + i * 1460, 1460, 1);
    drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1 + 9 * 1460, 1460, 1); // its checksum is looked at as well
    drive_free(d);
}

static void packets_may_be_fragmented_where_asked(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    uint8_t packet[1600];
    size_t len;
    long long at_us;

    for (int i = 0; i < 2; i++) {
        set(d, fd, IPPROTO_IP, IP_MTU_DISCOVER, i ? IP_PMTUDISC_DONT : IP_PMTUDISC_DO);
        assert_int_equal(PD(d, write, fd, "x", 1), 1);
        len = sizeof(packet);
        assert_int_equal(PD(d, netdev_receive, packet, &len, &at_us), 0);
        assert_int_equal(packet[6], i ? 0 : 0x40);
        assert_int_equal(sl_tcp_read_packet(&(struct sl_tcp_in){0}, packet, len, false), 0);
        drive_put(d, SL_TCP_ACK, 1, 0, 2 + (uint32_t)i, 5000);
    }
    drive_free(d);
}

static void flags_rule_what_a_syn_offers(void **state)
{
    struct drive *d = drive_new("timestamps=off, sack=off,wscale=off ecn=on mtu=1400");
    int fd = drive_socket(d, false);
    struct seen seen;

    drive_fails(drive_connect(d, fd), EINPROGRESS);
    seen = drive_take(d);
    assert_int_equal(seen.flags, SL_TCP_SYN | SL_TCP_ECE | SL_TCP_CWR);
    assert_int_equal(seen.options.present, TCP_OPTION_MSS);
    assert_int_equal(seen.options.mss, 1360);
    drive_free(d);
    d = drive_new("wscale_shift=9");
    drive_fails(drive_connect(d, drive_socket(d, false)), EINPROGRESS);
    seen = drive_take(d);
    assert_int_equal(seen.flags, SL_TCP_SYN); // ECN is accepted, not asked for
    assert_int_equal(seen.options.wscale, 9);
    drive_free(d);
}

static void a_writer_waits_while_too_much_is_not_sent(void **state)
{
    struct drive *d = drive_new("");
    int fd = drive_open_passive(d);
    struct pollfd out = {fd, POLLOUT, 0};
    static char bytes[20 * 1460];

    set(d, fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5000);
    assert_int_equal(get(d, fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 5000);
    assert_int_equal(PD(d, send, fd, bytes, sizeof(bytes), MSG_DONTWAIT), 14600 + 5000); // ten segments go
    assert_int_equal(PD(d, poll, &out, 1, 0), 0);
    drive_fails(PD(d, send, fd, bytes, 1, MSG_DONTWAIT), EAGAIN);
    drive_take(d);
    drive_put(d, SL_TCP_ACK, 1, 0, 1 + 10 * 1460, 32792);
    assert_int_equal(PD(d, poll, &out, 1, 0), 1);
    drive_free(d);
}

static void the_initial_window_is_set_by_flag(void **state)
{
    struct drive *d = drive_new("iw=3");
    int fd = drive_open_passive(d);
    static char bytes[20 * 1460];

    assert_int_equal(PD(d, write, fd, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(info_of(d, fd).tcpi_unacked, 3);
    drive_free(d);
}

static void cookies_open_connections_without_state(void **state)
{
    struct drive *d = drive_new("cookies=always");
    int fd = drive_open_passive(d);

    assert_int_equal(PD(d, write, fd, "x", 1), 1);
    drive_expect(d, SL_TCP_PSH | SL_TCP_ACK, 1, 1, 1);
    drive_free(d);
}

static void a_short_table_leaves_what_is_behind_it_alone(void **state)
{
    struct drive *d = drive_new("");

    d->pd.free(d->pd.userdata);
    memset(&d->pd, 0x5a, sizeof(d->pd));
    drive_init(d, "table=short");
    assert_int_equal(*(uint8_t *)&d->pd.epoll_create, 0x5a);
    assert_int_equal(*(uint8_t *)&d->pd.splice, 0x5a);
    assert_true(drive_now(d) > 0); // the last that is filled in
    drive_free(d);
}

static void a_flag_that_is_not_known_leaves_no_door(void **state)
{
    struct drive *d = drive_new(""), *wrong = drive_new("");
    static const char *const flags[] = {"speed=fast", "iw=many", "pacing", "cookies=perhaps", "local=here"};

    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        wrong->pd.free(wrong->pd.userdata);
        drive_init(wrong, flags[i]);
        assert_null(wrong->pd.userdata);
        drive_fails(PD(wrong, socket, AF_INET, SOCK_STREAM, 0), ENXIO);
    }
    drive_free(wrong);
    drive_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fast_open_of_a_listening_socket_takes_data_with_the_syn),
        cmocka_unit_test(options_read_back),
        cmocka_unit_test(what_is_not_known_is_refused),
        cmocka_unit_test(congestion_control_is_chosen_by_name),
        cmocka_unit_test(max_segment_bounds_what_is_offered_and_sent),
        cmocka_unit_test(nagle_holds_small_segments_unless_off),
        cmocka_unit_test(keepalive_probes_and_gives_up),
        cmocka_unit_test(user_timeout_ends_a_silent_connection),
        cmocka_unit_test(tos_and_ttl_stand_in_the_packets),
        cmocka_unit_test(info_tells_state_and_agreement),
        cmocka_unit_test(info_counts_segments_in_flight),
        cmocka_unit_test(info_measures_the_round_trip),
        cmocka_unit_test(a_short_buffer_takes_the_first_of_the_info),
        cmocka_unit_test(a_longer_buffer_than_the_info_ends_in_zeros),
        cmocka_unit_test(memory_is_told_and_congestion_control_has_nothing_to_tell),
        cmocka_unit_test(the_librarys_own_getsockopt_knows_the_doors_sockets_and_the_kernels),
        cmocka_unit_test(bursts_end_in_push_where_the_suites_expect_it),
        cmocka_unit_test(packets_may_be_fragmented_where_asked),
        cmocka_unit_test(flags_rule_what_a_syn_offers),
        cmocka_unit_test(a_writer_waits_while_too_much_is_not_sent),
        cmocka_unit_test(the_initial_window_is_set_by_flag),
        cmocka_unit_test(cookies_open_connections_without_state),
        cmocka_unit_test(a_short_table_leaves_what_is_behind_it_alone),
        cmocka_unit_test(a_flag_that_is_not_known_leaves_no_door),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
