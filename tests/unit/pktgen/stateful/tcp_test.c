// SPDX-License-Identifier: Apache-2.0
// Client and server engine against each other on lines of every kind: what goes wrong on the line is mended, what goes
// wrong in a peer is told by its kind, and the counters add up at every instant.
#include "net.h"
#include "wire/checksum.h"
#include "wire/emit.h"

#define COUNT 400

static struct net *net_of(const char *name, uint32_t request, uint32_t response, uint32_t requests)
{
    struct endpoint_config client = net_config(false), server = net_config(true);
    client.request_bytes = request;
    client.response_bytes = response;
    client.requests = requests;
    return net_new(name, &client, &server);
}

static struct sl_tcp *tcp_of(struct net_frame *frame)
{
    return (struct sl_tcp *)(frame->bytes + 34);
}

static void all_complete(struct net *net, uint32_t count, uint32_t requests)
{
    assert_int_equal(net->client.counters.completed, count);
    assert_int_equal(net_failed(&net->client), 0);
    assert_int_equal(net->client.counters.requests, (uint64_t)count * requests);
    assert_int_equal(net->client.request.count, (uint64_t)count * requests);
    assert_int_equal(net->client.connect.count, count);
}

static void a_clean_line_needs_no_retransmission(void **state)
{
    struct net *net = net_of("clean", 3000, 20000, 3);
    net_run(net, COUNT, 100);
    all_complete(net, COUNT, 3);
    assert_int_equal(net->server.counters.completed, COUNT);
    assert_int_equal(net->server.counters.requests, 3 * COUNT);
    assert_int_equal(net->client.counters.retransmits + net->server.counters.retransmits, 0);
    assert_int_equal(net->client.counters.duplicates + net->server.counters.duplicates, 0);
    assert_int_equal(net->client.counters.bytes_out, net->server.counters.bytes_in);
    assert_int_equal(net->server.counters.bytes_out, net->client.counters.bytes_in);
    net_free(net);
}

static void a_small_exchange_takes_seven_segments(void **state)
{
    struct net *net = net_of("seven", 0, 64, 1);
    net_run(net, 1, 1);
    all_complete(net, 1, 1);
    assert_int_equal(net->client.counters.segments_out, 4); // SYN, request with ACK, FIN, ACK
    assert_int_equal(net->server.counters.segments_out, 3);
    net_free(net);
}

static void lost_segments_are_sent_again(void **state)
{
    struct net *net = net_of("loss", 3000, 20000, 2);
    net->lose = 50;
    net_run(net, COUNT, 600);
    all_complete(net, COUNT, 2);
    assert_true(net->lost > 100);
    assert_true(net->client.counters.retransmits > 0 && net->server.counters.retransmits > 0);
    net_free(net);
}

static void doubled_segments_change_nothing(void **state)
{
    struct net *net = net_of("twice", 3000, 20000, 2);
    net->twice = 300;
    net_run(net, COUNT, 600);
    all_complete(net, COUNT, 2);
    assert_true(net->client.counters.duplicates > 100);
    net_free(net);
}

static void late_segments_are_asked_for_again(void **state)
{
    struct net *net = net_of("late", 3000, 20000, 2);
    net->late = 100;
    net_run(net, COUNT, 600);
    all_complete(net, COUNT, 2);
    assert_true(net->client.counters.early > 0);
    net_free(net);
}

static void damaged_segments_are_told_by_their_checksum(void **state)
{
    struct net *net = net_of("damage", 3000, 20000, 2);
    net->damage = 50;
    net_run(net, COUNT, 600);
    all_complete(net, COUNT, 2);
    uint64_t seen = net->client.counters.bad_checksum + net->server.counters.bad_checksum +
                    net->client.counters.foreign + net->server.counters.foreign;
    // All that were planted, but those in the padding of short frames.
    assert_true(seen > 100 && seen <= net->damaged);
    net_free(net);
}

static void a_line_with_every_fault_delivers_every_byte(void **state)
{
    struct net *net = net_of("every fault", 5000, 30000, 3);
    net->lose = net->twice = net->late = net->damage = 20;
    net_run(net, COUNT, 2000);
    all_complete(net, COUNT, 3);
    assert_int_equal(net->client.counters.bad_sequence, 0);
    net_free(net);
}

