// SPDX-License-Identifier: Apache-2.0
// Where two of the endpoint's mechanisms meet on one connection: Fast Open and a listener that goes, congestion control
// with a model and a connection that leaves its engine and comes back, residues and bursts.
#include <string.h>
#include "script.h"
#include "tcp/join.h"

static struct sl_tcp_options with(const char *congestion)
{
    struct sl_tcp_options options = rig_options();

    options.congestion = congestion;
    return options;
}

static struct sl_tcp_conn *opened(struct rig *rig, const char *congestion)
{
    struct sl_tcp_options options = with(congestion);

    return rig_open_passive(rig, &options, rig_full_syn(), 64000);
}

static struct sl_tcp_conn *attach(struct rig *rig, const struct sl_tcp_saved *saved, const struct sl_tcp_options *options,
                                  int *error)
{
    struct sl_tcp_conn *conn;

    *error = 0;
    conn = sl_tcp_attach(rig->tcp, saved, options, NULL, rig->now_us, error);
    rig_flush(rig);
    return conn;
}

// ---- a model of the path ------------------------------------------------------------------------------------------
// What stood beside the record of another connection must not be taken for what held when this one's FIN left.
static void a_fin_that_comes_back_is_no_sample_of_anothers_rate(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = opened(rig, "bbr");
    struct sl_tcp_options options = with("bbr");
    struct sl_tcp_saved saved;
    int error;

    for (uint32_t i = 0; i < 20; i++) { // records of which something was delivered before
        rig_send(rig, conn, i * 1000, 1000);
        rig->now_us += 10 * RIG_MS;
        say(rig, ACK, 1, 0, 1 + (i + 1) * 1000);
    }
    rig_drop_out(rig);
    assert_int_equal(sl_tcp_detach(conn, &saved, rig->now_us), 0);
    saved.state = SL_TCP_FIN_WAIT_1; // sent by whoever had it meanwhile
    saved.flags |= SL_TCP_SAVED_FIN_SENT;
    saved.snd_nxt++;
    conn = attach(rig, &saved, &options, &error);
    assert_non_null(conn);
    rig->now_us += 10 * RIG_MS;
    say(rig, ACK, 1, 0, 20002);
    expect_state(conn, SL_TCP_FIN_WAIT_2);
    assert_null(sl_tcp_check(rig->tcp, conn));
    sl_tcp_abort(conn, rig->now_us);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_fin_that_comes_back_is_no_sample_of_anothers_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
