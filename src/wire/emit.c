// SPDX-License-Identifier: Apache-2.0
// Writes headers, the inverse of the parsers beside it. Called by the ICMP stage, neighbor discovery, tests
// and generators of traffic. Pure; any thread.
#include "wire/emit.h"

#include <string.h>
#include "wire/checksum.h"
#include "wire/l4.h"

enum { TTL_DEFAULT = 64 }; // RFC 1700's recommendation, what hosts use

uint8_t *sl_emit_eth(void *at, const uint8_t dst[6], const uint8_t src[6], uint16_t ethertype)
{
    struct sl_eth *eth = (struct sl_eth *)at;

    memcpy(eth->dst, dst, sizeof(eth->dst));
    memcpy(eth->src, src, sizeof(eth->src));
    eth->type = sl_be16_of(ethertype);
    return (uint8_t *)(eth + 1);
}

// The checksum of a header whose fields are at hand: a wide load right behind their stores would wait until those have
// reached the cache.
static sl_be16 ipv4_checksum(const struct sl_emit_ip *ip, uint16_t fragment, uint8_t ttl)
{
    uint32_t words = (0x4500u | ip->tos) + (uint16_t)(sizeof(struct sl_ipv4) + ip->payload_len) + ip->id + fragment +
                     ((uint32_t)ttl << 8 | ip->proto);

    words = (words & 0xffff) + (words >> 16);
    return sl_csum_finish((uint64_t)__builtin_bswap16((uint16_t)((words & 0xffff) + (words >> 16))) + ip->src.w[3] +
                          ip->dst.w[3]);
}

uint8_t *sl_emit_ipv4(void *at, const struct sl_emit_ip *ip)
{
    struct sl_ipv4 *header = (struct sl_ipv4 *)at;
    uint16_t fragment = (uint16_t)(ip->fragment | (ip->dont_fragment ? SL_IPV4_DF : 0));
    uint8_t ttl = ip->ttl ? ip->ttl : TTL_DEFAULT;

    *header = (struct sl_ipv4){
        .version_ihl = 0x45,
        .tos = ip->tos,
        .total_len = sl_be16_of((uint16_t)(sizeof(*header) + ip->payload_len)),
        .id = sl_be16_of(ip->id),
        .fragment = sl_be16_of(fragment),
        .ttl = ttl,
        .proto = ip->proto,
        .checksum = ipv4_checksum(ip, fragment, ttl),
        .src = ip->src.w[3],
        .dst = ip->dst.w[3],
    };
    return (uint8_t *)(header + 1);
}

uint8_t *sl_emit_ipv6(void *at, const struct sl_emit_ip *ip)
{
    struct sl_ipv6 *header = (struct sl_ipv6 *)at;

    header->version_class_flow = sl_be32_of(6u << 28 | (uint32_t)ip->tos << 20 | (ip->flow_label & 0xfffff));
    header->payload_len = sl_be16_of(ip->payload_len);
    header->next = ip->proto;
    header->hop_limit = ip->ttl ? ip->ttl : TTL_DEFAULT;
    memcpy(header->src, ip->src.b, sizeof(header->src));
    memcpy(header->dst, ip->dst.b, sizeof(header->dst));
    return (uint8_t *)(header + 1);
}

uint8_t *sl_emit_ip(void *at, const struct sl_emit_ip *ip)
{
    return sl_ip_is_v4(&ip->src) ? sl_emit_ipv4(at, ip) : sl_emit_ipv6(at, ip);
}

uint8_t *sl_emit_ipv6_fragment(void *at, uint8_t next, uint16_t offset, bool more, uint32_t id)
{
    struct sl_ipv6_fragment *header = (struct sl_ipv6_fragment *)at;

    header->next = next;
    header->reserved = 0;
    header->offset = sl_be16_of((uint16_t)((offset & 0xfff8) | more));
    header->id = sl_be32_of(id);
    return (uint8_t *)(header + 1);
}

uint8_t *sl_emit_udp(void *at, uint16_t sport, uint16_t dport, uint16_t payload_len)
{
    struct sl_udp *header = (struct sl_udp *)at;

    header->sport = sl_be16_of(sport);
    header->dport = sl_be16_of(dport);
    header->len = sl_be16_of((uint16_t)(sizeof(*header) + payload_len));
    header->checksum = 0;
    return (uint8_t *)(header + 1);
}

