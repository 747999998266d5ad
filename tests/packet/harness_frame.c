// SPDX-License-Identifier: Apache-2.0
// Frames for packet tests, written with src/wire/emit.h into mbufs of the harness's pool. Test thread.
#include "harness.h"
#include <rte_ip.h>

const uint8_t *harness_port_mac(uint16_t slot)
{
    static const uint8_t mac[4][6] = {
        {2, 0, 0, 0, 0, 0}, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 3}};
    assert_true(slot < 4);
    return mac[slot];
}

const uint8_t *harness_peer_mac(void)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 1, 0};
    return mac;
}

struct sl_ip harness_ip_of(const char *text)
{
    struct sl_ip ip;
    if (sl_ip_parse(text, &ip) != 0)
        fail_msg("'%s' is no address", text);
    return ip;
}

static struct rte_mbuf *frame_new(uint32_t len)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(harness_pool());
    assert_non_null(m);
    assert_non_null(rte_pktmbuf_append(m, (uint16_t)len));
    return m;
}

struct rte_mbuf *harness_frame(const void *bytes, uint32_t len)
{
    struct rte_mbuf *m = frame_new(len);
    memcpy(rte_pktmbuf_mtod(m, void *), bytes, len);
    return m;
}

// Ethernet and IP header with room for payload_len behind them, which *at is set to.
static struct rte_mbuf *frame_ip(uint16_t port, const struct sl_emit_ip *ip, uint8_t **at)
{
    bool v4 = sl_ip_is_v4(&ip->src);
    struct rte_mbuf *m = frame_new(14 + (v4 ? 20 : 40) + ip->payload_len);
    *at = sl_emit_eth(rte_pktmbuf_mtod(m, void *), harness_port_mac(port), harness_peer_mac(),
                      v4 ? SL_ETHERTYPE_IPV4 : SL_ETHERTYPE_IPV6);
    *at = sl_emit_ip(*at, ip);
    return m;
}

static void payload_fill(uint8_t *at, uint16_t len)
{
    for (uint16_t i = 0; i < len; i++)
        at[i] = (uint8_t)i;
}

struct rte_mbuf *harness_ip(uint16_t port, const struct sl_emit_ip *ip)
{
    uint8_t *at;
    struct rte_mbuf *m = frame_ip(port, ip, &at);
    memset(at, 0, ip->payload_len);
    return m;
}

struct rte_mbuf *harness_udp(uint16_t port, const char *src, const char *dst, uint16_t sport, uint16_t dport,
                             uint16_t payload_len)
{
    struct sl_emit_ip ip = {.src = harness_ip_of(src),
                            .dst = harness_ip_of(dst),
                            .proto = IPPROTO_UDP,
                            .payload_len = 8 + payload_len};
    uint8_t *at;
    struct rte_mbuf *m = frame_ip(port, &ip, &at);
    payload_fill(sl_emit_udp(at, sport, dport, payload_len), payload_len);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    return m;
}

struct rte_mbuf *harness_tcp(uint16_t port, const char *src, const char *dst, uint16_t sport, uint16_t dport,
                             uint8_t flags, uint16_t payload_len)
{
    struct sl_emit_ip ip = {.src = harness_ip_of(src),
                            .dst = harness_ip_of(dst),
                            .proto = IPPROTO_TCP,
                            .payload_len = 20 + payload_len,
                            .dont_fragment = true};
    struct sl_emit_tcp tcp = {.sport = sport, .dport = dport, .seq = 1, .flags = flags, .window = 1000};
    uint8_t *at;
    struct rte_mbuf *m = frame_ip(port, &ip, &at);
    payload_fill(sl_emit_tcp(at, &tcp), payload_len);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    return m;
}

struct rte_mbuf *harness_echo(uint16_t port, const char *src, const char *dst, uint16_t id, uint16_t seq)
{
    struct sl_emit_ip ip = {.src = harness_ip_of(src), .dst = harness_ip_of(dst), .payload_len = 8 + 56};
    bool v4 = sl_ip_is_v4(&ip.src);
    uint8_t *at;
    ip.proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    struct rte_mbuf *m = frame_ip(port, &ip, &at);
    payload_fill(sl_emit_icmp_query(at, v4 ? SL_ICMP_ECHO : SL_ICMP6_ECHO, id, seq), 56);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    return m;
}

struct rte_mbuf *harness_arp(uint16_t operation, const char *sender, const char *target)
{
    static const uint8_t everyone[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, nobody[6];
    struct rte_mbuf *m = frame_new(14 + sizeof(struct sl_arp));
    void *at = sl_emit_eth(rte_pktmbuf_mtod(m, void *), everyone, harness_peer_mac(), SL_ETHERTYPE_ARP);
    sl_emit_arp(at, operation, harness_peer_mac(), harness_ip_of(sender).w[3], nobody,
                harness_ip_of(target).w[3]);
    return m;
}

void harness_fix_checksums(struct rte_mbuf *frame)
{
    if (harness_eth_of(frame)->type == sl_be16_of(SL_ETHERTYPE_IPV4)) {
        struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)harness_ipv4_of(frame);
        ip->hdr_checksum = 0;
        ip->hdr_checksum = rte_ipv4_cksum(ip);
    }
    sl_emit_l4_checksum(harness_ipv4_of(frame));
}

void *harness_l4_of(struct rte_mbuf *frame)
{
    bool v4 = harness_eth_of(frame)->type == sl_be16_of(SL_ETHERTYPE_IPV4);
    return rte_pktmbuf_mtod_offset(frame, void *, v4 ? 34 : 54);
}
