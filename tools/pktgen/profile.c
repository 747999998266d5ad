// SPDX-License-Identifier: Apache-2.0
// From a profile to a plan: reading the file, proving what the schema alone cannot, filling in what is left out. Every
// fault is told with its place. Main thread.
#include "profile.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config/document.h"
#include "config/text.h"
#include "stream.h"
#include "wire/headers.h"

struct compile {
    const struct profile *profile;
    const struct profile_source *source;
    const char *const *port_names;
    uint32_t ports;
    unsigned stream; // being compiled
};

int profile_load_text(const char *text, size_t length, const char *name, struct profile **profile,
                      struct sl_tree *tree, struct sl_diagnostics *diag)
{
    int rc = sl_tree_read(tree, text, length, name, diag);
    *profile = NULL;
    if (rc == 0)
        rc = sl_document_fill(profile_keys, sizeof(**profile), tree, text, length, name, (void **)profile,
                              diag);
    return rc;
}

int profile_load(const char *path, struct profile **profile, struct sl_tree *tree,
                 struct sl_diagnostics *diag)
{
    char *text;
    size_t length;
    *profile = NULL;
    *tree = (struct sl_tree){0};
    int rc = sl_document_read(path, &text, &length, diag);
    if (rc != 0)
        return rc;
    rc = profile_load_text(text, length, path, profile, tree, diag);
    free(text);
    return rc;
}

void profile_free(struct profile *profile)
{
    sl_document_free(profile_keys, profile);
}

// A fault of key `key` of the stream being compiled, or of the profile. A key that is left out has its stream's place.
__attribute__((format(printf, 4, 5))) static void fault(const struct compile *c, bool in_stream,
                                                        const char *key, const char *format, ...)
{
    char path[96], what[256];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof(what), format, list);
    va_end(list);
    if (in_stream)
        snprintf(path, sizeof(path), "streams[%u].%s", c->stream, key);
    else
        snprintf(path, sizeof(path), "%s", key);
    const struct sl_node *node = c->source->tree ? sl_tree_find(c->source->tree, path) : NULL;
    sl_diag_add(c->source->diag, SL_DIAG_ERROR, c->source->name, node ? node->line : 0,
                node ? node->column : 0, path, NULL, "%s", what);
}

static void port_compile(const struct compile *c, const struct profile_stream *in, struct stream_plan *out)
{
    for (uint32_t i = 0; in->port && i < c->ports; i++)
        if (strcmp(in->port, c->port_names[i]) == 0) {
            out->port = i;
            return;
        }
    if (in->port)
        fault(c, true, "port", "there is no port '%s'", in->port);
}

static void address_compile(const struct compile *c, const char *key, const char *text, const char *fallback,
                            struct sl_ip *ip, struct flow_range *range)
{
    struct neighbor_range read;
    const char *why;
    if (profile_read_range(text ? text : fallback, &read, &why) != 0) {
        fault(c, true, key, "'%s' %s", text, why);
        profile_read_range(fallback, &read, &why);
    }
    *ip = read.first;
    *range = flow_range_make(sl_host32(read.first.w[3]), read.count);
    range->step = read.step;
}

static void addresses_compile(const struct compile *c, const struct profile_stream *in,
                              struct stream_plan *out)
{
    struct flow_range *range = out->flows.range;
    bool v6 = in->src && strchr(in->src, ':');
    const char *loopback = v6 ? "::1" : "127.0.0.1";
    const char *src = v6 ? "2001:db8:10::1" : "16.0.0.1",
               *dst = v6 || (in->dst && strchr(in->dst, ':')) ? "2001:db8:30::1" : "48.0.0.1";
    if (!in->src && in->dst && strchr(in->dst, ':'))
        src = "2001:db8:10::1";
    address_compile(c, "src", out->bad == BAD_SOURCE ? loopback : in->src, src, &out->src, &range[FLOW_SRC]);
    address_compile(c, "dst", in->dst, dst, &out->dst, &range[FLOW_DST]);
    out->v6 = !sl_ip_is_v4(&out->src);
    if (out->v6 == sl_ip_is_v4(&out->dst))
        fault(c, true, "dst", "source and destination are of different families");
}

static void ports_compile(const struct compile *c, const char *key, const char *text, uint32_t fallback,
                          struct flow_range *range)
{
    const char *why;
    *range = flow_range_make(fallback, 1);
    if (text && profile_read_ports(text, range, &why) != 0)
        fault(c, true, key, "'%s' %s", text, why);
}

static void flows_compile(const struct compile *c, const struct profile_stream *in, struct stream_plan *out)
{
    uint64_t all = 1;
    if (out->proto != IPPROTO_TCP && out->proto != IPPROTO_UDP) // an identifier, and no second port
        out->flows.range[FLOW_DPORT] = flow_range_make(0, 1);
    for (unsigned i = 0; i < FLOW_FIELDS; i++)
        all *= out->flows.range[i].count; // at most 2^24 * 2^16 * 2^24 * 2^16 = 2^80: cut below
    for (unsigned i = 0, bits = 0; i < FLOW_FIELDS; i++) {
        bits += 31 - (unsigned)__builtin_clz(out->flows.range[i].count);
        if (bits >= 24)
            all = FLOWS_MAX;
    }
    all = all < FLOWS_MAX ? all : FLOWS_MAX;
    if (in->flows > all)
        fault(c, true, "flows", "%u flows, but the addresses and ports make only %llu", in->flows,
              (unsigned long long)all);
    out->flows.flows = in->flows && in->flows < all ? in->flows : (uint32_t)all;
}

