// SPDX-License-Identifier: Apache-2.0
// The client's address in a TCP option: see toa.h.
#include "balance/toa.h"

#include "neighbor/mss.h"
#include "route/route.h"
#include "wire/checksum.h"
#include "wire/l4.h"

#define KIND      254 // experimental (RFC 4727 section 7); what the modules look for
#define BYTES_V4  8
#define BYTES_V6  20
#define HEADER_MAX 60

static uint16_t length_for(const struct sl_flow *flow)
{
    struct sl_ip client = flow->key0.src;

    return sl_ip_is_v4(&client) ? BYTES_V4 : BYTES_V6;
}

bool toa_wanted(const struct worker *worker, const struct packet *packet, const struct sl_flow *flow)
{
    const struct balance_binding *binding = worker->tables->balance_binding;

    if (likely(binding == NULL || !binding->tells_client || flow->packets1 >= TOA_ANSWERS) ||
        !(packet->flags & PACKET_TCP))
        return false;
    const struct sl_balance_table *table = binding->table;
    const struct sl_balance_member *member = sl_balance_member_by_slot(table, SL_FLOW_MEMBER(flow->mapping));
    return member != NULL && sl_balance_pools(table)[member->pool].way == SL_BALANCE_FULL_NAT &&
           sl_balance_pools(table)[member->pool].flags & SL_BALANCE_TOA;
}

// ---- room ---------------------------------------------------------------------------------------------------
static uint16_t mtu_towards(const struct worker *worker, const struct packet *packet)
{
    struct sl_ip dst = route_destination(packet);
    const struct sl_nexthop *nexthop =
        &worker->tables->nexthop[route_lookup_one(worker->tables, &dst, packet->hash)];
    bool leaves = nexthop->kind == SL_NEXTHOP_GATEWAY || nexthop->kind == SL_NEXTHOP_CONNECTED;

    return leaves ? worker->tables->port[nexthop->port].mtu : 0;
}

static struct sl_tcp *header_of(const struct packet *packet)
{
    return rte_pktmbuf_mtod_offset(packet->m, struct sl_tcp *, packet->l4_off);
}

static bool has_room(const struct worker *worker, const struct packet *packet, uint16_t len)
{
    const struct sl_tcp *tcp = header_of(packet);

    return (tcp->data_offset >> 4) * 4 + len <= HEADER_MAX &&
           packet->l3_len + len <= mtu_towards(worker, packet) &&
           !(packet->flags & PACKET_OPTIONS); // of IP: nobody's, who balances connections
}

// ---- writing ------------------------------------------------------------------------------------------------
static void option_fill(const struct sl_flow *flow, uint16_t len, uint8_t option[BYTES_V6])
{
    struct sl_ip client = flow->key0.src;
    sl_be16 port = flow->key0.sport;

    option[0] = KIND;
    option[1] = (uint8_t)len;
    memcpy(option + 2, &port, sizeof(port));
    memcpy(option + 4, len == BYTES_V4 ? client.b + 12 : client.b, len - 4u);
}

// IP's length; the header is where it will be.
static void length_mend(const struct packet *packet, uint16_t more)
{
    uint8_t *l3 = rte_pktmbuf_mtod_offset(packet->m, uint8_t *, packet->l3_off);
    struct sl_ipv4 *v4 = (struct sl_ipv4 *)l3;
    struct sl_ipv6 *v6 = (struct sl_ipv6 *)l3;
    struct sl_csum_diff diff = {0};

    if (packet->flags & PACKET_V6) {
        v6->payload_len = sl_be16_of((uint16_t)(sl_host16(v6->payload_len) + more));
        return;
    }
    sl_be16 before = v4->total_len;
    v4->total_len = sl_be16_of((uint16_t)(sl_host16(before) + more));
    sl_csum_diff_16(&diff, before, v4->total_len);
    sl_csum_patch(&v4->checksum, diff);
}

// The option stands first, so that no end of options stands before it. The pseudo header's length, the header's own and
// the option itself change the sum; all of them stand at even offsets.
static void option_write(const struct packet *packet, const uint8_t *option, uint16_t len)
{
    struct sl_tcp *tcp = header_of(packet);
    uint16_t segment = (uint16_t)(packet->l3_len - (packet->l4_off - packet->l3_off));
    uint8_t before[2] = {tcp->data_offset, tcp->flags};
    struct sl_csum_diff diff = {0};

    tcp->data_offset = (uint8_t)(tcp->data_offset + (len / 4 << 4));
    sl_csum_diff_bytes(&diff, offsetof(struct sl_tcp, data_offset), before, &tcp->data_offset, sizeof(before));
    sl_csum_diff_16(&diff, sl_be16_of((uint16_t)(segment - len)), sl_be16_of(segment));
    diff.sum = sl_csum_add(diff.sum, option, len);
    memcpy(tcp + 1, option, len);
    sl_csum_patch(&tcp->checksum, diff);
}

void toa_add(struct worker *worker, struct packet *packet, const struct sl_flow *flow)
{
    uint16_t len = length_for(flow), headers;
    uint8_t option[BYTES_V6];

    if ((packet->tcp_flags & (SL_TCP_SYN | SL_TCP_RST | SL_TCP_ACK)) != SL_TCP_ACK ||
        !has_room(worker, packet, len))
        return;
    headers = (uint16_t)(packet->l4_off + sizeof(struct sl_tcp));
    uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(packet->m, len);
    if (frame == NULL)
        return;
    memmove(frame, frame + len, headers);
    packet->l3_len = (uint16_t)(packet->l3_len + len);
    packet->flags &= (uint16_t)~PACKET_PLAIN; // its Ethernet header is to be written anew
    length_mend(packet, len);
    option_fill(flow, len, option);
    option_write(packet, option, len);
}

void toa_clamp(struct worker *worker, struct packet *packet, const struct sl_flow *flow)
{
    const struct sl_tcp *tcp = header_of(packet);
    size_t header = sl_tcp_header_len(tcp, rte_pktmbuf_data_len(packet->m) - packet->l4_off);
    size_t at = header && packet->tcp_flags & SL_TCP_SYN ? sl_tcp_find_mss(tcp, header) : 0;
    uint16_t len = length_for(flow);
    sl_be16 mss;

    if (at == 0)
        return;
    memcpy(&mss, (const uint8_t *)tcp + at, sizeof(mss));
    if (sl_host16(mss) > 2 * len)
        mss_clamp(worker, packet, (uint16_t)(sl_host16(mss) - len));
}
