// SPDX-License-Identifier: Apache-2.0
// SYN cookies (RFC 4987 section 3.6): what is made is found good, whatever lies in the padding of the tuple.
#include "rig.h"

static void padding_of_the_tuple_does_not_count(void **state)
{
    struct tcp_secret secret = {{1, 2}};
    struct tcp_options syn = {.present = TCP_OPTION_MSS, .mss = 1460};
    struct tcp_tuple made, checked;
    struct tcp_cookie cookie;
    uint32_t tsval = 0, isn;

    memset(&made, 0, sizeof(made));
    memset(&checked, 0xff, sizeof(checked));
    made.local = checked.local = sl_ip_v4(0x0100a8c0);
    made.remote = checked.remote = sl_ip_v4(0x010200c0);
    made.local_port = checked.local_port = 80;
    made.remote_port = checked.remote_port = 4711;
    isn = tcp_cookie_make(&secret, &made, 12345, &syn, false, RIG_S, &tsval);
    assert_true(tcp_cookie_check(&secret, &checked, 12345, isn, &syn, RIG_S, &cookie));
    assert_int_equal(cookie.mss, 1460);
    assert_false(tcp_cookie_check(&secret, &checked, 12346, isn, &syn, RIG_S, &cookie));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(padding_of_the_tuple_does_not_count)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
