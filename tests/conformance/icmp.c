// SPDX-License-Identifier: Apache-2.0
// ICMP errors that quote a segment of ours (RFC 792, RFC 4443), as sl_tcp_icmp() takes them.
#include <string.h>
#include "door.h"
#include "wire/headers.h"

static uint32_t word(const uint8_t *at)
{
    sl_be32 value;

    memcpy(&value, at, 4);
    return sl_host32(value);
}

static bool kind_v4(uint8_t type, uint8_t code, struct sl_tcp_icmp_in *in)
{
    if (type == 11 && code == 0) // in transit; Linux takes it for "host unreachable"
        in->kind = SL_TCP_ICMP_UNREACHABLE;
    else if (type != 3)
        return false;
    else if (code == 4)
        in->kind = SL_TCP_ICMP_TOO_BIG;
    else if (code == 2 || code == 3)
        in->kind = SL_TCP_ICMP_PORT;
    else if (code == 9 || code == 10 || code == 13)
        in->kind = SL_TCP_ICMP_PROHIBITED;
    else
        in->kind = SL_TCP_ICMP_UNREACHABLE;
    return true;
}

static bool kind_v6(uint8_t type, uint8_t code, struct sl_tcp_icmp_in *in)
{
    if (type == 2)
        in->kind = SL_TCP_ICMP_TOO_BIG;
    else if (type != 1 && type != 3)
        return false;
    else if (type == 1 && code == 4)
        in->kind = SL_TCP_ICMP_PORT;
    else if (type == 1 && (code == 1 || code == 5 || code == 6))
        in->kind = SL_TCP_ICMP_PROHIBITED;
    else
        in->kind = SL_TCP_ICMP_UNREACHABLE;
    return true;
}

static void quoted_tcp(struct sl_tcp_icmp_in *in, const uint8_t *tcp)
{
    memcpy(&in->local_port, tcp, 2);
    memcpy(&in->remote_port, tcp + 2, 2);
    in->seq = word(tcp + 4);
}

static bool read_v4(const uint8_t *packet, size_t len, struct sl_tcp_icmp_in *in)
{
    size_t outer = (packet[0] & 15) * 4u, inner;
    const uint8_t *icmp = packet + outer, *quote = icmp + 8;
    sl_be32 address;

    if (len < outer + 8 + 20 || packet[9] != 1 || !kind_v4(icmp[0], icmp[1], in) || quote[9] != 6)
        return false;
    inner = (quote[0] & 15) * 4u;
    if (len < outer + 8 + inner + 8)
        return false;
    memcpy(&address, quote + 12, 4);
    in->local = sl_ip_v4(address);
    memcpy(&address, quote + 16, 4);
    in->remote = sl_ip_v4(address);
    in->mtu = word(icmp + 4) & 0xffff; // RFC 1191 section 4
    quoted_tcp(in, quote + inner);
    return true;
}

static bool read_v6(const uint8_t *packet, size_t len, struct sl_tcp_icmp_in *in)
{
    const uint8_t *icmp = packet + 40, *quote = icmp + 8;

    if (len < 40 + 8 + 40 + 8 || packet[6] != 58 || !kind_v6(icmp[0], icmp[1], in) || quote[6] != 6)
        return false;
    memcpy(&in->local, quote + 8, 16);
    memcpy(&in->remote, quote + 24, 16);
    in->mtu = word(icmp + 4);
    quoted_tcp(in, quote + 40);
    return true;
}

void door_icmp_in(struct door *door, const uint8_t *packet, size_t len)
{
    struct sl_tcp_icmp_in in = {0};

    if (len < 28)
        return;
    if (packet[0] >> 4 == 4 ? read_v4(packet, len, &in) : packet[0] >> 4 == 6 && read_v6(packet, len, &in))
        sl_tcp_icmp(door->tcp, &in, door->now_us);
}