static void sizes_check(const struct compile *c, const struct stream_plan *out)
{
    uint16_t least = stream_size_least(out), smallest = FRAME_MAX;
    for (uint16_t i = 0; i < out->sizes.count; i++)
        smallest = out->sizes.size[i] < smallest ? out->sizes.size[i] : smallest;
    if (smallest < least && !c->source->other_sizes)
        fault(c, true, "sizes", "a frame of %u bytes; its headers, the signature and the FCS need %u",
              smallest, least);
}

static void sizes_compile(const struct compile *c, const struct profile_stream *in, struct stream_plan *out)
{
    const char *why;
    if (profile_read_sizes(in->sizes ? in->sizes : "64", &out->sizes, &why) != 0)
        fault(c, true, "sizes", "'%s' %s", in->sizes, why);
    else
        sizes_check(c, out);
    out->sizes.random = in->random_sizes;
}

static void tcp_flags_compile(const struct compile *c, const struct profile_stream *in,
                              struct stream_plan *out)
{
    static const char letters[] = "FSRPAU"; // by bit
    out->tcp_flags = SL_TCP_PSH | SL_TCP_ACK;
    if (!in->tcp_flags)
        return;
    if (out->proto != IPPROTO_TCP)
        fault(c, true, "tcp-flags", "only TCP has flags: make the protocol tcp, or leave them out");
    out->tcp_flags = 0;
    for (const char *at = in->tcp_flags; *at; at++) {
        const char *letter = strchr(letters, *at);
        if (!letter) {
            fault(c, true, "tcp-flags", "'%s' is not letters of F S R P A U", in->tcp_flags);
            return;
        }
        out->tcp_flags |= (uint8_t)(1u << (letter - letters));
    }
}

static void rate_compile(const struct compile *c, bool in_stream, const char *text, struct rate *rate)
{
    const char *why;
    if (text && profile_read_rate(text, rate, &why) != 0)
        fault(c, in_stream, "rate", "'%s' %s", text, why);
}

static void bad_check(const struct compile *c, const struct stream_plan *out)
{
    bool tcp = out->proto == IPPROTO_TCP, udp = out->proto == IPPROTO_UDP;
    if (out->v6 && (out->bad == BAD_IP_CHECKSUM || out->bad == BAD_IP_HEADER_LENGTH))
        fault(c, true, "bad", "IPv6 has no such field");
    if ((out->bad == BAD_TCP_FLAGS && !tcp) || (out->bad == BAD_L4_LENGTH && !tcp && !udp))
        fault(c, true, "bad", "the protocol has no such field");
}

static void stream_compile(const struct compile *c, const struct profile_stream *in, struct stream_plan *out)
{
    if (in->name)
        snprintf(out->name, sizeof(out->name), "%s", in->name);
    else
        snprintf(out->name, sizeof(out->name), "stream%u", c->stream);
    out->proto = (uint8_t)in->protocol;
    out->bad = (enum bad_kind)in->bad;
    out->ttl = (uint8_t)in->ttl;
    out->tos = (uint8_t)in->tos;
    out->fragments = (uint8_t)in->fragments;
    out->burst = in->burst;
    out->weight = in->weight;
    out->random_flows = in->random_flows;
    out->own_rate = in->rate;
    port_compile(c, in, out);
    addresses_compile(c, in, out);
    if (out->v6 && out->proto == IPPROTO_ICMP)
        out->proto = IPPROTO_ICMPV6;
    ports_compile(c, "sport", in->sport, 1024, &out->flows.range[FLOW_SPORT]);
    ports_compile(c, "dport", in->dport, 9, &out->flows.range[FLOW_DPORT]);
    flows_compile(c, in, out);
    sizes_compile(c, in, out);
    tcp_flags_compile(c, in, out);
    rate_compile(c, true, in->rate, &out->rate);
    bad_check(c, out);
}

int profile_compile(const struct profile *profile, const struct profile_source *source,
                    const char *const *port_names, uint32_t ports, struct plan *plan)
{
    struct compile c = {.profile = profile, .source = source, .port_names = port_names, .ports = ports};
    unsigned errors = source->diag->errors;
    memset(plan, 0, sizeof(*plan));
    rate_compile(&c, false, profile->rate, &plan->rate);
    plan->streams = profile->streams_count;
    if (profile->streams_count == 0 && source->diag->errors == errors)
        fault(&c, false, "streams", "there is nothing to send: write at least one stream");
    for (; c.stream < profile->streams_count; c.stream++)
        stream_compile(&c, &profile->streams[c.stream], &plan->stream[c.stream]);
    sl_diag_sort(source->diag);
    return source->diag->errors > errors ? -EINVAL : 0;
}
