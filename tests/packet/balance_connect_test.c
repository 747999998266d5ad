// SPDX-License-Identifier: Apache-2.0
// A connection that the data plane opens to a member of a pool: what the member says is steered as balanced answers
// are, belongs to no flow of a client, and must come to the worker that opened it.
#include "endpoint/endpoint.h"
#include "harness_balance.h"
#include "housekeeping/probes.h"
#include "worker/loop.h"

#define WORKERS 3

static void pass(struct harness *h)
{
    for (unsigned round = 0; round < 5; round++) // rings between workers are gone round
        for (uint32_t i = 0; i < h->worker_count; i++) {
            worker_rings(h->worker[i]);
            endpoint_pass(h->worker[i]);
            worker_flush(h->worker[i]);
        }
}

static struct harness_balance *begin(void)
{
    struct harness_balance *b = harness_balance_new(WORKERS, 64);
    struct sl_error error;

    harness_balance_simple(b, SL_BALANCE_MAGLEV, 3);
    b->h->port_table.settings.tcp_connections = 256;
    b->h->port_table.settings.tcp_port_first = 61000;
    b->h->port_table.settings.tcp_port_last = 65535;
    for (uint32_t i = 0; i < WORKERS; i++) {
        b->h->worker[i]->now_us = 1000000;
        b->h->worker[i]->endpoint = endpoint_new(b->h->worker[i], &b->h->port_table.settings, NULL, &error);
        assert_non_null(b->h->worker[i]->endpoint);
    }
    endpoint_meet(b->h->worker, WORKERS);
    harness_balance_ready(b);
    for (uint32_t i = 0; i < WORKERS; i++)
        endpoint_tables_taken(b->h->worker[i]);
    return b;
}

static void end(struct harness_balance *b)
{
    for (uint32_t i = 0; i < WORKERS; i++)
        endpoint_free(b->h->worker[i]->endpoint);
    harness_balance_free(b);
}

// The member refuses: its reset, by a worker of choice.
static void refuse(struct harness *h, uint32_t worker, struct rte_mbuf *syn)
{
    const struct sl_tcp *asked = harness_l4_of(syn);
    struct rte_mbuf *m = harness_tcp(NAT_LAN, "10.1.0.1", "10.0.0.1", sl_host16(asked->dport), sl_host16(asked->sport),
                                     SL_TCP_RST | SL_TCP_ACK, 0);
    struct sl_tcp *tcp = harness_l4_of(m);

    tcp->ack = sl_be32_of(sl_host32(asked->seq) + 1);
    harness_fix_checksums(m);
    harness_send_to(h, worker, NAT_LAN, &m, 1);
    pass(h);
}

static void a_members_answer_lands_at_the_worker_that_asked(void **state)
{
    struct harness_balance *b = begin();
    struct probes probes = {0};

    for (uint32_t i = 0; i < 18; i++) {
        struct sl_command command = {
            .kind = SL_COMMAND_PROBE_TCP,
            .id = 1 + i,
            .probe = {.remote = harness_ip_of("10.1.0.1"),
                      .remote_port = 8080,
                      .worker = (uint16_t)(i % WORKERS),
                      .timeout_ms = 1000}};
        struct sl_event event;

        assert_true(probes_begin(&probes, &b->h->house, &command, &event));
        pass(b->h);
        struct rte_mbuf *syn = harness_sent(b->h, NAT_LAN);
        assert_non_null(syn);
        refuse(b->h, i / WORKERS % WORKERS, syn);
        rte_pktmbuf_free(syn);
        assert_true(probes_step(&probes, &b->h->house, &event));
        assert_int_equal(event.status, 0);
        assert_int_equal(event.probe.result, SL_PROBE_REFUSED);
        assert_int_equal(event.probe.worker, i % WORKERS);
    }
    harness_expect_no_drop(b->h);
    assert_int_equal(harness_nat_flows(b->n), 0);
    end(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_members_answer_lands_at_the_worker_that_asked),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