// The wrong byte has the right checksum, as from a device that damages what it copies.
static bool change_one_body_byte(struct net *net, struct net_frame *frame)
{
    if (!frame->to_server && frame->len > 1000 && net->watched == 0) {
        frame->bytes[frame->len - 7] ^= 0x40;
        sl_emit_l4_checksum(frame->bytes + 14);
        net->watched = 1;
    }
    return true;
}

static void one_wrong_byte_is_found(void **state)
{
    struct net *net = net_of("byte", 0, 5000, 1);
    net->watch = change_one_body_byte;
    net_run(net, COUNT, 100);
    assert_int_equal(net->client.counters.failed[FAILURE_BAD_BYTE], 1);
    assert_int_equal(net->client.counters.completed, COUNT - 1);
    assert_int_equal(net->server.counters.failed[FAILURE_RESET], 1);
    net_free(net);
}

static bool change_one_request_byte(struct net *net, struct net_frame *frame)
{
    if (frame->to_server && frame->len > 1000 && net->watched == 0) {
        frame->bytes[frame->len - 1] ^= 1;
        sl_emit_l4_checksum(frame->bytes + 14);
        net->watched = 1;
    }
    return true;
}

static void one_wrong_byte_of_a_request_is_found(void **state)
{
    struct net *net = net_of("request byte", 5000, 64, 1);
    net->watch = change_one_request_byte;
    net_run(net, COUNT, 100);
    assert_int_equal(net->server.counters.failed[FAILURE_BAD_BYTE], 1);
    assert_int_equal(net->client.counters.failed[FAILURE_RESET], 1);
    net_free(net);
}

static bool lose_to_server(struct net *net, struct net_frame *frame)
{
    return !frame->to_server;
}

static void a_peer_that_is_silent_times_out_after_the_retries(void **state)
{
    struct net *net = net_of("silent", 0, 64, 1);
    net->watch = lose_to_server;
    net_run(net, 10, 100);
    assert_int_equal(net->client.counters.failed[FAILURE_TIMEOUT], 10);
    assert_int_equal(net->client.counters.retransmits, 10 * 8);
    assert_int_equal(net->client.counters.segments_out, 10 * 9);
    net_free(net);
}

// In place of the SYN comes what a closed port says.
static bool refuse(struct net *net, struct net_frame *frame)
{
    struct sl_tcp *tcp = tcp_of(frame);
    if (!frame->to_server && tcp->flags & SL_TCP_SYN) {
        tcp->flags = SL_TCP_RST | SL_TCP_ACK;
        tcp->seq = 0;
        sl_emit_l4_checksum(frame->bytes + 14);
    }
    return true;
}

static void a_reset_of_the_syn_is_a_refusal(void **state)
{
    struct net *net = net_of("refused", 0, 64, 1);
    net->watch = refuse;
    net_run(net, 10, 1);
    assert_int_equal(net->client.counters.failed[FAILURE_REFUSED], 10);
    net_free(net);
}

// The server's answer becomes its FIN.
static bool close_early(struct net *net, struct net_frame *frame)
{
    struct sl_tcp *tcp = tcp_of(frame);
    if (!frame->to_server && frame->len > 100) {
        tcp->flags = SL_TCP_FIN | SL_TCP_ACK;
        ((struct sl_ipv4 *)(frame->bytes + 14))->total_len = sl_be16_of(40);
        ((struct sl_ipv4 *)(frame->bytes + 14))->checksum = 0;
        ((struct sl_ipv4 *)(frame->bytes + 14))->checksum = sl_csum_ipv4_header(frame->bytes + 14, 20);
        frame->len = 60;
        sl_emit_l4_checksum(frame->bytes + 14);
    }
    return true;
}

static void a_fin_before_the_response_is_an_early_close(void **state)
{
    struct net *net = net_of("early", 0, 64, 1);
    net->watch = close_early;
    net_run(net, 10, 1);
    assert_int_equal(net->client.counters.failed[FAILURE_CLOSED_EARLY], 10);
    net_free(net);
}

// A device that moves sequence numbers of one direction only.
static bool shift_sequence(struct net *net, struct net_frame *frame)
{
    struct sl_tcp *tcp = tcp_of(frame);
    if (!frame->to_server && !(tcp->flags & SL_TCP_SYN)) {
        tcp->seq = sl_be32_of(sl_host32(tcp->seq) + 0x10000000);
        sl_emit_l4_checksum(frame->bytes + 14);
    }
    return true;
}