uint8_t *sl_emit_tcp(void *at, const struct sl_emit_tcp *tcp)
{
    struct sl_tcp *header = (struct sl_tcp *)at;
    uint8_t *options = (uint8_t *)(header + 1);

    header->sport = sl_be16_of(tcp->sport);
    header->dport = sl_be16_of(tcp->dport);
    header->seq = sl_be32_of(tcp->seq);
    header->ack = sl_be32_of(tcp->ack);
    header->data_offset = (uint8_t)((sizeof(*header) + tcp->options_len) / 4 << 4);
    header->flags = tcp->flags;
    header->window = sl_be16_of(tcp->window);
    header->checksum = 0;
    header->urgent = 0;
    if (tcp->options_len)
        memcpy(options, tcp->options, tcp->options_len);
    return options + tcp->options_len;
}

uint8_t *sl_emit_icmp(void *at, uint8_t type, uint8_t code, sl_be32 rest)
{
    struct sl_icmp *header = (struct sl_icmp *)at;

    header->type = type;
    header->code = code;
    header->checksum = 0;
    header->mtu32 = rest;
    return (uint8_t *)(header + 1);
}

uint8_t *sl_emit_icmp_query(void *at, uint8_t type, uint16_t id, uint16_t seq)
{
    return sl_emit_icmp(at, type, 0, sl_be32_of((uint32_t)id << 16 | seq));
}

uint8_t *sl_emit_arp(void *at, uint16_t operation, const uint8_t sender_mac[6], sl_be32 sender_ip,
                     const uint8_t target_mac[6], sl_be32 target_ip)
{
    struct sl_arp *arp = (struct sl_arp *)at;

    arp->hardware = sl_be16_of(1); // Ethernet
    arp->protocol = sl_be16_of(SL_ETHERTYPE_IPV4);
    arp->hardware_len = sizeof(arp->sender_mac);
    arp->protocol_len = sizeof(arp->sender_ip);
    arp->operation = sl_be16_of(operation);
    memcpy(arp->sender_mac, sender_mac, sizeof(arp->sender_mac));
    memcpy(arp->sender_ip, &sender_ip, sizeof(arp->sender_ip));
    memcpy(arp->target_mac, target_mac, sizeof(arp->target_mac));
    memcpy(arp->target_ip, &target_ip, sizeof(arp->target_ip));
    return (uint8_t *)(arp + 1);
}

// A transport message in place, and where its checksum stands.
struct message {
    uint8_t *l4;
    size_t len;
    uint8_t proto;
    sl_be16 *checksum; // NULL: a protocol without one that we know
    uint64_t pseudo;
};

static void message_v4(uint8_t *first, struct message *message)
{
    const struct sl_ipv4 *ip = (const struct sl_ipv4 *)first;
    size_t header = (size_t)(ip->version_ihl & 0x0f) * 4;

    message->l4 = first + header;
    message->len = sl_host16(ip->total_len) - header;
    message->proto = ip->proto;
    if (ip->proto != SL_PROTO_ICMP) // the one without a pseudo header (RFC 792)
        message->pseudo = sl_csum_pseudo_v4(ip->src, ip->dst, ip->proto, (uint16_t)message->len);
}

static void message_v6(uint8_t *first, struct message *message)
{
    const struct sl_ipv6 *ip = (const struct sl_ipv6 *)first;

    message->l4 = first + sizeof(*ip);
    message->len = sl_host16(ip->payload_len);
    message->proto = ip->next;
    message->pseudo = sl_csum_pseudo_v6(ip->src, ip->dst, ip->next, (uint32_t)message->len);
}

static struct message message_at(void *ip)
{
    struct message message = {0};
    uint8_t *first = (uint8_t *)ip;

    if (first[0] >> 4 == 4)
        message_v4(first, &message);
    else
        message_v6(first, &message);
    if (message.proto == SL_PROTO_TCP)
        message.checksum = &((struct sl_tcp *)message.l4)->checksum;
    else if (message.proto == SL_PROTO_UDP)
        message.checksum = &((struct sl_udp *)message.l4)->checksum;
    else if (message.proto == SL_PROTO_ICMP || message.proto == SL_PROTO_ICMPV6)
        message.checksum = &((struct sl_icmp *)message.l4)->checksum;
    return message;
}

void sl_emit_l4_checksum(void *ip)
{
    struct message message = message_at(ip);

    if (message.checksum == NULL)
        return;
    *message.checksum = 0;
    uint64_t sum = sl_csum_add(message.pseudo, message.l4, message.len);
    *message.checksum = message.proto == SL_PROTO_UDP ? sl_csum_finish_udp(sum) : sl_csum_finish(sum);
}

bool sl_check_l4_checksum(const void *ip)
{
    struct message message = message_at((void *)(uintptr_t)ip); // only read through

    if (message.checksum == NULL)
        return true;
    if (message.proto == SL_PROTO_UDP && *message.checksum == 0)
        return ((const uint8_t *)ip)[0] >> 4 == 4;
    return sl_csum_finish(sl_csum_add(message.pseudo, message.l4, message.len)) == 0;
}
