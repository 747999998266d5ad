// SPDX-License-Identifier: Apache-2.0
// The worker around the stages: how a burst travels, where frames wait to be sent, what happens where a queue is full,
// what the gateway's own addresses do, how ports come and go.
#include "harness.h"
#include <fcntl.h>
#include <unistd.h>
#include <rte_cycles.h>
#include "housekeeping/twin.h"
#include "port/map.h"
#include "worker/loop.h"

enum { LAN, WAN };

static struct harness *gateway(uint32_t workers, uint32_t lan_flags)
{
    struct harness *h = harness_new(workers);
    harness_port(h, LAN, lan_flags);
    harness_port(h, WAN, 0);
    harness_address(h, LAN, "10.0.0.1/24");
    harness_address(h, WAN, "198.51.100.1/24");
    harness_neighbor(h, LAN, "10.0.0.11");
    harness_neighbor(h, WAN, "198.51.100.21");
    harness_ready(h);
    return h;
}

static struct rte_mbuf *to_wan(void)
{
    return harness_udp(LAN, "10.0.0.11", "198.51.100.21", 4000, 53, 10);
}

static unsigned sent_count(struct harness *h, uint16_t port)
{
    unsigned count = 0;
    for (struct rte_mbuf *m; (m = harness_sent(h, port)) != NULL; count++)
        rte_pktmbuf_free(m);
    return count;
}

static void many_to_wan(struct harness *h, unsigned count)
{
    struct rte_mbuf *frame[2 * BURST_MAX + 8];
    assert_true(count <= RTE_DIM(frame));
    for (unsigned i = 0; i < count; i++)
        frame[i] = to_wan();
    harness_send_to(h, 0, LAN, frame, (uint16_t)count);
}

