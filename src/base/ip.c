// SPDX-License-Identifier: Apache-2.0
// Addresses and prefixes: text to bytes and back, order, containment. Called by every program; pure.
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int sl_ip_parse(const char *text, struct sl_ip *ip)
{
    struct sl_ip read;
    struct in_addr v4;

    if (inet_pton(AF_INET, text, &v4) == 1)
        read = sl_ip_v4(v4.s_addr);
    else if (inet_pton(AF_INET6, text, read.b) != 1)
        return -EINVAL;
    *ip = read;
    return 0;
}

const char *sl_ip_format(const struct sl_ip *ip, char out[SL_IP_TEXT])
{
    if (sl_ip_is_v4(ip))
        inet_ntop(AF_INET, &ip->w[3], out, SL_IP_TEXT);
    else
        inet_ntop(AF_INET6, ip->b, out, SL_IP_TEXT);
    return out;
}

// Length of the prefix counted in all 128 bits.
static unsigned prefix_bits(const struct sl_prefix *prefix)
{
    return sl_ip_is_v4(&prefix->ip) ? 96u + prefix->len : prefix->len;
}

static struct sl_ip ip_masked(struct sl_ip ip, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : bits - 8 * i;
        ip.b[i] &= (uint8_t)(0xff00u >> keep);
    }
    return ip;
}

// Decimal length of one to three digits, without sign, space or leading zero; -1 otherwise.
static int length_parse(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 3 || text[digits] != '\0' || (digits > 1 && text[0] == '0'))
        return -1;
    return atoi(text);
}

int sl_prefix_parse(const char *text, struct sl_prefix *prefix)
{
    char address[SL_IP_TEXT];
    struct sl_prefix read = {0};
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);

    if (length >= sizeof(address))
        return -EINVAL;
    memcpy(address, text, length);
    address[length] = '\0';
    if (sl_ip_parse(address, &read.ip) != 0)
        return -EINVAL;

    int most = sl_ip_is_v4(&read.ip) ? 32 : 128;
    int bits = slash ? length_parse(slash + 1) : most;
    if (bits < 0)
        return -EINVAL;
    if (bits > most)
        return -ERANGE;
    read.len = (uint8_t)bits;

    struct sl_ip masked = ip_masked(read.ip, prefix_bits(&read));
    bool host_bits = !sl_ip_equal(&masked, &read.ip);
    read.ip = masked;
    *prefix = read;
    return host_bits ? -EDOM : 0;
}

const char *sl_prefix_format(const struct sl_prefix *prefix, char out[SL_PREFIX_TEXT])
{
    char address[SL_IP_TEXT];

    snprintf(out, SL_PREFIX_TEXT, "%s/%u", sl_ip_format(&prefix->ip, address), prefix->len);
    return out;
}

bool sl_prefix_contains(const struct sl_prefix *prefix, const struct sl_ip *ip)
{
    struct sl_ip masked = ip_masked(*ip, prefix_bits(prefix));

    return sl_ip_is_v4(&prefix->ip) == sl_ip_is_v4(ip) && sl_ip_equal(&masked, &prefix->ip);
}

int sl_prefix_compare(const struct sl_prefix *a, const struct sl_prefix *b)
{
    int family = (int)sl_ip_is_v4(&b->ip) - (int)sl_ip_is_v4(&a->ip);

    if (family != 0)
        return family;
    int address = memcmp(a->ip.b, b->ip.b, sizeof(a->ip.b));
    return address != 0 ? address : (int)a->len - (int)b->len;
}
