// SPDX-License-Identifier: Apache-2.0
// Steps that tests of joined connections share. See triple.h.
#include "triple.h"

struct triple *triple_began(const struct triple_spec *spec, uint32_t up, uint32_t down)
{
    struct triple *triple = triple_new(spec);

    triple->client.to_send = up;
    triple->server[0].to_send = down;
    triple_begin(triple);
    return triple;
}

bool triple_is_spliced(struct triple *triple)
{
    return triple->spliced;
}

bool triple_is_connected(struct triple *triple)
{
    return triple->connected;
}

void triple_join_within(struct triple *triple, uint64_t us)
{
    triple->want_join = true;
    triple_run(triple, us, triple_is_spliced);
    assert_true(triple->spliced);
    triple->want_join = false;
}

void triple_part_within(struct triple *triple, uint64_t us)
{
    triple_run(triple, us, triple_quiet);
    assert_int_equal(triple_part(triple), 0);
}

void triple_deliver_within(struct triple *triple, uint64_t us)
{
    triple_run(triple, us, triple_delivered);
    if (!triple_delivered(triple))
        fail_msg("server read %u of %u, client %u of %u", triple->server[0].read, triple->client.to_send,
                 triple->client.read, triple->server[0].to_send);
}

uint64_t triple_segments_out(const struct triple *triple, unsigned host)
{
    return sl_tcp_counters(triple->host[host].tcp)->segments_out;
}