static void a_burst_of_any_length_is_forwarded(void **state)
{
    static const unsigned length[] = {1, 2, BURST_MAX - 1, BURST_MAX, BURST_MAX + 1, 2 * BURST_MAX + 8};
    struct harness *h = gateway(1, 0);
    for (unsigned i = 0; i < RTE_DIM(length); i++) {
        many_to_wan(h, length[i]);
        assert_int_equal(sent_count(h, WAN), length[i]);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

static void packets_before_the_first_generation_are_dropped(void **state)
{
    struct harness *h = gateway(1, 0);
    h->worker[0]->tables = NULL;
    harness_send(h, LAN, to_wan());
    harness_expect_drop(h, no_generation);
    harness_free(h);
}

static void packets_of_a_port_that_is_not_in_the_tables_are_dropped(void **state)
{
    struct harness *h = gateway(1, 0);
    harness_send(h, 7, to_wan());
    harness_expect_drop(h, no_generation);
    assert_int_equal(h->counters->block[0].port[7].drop_packets, 1);
    harness_free(h);
}

static void a_metered_pass_counts_every_stage_it_walks(void **state)
{
    struct harness *h = gateway(1, 0);
    const struct sl_stage_counters *stage = h->counters->block[0].stage;
    many_to_wan(h, 5);
    assert_int_equal(stage[SL_STAGE_parse].packets, 5);
    assert_int_equal(stage[SL_STAGE_route].packets, 5);
    assert_int_equal(stage[SL_STAGE_neighbor].packets, 5);
    assert_true(stage[SL_STAGE_parse].cycles > 0);
    assert_int_equal(stage[SL_STAGE_nat].packets, 0);
    h->worker[0]->metered = false;
    many_to_wan(h, 5);
    assert_int_equal(stage[SL_STAGE_parse].packets, 5);
    harness_free(h);
}

static void a_port_without_a_twin_answers_pings_itself(void **state)
{
    struct harness *h = gateway(1, 0);
    harness_send(h, LAN, harness_echo(LAN, "10.0.0.11", "10.0.0.1", 7, 1));
    struct rte_mbuf *out = harness_sent(h, LAN);
    assert_non_null(out);
    assert_int_equal(((struct sl_icmp *)harness_l4_of(out))->type, SL_ICMP_ECHO_REPLY);
    assert_int_equal(harness_counted(h, SL_COUNTER_icmp_echo_answered), 1);
    rte_pktmbuf_free(out);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void a_port_without_a_twin_drops_what_is_for_its_host(void **state)
{
    struct harness *h = gateway(1, 0);
    harness_send(h, LAN, harness_tcp(LAN, "10.0.0.11", "10.0.0.1", 4000, 22, SL_TCP_SYN, 0));
    harness_expect_drop(h, no_twin);
    harness_free(h);
}

static void what_is_for_the_host_goes_to_the_twin_of_the_port_it_came_in_on(void **state)
{
    struct harness *h = gateway(1, SL_PORT_TWIN);
    harness_send(h, LAN, harness_tcp(LAN, "10.0.0.11", "198.51.100.1", 4000, 22, SL_TCP_SYN, 0));
    struct rte_mbuf *m = harness_handed(h, 0);
    assert_non_null(m);
    assert_int_equal(handover_of(m)->kind, HANDOVER_TWIN);
    assert_int_equal(handover_of(m)->port_in, LAN);
    rte_pktmbuf_free(m);
    harness_free(h);
}

static void the_twin_gets_the_frame_as_it_came(void **state)
{
    struct harness *h = gateway(1, SL_PORT_TWIN);
    int pipe_fd[2];
    uint8_t bytes[256];
    assert_int_equal(pipe(pipe_fd), 0);
    h->house.twin[LAN] = pipe_fd[1];
    struct rte_mbuf *frame = harness_tcp(LAN, "10.0.0.11", "10.0.0.1", 4000, 22, SL_TCP_SYN, 20);
    struct rte_mbuf *copy = harness_frame(rte_pktmbuf_mtod(frame, void *), frame->pkt_len);
    harness_send(h, LAN, frame);
    harness_settle(h);
    assert_int_equal(read(pipe_fd[0], bytes, sizeof(bytes)), copy->pkt_len);
    assert_memory_equal(bytes, rte_pktmbuf_mtod(copy, void *), copy->pkt_len);
    rte_pktmbuf_free(copy);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    harness_free(h);
}

static void a_twin_that_is_not_read_drops(void **state)
{
    struct harness *h = gateway(1, SL_PORT_TWIN);
    int pipe_fd[2];
    assert_int_equal(pipe2(pipe_fd, O_NONBLOCK), 0);
    static const uint8_t filling[4096];
    while (write(pipe_fd[1], filling, sizeof(filling)) > 0)
        ;
    h->house.twin[LAN] = pipe_fd[1];
    harness_send(h, LAN, harness_tcp(LAN, "10.0.0.11", "10.0.0.1", 4000, 22, SL_TCP_SYN, 0));
    harness_settle(h);
    harness_expect_drop(h, twin_queue_full);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    harness_free(h);
}

static void what_the_host_writes_leaves_on_the_twins_port(void **state)
{
    struct harness *h = gateway(1, SL_PORT_TWIN);
    int pipe_fd[2];
    uint8_t frame[60] = {2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0x08, 0x06};
    assert_int_equal(pipe2(pipe_fd, O_NONBLOCK), 0);
    assert_int_equal(write(pipe_fd[1], frame, sizeof(frame)), sizeof(frame));
    h->house.twin[LAN] = pipe_fd[0];
    assert_int_equal(twin_read(&h->house, LAN), 1);
    harness_settle(h);
    struct rte_mbuf *out = harness_sent(h, LAN);
    assert_non_null(out);
    assert_memory_equal(rte_pktmbuf_mtod(out, void *), frame, sizeof(frame));
    assert_int_equal(harness_counted(h, SL_COUNTER_twin_tx), 1);
    rte_pktmbuf_free(out);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    harness_free(h);
}

// Fills a ring with packets of its own until it takes no more.
static unsigned ring_stuff(struct rte_ring *ring)
{
    unsigned count = 0;
    for (struct rte_mbuf *m; rte_ring_free_count(ring) > 0; count++) {
        m = rte_pktmbuf_alloc(harness_pool());
        assert_non_null(m);
        handover_of(m)->port_out = SL_MAX_PORTS - 1; // nobody's
        assert_int_equal(rte_ring_enqueue(ring, m), 0);
    }
    return count;
}

static void a_full_housekeeping_queue_drops(void **state)
{
    struct harness *h = gateway(1, SL_PORT_TWIN);
    ring_stuff(h->worker[0]->to_house);
    harness_send(h, LAN, harness_tcp(LAN, "10.0.0.11", "10.0.0.1", 4000, 22, SL_TCP_SYN, 0));
    harness_expect_drop(h, housekeeping_queue_full);
    harness_free(h);
}

static void a_full_queue_to_the_owner_of_a_port_drops(void **state)
{
    struct harness *h = gateway(1, 0);
    ring_stuff(h->captured);
    harness_send(h, LAN, to_wan());
    harness_expect_drop(h, tx_queue_full);
    harness_free(h);
}

static void frames_for_a_port_that_went_down_are_dropped(void **state)
{
    struct harness *h = gateway(1, 0);
    struct rte_mbuf *frame = to_wan();
    harness_port_up(h, WAN, false);
    worker_tx(h->worker[0], WAN, frame);
    harness_expect_drop(h, port_down);
    harness_port_up(h, WAN, true);
    worker_tx(h->worker[0], WAN, to_wan());
    harness_port_up(h, WAN, false);
    worker_flush(h->worker[0]);
    harness_expect_drop(h, port_down);
    harness_free(h);
}

static void a_frame_in_pieces_leaves_as_one(void **state)
{
    struct harness *h = gateway(1, 0);
    struct rte_mbuf *head = harness_frame("0123456789", 10), *tail = harness_frame("abcdef", 6);
    assert_int_equal(rte_pktmbuf_chain(head, tail), 0);
    worker_tx(h->worker[0], WAN, head);
    worker_flush(h->worker[0]);
    struct rte_mbuf *out = harness_sent(h, WAN);
    assert_int_equal(out->nb_segs, 1);
    assert_int_equal(out->data_len, 16);
    assert_memory_equal(rte_pktmbuf_mtod(out, char *), "0123456789abcdef", 16);
    rte_pktmbuf_free(out);
    harness_free(h);
}

static void a_frame_in_pieces_that_fit_no_buffer_is_dropped(void **state)
{
    static const uint8_t zeros[RTE_MBUF_DEFAULT_DATAROOM];
    struct harness *h = gateway(1, 0);
    struct rte_mbuf *head = harness_frame(zeros, sizeof(zeros)), *tail = harness_frame(zeros, 100);
    assert_int_equal(rte_pktmbuf_chain(head, tail), 0);
    worker_tx(h->worker[0], WAN, head);
    harness_expect_drop(h, no_memory);
    harness_free(h);
}

static void a_frame_for_another_workers_queue_is_sent_by_its_owner(void **state)
{
    struct harness *h = gateway(2, 0);
    h->worker[0]->tx[WAN].owner = 1;
    harness_send(h, LAN, to_wan());
    assert_int_equal(rte_ring_count(h->worker[0]->steer_out[1]), 1);
    assert_null(harness_sent(h, WAN));
    harness_settle(h);
    assert_int_equal(sent_count(h, WAN), 1);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void housekeepings_frames_keep_their_order_and_their_ports(void **state)
{
    struct harness *h = gateway(2, 0);
    for (uint8_t i = 0; i < 10; i++)
        house_tx(&h->house, i % 2, harness_frame(&i, 1));
    harness_settle(h);
    for (uint8_t i = 0; i < 10; i++) {
        struct rte_mbuf *m = harness_sent(h, i % 2);
        assert_non_null(m);
        assert_int_equal(*rte_pktmbuf_mtod(m, uint8_t *), i);
        rte_pktmbuf_free(m);
    }
    harness_free(h);
}

static void packets_of_the_gateways_own_are_routed_without_losing_a_hop(void **state)
{
    struct harness *h = gateway(1, 0);
    house_route(&h->house, harness_udp(LAN, "10.0.0.1", "198.51.100.21", 1, 2, 8));
    harness_settle(h);
    struct rte_mbuf *out = harness_sent(h, WAN);
    assert_non_null(out);
    assert_int_equal(harness_ipv4_of(out)->ttl, 64);
    rte_pktmbuf_free(out);
    harness_free(h);
}

// What worker `index` makes of a map with one port of `queues` queues in slot `slot`.
static void map_give(struct harness *h, struct port_map *map, uint16_t slot, uint16_t queues)
{
    *map = (struct port_map){.worker_count = h->worker_count};
    map->port[slot] =
        (struct port_map_device){.device = 3, .rx_queues = queues, .tx_queues = queues, .up = true};
    for (uint32_t i = 0; i < h->worker_count; i++) {
        h->worker[i]->ports_next = map;
        port_map_take(h->worker[i]);
        assert_ptr_equal(h->worker[i]->ports, map);
    }
}

static void every_queue_is_polled_by_exactly_one_worker(void **state)
{
    for (uint32_t workers = 1; workers <= HARNESS_WORKERS; workers++)
        for (uint16_t queues = 1; queues <= 8; queues++) {
            struct harness *h = harness_new(workers);
            struct port_map map;
            unsigned polled[8] = {0};
            map_give(h, &map, 5, queues);
            for (uint32_t w = 0; w < workers; w++)
                for (uint16_t i = 0; i < h->worker[w]->rx_count; i++)
                    polled[h->worker[w]->rx[i].queue]++;
            for (uint16_t q = 0; q < queues; q++)
                assert_int_equal(polled[q], 1);
            harness_free(h);
        }
}

static void every_queue_is_sent_on_by_its_owner_alone(void **state)
{
    for (uint32_t workers = 1; workers <= HARNESS_WORKERS; workers++)
        for (uint16_t queues = 1; queues <= 8; queues++) {
            struct harness *h = harness_new(workers);
            struct port_map map;
            uint16_t owner[8];
            memset(owner, 0xff, sizeof(owner));
            map_give(h, &map, 2, queues);
            for (uint32_t w = 0; w < workers; w++) {
                const struct tx_buffer *tx = &h->worker[w]->tx[2];
                assert_true(tx->up && tx->queue < queues && tx->owner < workers);
                if (tx->owner == w) // sends itself: on a queue that no other worker sends on
                    assert_int_equal(owner[tx->queue], UINT16_MAX);
                if (tx->owner == w)
                    owner[tx->queue] = (uint16_t)w;
                else // hands over: to a worker that sends itself
                    assert_int_equal(h->worker[tx->owner]->tx[2].owner, tx->owner);
            }
            harness_free(h);
        }
}

static void a_port_that_goes_away_takes_its_waiting_frames_along(void **state)
{
    struct harness *h = gateway(1, 0);
    struct port_map none = {.worker_count = 1};
    worker_tx(h->worker[0], WAN, to_wan());
    h->worker[0]->ports_next = &none;
    port_map_take(h->worker[0]);
    assert_int_equal(sent_count(h, WAN), 1); // what was queued before left while it could
    worker_tx(h->worker[0], WAN, to_wan());
    harness_expect_drop(h, port_down);
    harness_free(h);
}

static void the_workers_clock_is_the_kernels(void **state)
{
    struct worker_clock clock;
    struct timespec now;
    worker_clock_init(&clock);
    for (int i = 0; i < 1000; i++) {
        uint32_t before = worker_clock_ms(&clock, rte_rdtsc());
        uint32_t after = worker_clock_ms(&clock, rte_rdtsc());
        assert_true((int32_t)(after - before) >= 0);
    }
    clock.tsc_next = 0; // as if a second had passed
    uint32_t ms = worker_clock_ms(&clock, rte_rdtsc());
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint32_t kernel = (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
    // The machine may have paused us between the two; the two clocks may round a millisecond apart.
    assert_in_range(kernel - ms + 1, 0, 10000);
}

static void the_workers_clock_counts_a_second_in_a_second_of_ticks(void **state)
{
    struct worker_clock clock;
    worker_clock_init(&clock);
    uint64_t start = clock.tsc_base, hz = rte_get_tsc_hz();
    uint32_t first = (uint32_t)clock.ms_base;
    clock.tsc_next = UINT64_MAX; // no look at the kernel's clock
    for (uint32_t ms = 1; ms <= 1000; ms++) {
        uint32_t seen = worker_clock_ms(&clock, start + hz / 1000 * ms) - first;
        assert_in_range(seen, ms - 1, ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_any_length_is_forwarded),
        cmocka_unit_test(packets_before_the_first_generation_are_dropped),
        cmocka_unit_test(packets_of_a_port_that_is_not_in_the_tables_are_dropped),
        cmocka_unit_test(a_metered_pass_counts_every_stage_it_walks),
        cmocka_unit_test(a_port_without_a_twin_answers_pings_itself),
        cmocka_unit_test(a_port_without_a_twin_drops_what_is_for_its_host),
        cmocka_unit_test(what_is_for_the_host_goes_to_the_twin_of_the_port_it_came_in_on),
        cmocka_unit_test(the_twin_gets_the_frame_as_it_came),
        cmocka_unit_test(a_twin_that_is_not_read_drops),
        cmocka_unit_test(what_the_host_writes_leaves_on_the_twins_port),
        cmocka_unit_test(a_full_housekeeping_queue_drops),
        cmocka_unit_test(a_full_queue_to_the_owner_of_a_port_drops),
        cmocka_unit_test(frames_for_a_port_that_went_down_are_dropped),
        cmocka_unit_test(a_frame_in_pieces_leaves_as_one),
        cmocka_unit_test(a_frame_in_pieces_that_fit_no_buffer_is_dropped),
        cmocka_unit_test(a_frame_for_another_workers_queue_is_sent_by_its_owner),
        cmocka_unit_test(housekeepings_frames_keep_their_order_and_their_ports),
        cmocka_unit_test(packets_of_the_gateways_own_are_routed_without_losing_a_hop),
        cmocka_unit_test(every_queue_is_polled_by_exactly_one_worker),
        cmocka_unit_test(every_queue_is_sent_on_by_its_owner_alone),
        cmocka_unit_test(a_port_that_goes_away_takes_its_waiting_frames_along),
        cmocka_unit_test(the_workers_clock_is_the_kernels),
        cmocka_unit_test(the_workers_clock_counts_a_second_in_a_second_of_ticks),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