static void numbers_that_cannot_be_are_told_as_such(void **state)
{
    struct net *net = net_of("sequence", 0, 64, 1);
    net->watch = shift_sequence;
    net_run(net, 10, 100);
    assert_int_equal(net->client.counters.failed[FAILURE_BAD_SEQUENCE], 10);
    assert_true(net->client.counters.bad_sequence >= 10);
    net_free(net);
}

static bool lose_last_ack(struct net *net, struct net_frame *frame)
{
    bool last = frame->to_server && tcp_of(frame)->flags == SL_TCP_ACK && net->watched < 1;
    return !last;
}

static void a_lost_last_acknowledgment_is_given_again(void **state)
{
    struct net *net = net_of("last", 0, 64, 1);
    net->watch = lose_last_ack;
    net_run(net, 1, 10);
    all_complete(net, 1, 1);
    assert_int_equal(net->server.counters.completed, 1);
    assert_int_equal(net->server.counters.retransmits, 1);
    net_free(net);
}

static void think_time_passes_between_requests(void **state)
{
    struct endpoint_config client = net_config(false), server = net_config(true);
    client.requests = 3;
    client.think_ms = 100;
    struct net *net = net_new("think", &client, &server);
    uint64_t start = net->now_ns;
    net_run(net, 1, 10);
    all_complete(net, 1, 3);
    assert_in_range((net->now_ns - start) / 1000000, 195, 215);
    net_free(net);
}

static void small_windows_and_segments_carry_everything(void **state)
{
    struct endpoint_config client = net_config(false), server = net_config(true);
    client.window = 700, client.mss = 301, client.response_bytes = 9001, client.request_bytes = 4001;
    server.window = 300, server.mss = 536;
    struct net *net = net_new("window", &client, &server);
    net->lose = 20;
    net_run(net, 50, 600);
    all_complete(net, 50, 1);
    net_free(net);
}

static void a_client_may_close_by_reset(void **state)
{
    struct endpoint_config client = net_config(false), server = net_config(true);
    client.close_by_reset = true;
    struct net *net = net_new("reset", &client, &server);
    net_run(net, COUNT, 100);
    all_complete(net, COUNT, 1);
    assert_int_equal(net->server.counters.completed, COUNT);
    net_free(net);
}

static void ipv6_is_spoken_too(void **state)
{
    struct endpoint_config client = net_config(false), server = net_config(true);
    assert_int_equal(sl_ip_parse("2001:db8::1", &client.own.first), 0);
    assert_int_equal(sl_ip_parse("2001:db8:1::1", &client.peer.first), 0);
    server.own = client.peer;
    client.response_bytes = 20000;
    struct net *net = net_new("ipv6", &client, &server);
    net->lose = 20;
    net_run(net, COUNT, 600);
    all_complete(net, COUNT, 1);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_line_needs_no_retransmission),
        cmocka_unit_test(a_small_exchange_takes_seven_segments),
        cmocka_unit_test(lost_segments_are_sent_again),
        cmocka_unit_test(doubled_segments_change_nothing),
        cmocka_unit_test(late_segments_are_asked_for_again),
        cmocka_unit_test(damaged_segments_are_told_by_their_checksum),
        cmocka_unit_test(a_line_with_every_fault_delivers_every_byte),
        cmocka_unit_test(one_wrong_byte_is_found),
        cmocka_unit_test(one_wrong_byte_of_a_request_is_found),
        cmocka_unit_test(a_peer_that_is_silent_times_out_after_the_retries),
        cmocka_unit_test(a_reset_of_the_syn_is_a_refusal),
        cmocka_unit_test(a_fin_before_the_response_is_an_early_close),
        cmocka_unit_test(numbers_that_cannot_be_are_told_as_such),
        cmocka_unit_test(a_lost_last_acknowledgment_is_given_again),
        cmocka_unit_test(think_time_passes_between_requests),
        cmocka_unit_test(small_windows_and_segments_carry_everything),
        cmocka_unit_test(a_client_may_close_by_reset),
        cmocka_unit_test(ipv6_is_spoken_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
