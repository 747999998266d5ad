// SPDX-License-Identifier: Apache-2.0
#include "harm.h"
#include <arpa/inet.h>
#include <string.h>
#include "wire/checksum.h"
#include "wire/emit.h"

#define CE 3u

static bool mark_v4(uint8_t *packet)
{
    sl_be16 checksum;

    if ((packet[1] & CE) == 0)
        return false;
    packet[1] |= CE;
    packet[10] = packet[11] = 0;
    checksum = sl_csum_ipv4_header(packet, 20);
    memcpy(packet + 10, &checksum, sizeof(checksum));
    return true;
}

bool harm_mark(uint8_t *packet)
{
    if (packet[0] >> 4 == 4)
        return mark_v4(packet);
    if ((packet[1] >> 4 & CE) == 0)
        return false;
    packet[1] |= CE << 4;
    return true;
}

uint32_t harm_too_big(const uint8_t *packet, uint16_t mtu, uint8_t to[HARM_ICMP_MAX])
{
    bool v4 = packet[0] >> 4 == 4;
    uint16_t quoted = v4 ? 28 : 60; // the IP header and the transport's first bytes
    struct sl_emit_ip ip = {.payload_len = (uint16_t)(8 + quoted), .proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6};
    uint8_t *at;

    if (v4) {
        ip.src = sl_ip_v4(0);
        ip.dst = sl_ip_v4(0);
        memcpy(&ip.src.b[12], packet + 16, 4);
        memcpy(&ip.dst.b[12], packet + 12, 4);
        at = sl_emit_icmp(sl_emit_ipv4(to, &ip), 3, 4, htonl(mtu));
    } else {
        memcpy(&ip.src, packet + 24, 16);
        memcpy(&ip.dst, packet + 8, 16);
        at = sl_emit_icmp(sl_emit_ipv6(to, &ip), 2, 0, htonl(mtu));
    }
    memcpy(at, packet, quoted);
    sl_emit_l4_checksum(to);
    return (uint32_t)(at - to) + quoted;
}
