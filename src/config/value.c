// SPDX-License-Identifier: Apache-2.0
// Single values: is this text an address, that number in its limits? Each says what is wrong and, where it can, the
// value that was probably meant. Called by the structure check. Pure.
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "config/suggest.h"
#include "config/text.h"
#include "shm/layout.h"

static int fault_what(struct value_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void fault_mend(struct value_fault *fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fault_what(struct value_fault *fault, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fault->what, sizeof(fault->what), format, arguments);
    va_end(arguments);
    return -EINVAL;
}

static void fault_mend(struct value_fault *fault, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(fault->mend, sizeof(fault->mend), format, arguments);
    va_end(arguments);
}

// "'TEXT' is not KIND": where nothing more can be said.
static int not_that(enum sl_text_kind kind, const char *text, struct value_fault *fault)
{
    return fault_what(fault, "'%.80s' is not %s", text, sl_text_kind_says(kind));
}

static int check_name(enum sl_text_kind kind, const char *text, struct value_fault *fault)
{
    size_t length = strlen(text), most = kind == SL_TEXT_PORT_NAME ? 15 : 31;
    size_t good = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    if (good == length && length <= most && isalnum((unsigned char)text[0]))
        return 0;
    if (good == length && length > most)
        fault_mend(fault, "shorten it by %zu characters", length - most);
    return not_that(kind, text, fault);
}

static int check_prefix(enum sl_text_kind kind, const char *text, struct value_fault *fault)
{
    struct sl_prefix prefix;
    char corrected[SL_PREFIX_TEXT];
    int error = sl_prefix_parse(text, &prefix);

    if (error == -ERANGE)
        return fault_what(fault, "'%.80s': the prefix length is too large; IPv4 has 32 bits, IPv6 128", text);
    if (error == -EINVAL || (kind == SL_TEXT_PREFIX4 && !sl_ip_is_v4(&prefix.ip)))
        return not_that(kind, text, fault);
    if (error == 0)
        return 0;
    fault_mend(fault, "write %s", sl_prefix_format(&prefix, corrected));
    return fault_what(fault, "'%.80s' has bits set beyond its length", text);
}

static int check_address(enum sl_text_kind kind, const char *text, struct value_fault *fault)
{
    struct sl_ip ip;

    if (strchr(text, '/'))
        fault_mend(fault, "write %.*s, without a length", (int)strcspn(text, "/"), text);
    if (sl_ip_parse(text, &ip) != 0 || (kind == SL_TEXT_ADDRESS4 && !sl_ip_is_v4(&ip)))
        return not_that(kind, text, fault);
    return 0;
}

static bool never_a_station(const struct sl_ip *ip);

static int check_station(const char *text, struct value_fault *fault)
{
    struct sl_ip ip;
    int error = check_address(SL_TEXT_STATION, text, fault);

    if (error)
        return error;
    sl_ip_parse(text, &ip);
    if (never_a_station(&ip))
        return fault_what(fault, "'%.80s' cannot be a station's address (loopback, multicast or unspecified)",
                          text);
    return 0;
}

static int check_ports(enum sl_text_kind kind, const char *text, struct value_fault *fault)
{
    struct sl_ports ports;
    int error = kind == SL_TEXT_PORTS ? sl_ports_parse(text, &ports) : sl_status_parse(text, &ports);

    if (error == -ERANGE)
        return fault_what(fault, "'%.80s' ends before it begins", text);
    return error ? not_that(kind, text, fault) : 0;
}

static int check_bytes(const char *text, struct value_fault *fault)
{
    int count = sl_bytes_parse(text, NULL, 0);

    if (count > 1024)
        return fault_what(fault, "%d bytes are more than a datagram of ours holds, 1024", count);
    return count < 0 ? not_that(SL_TEXT_BYTES, text, fault) : 0;
}

// The address of a link's own subnet or of its broadcast is nobody's (RFC 1122 section 3.2.1.3); /31 and /32 have
// neither (RFC 3021).
static int check_host_part(const struct sl_interface *interface, const char *text, struct value_fault *fault)
{
    uint32_t host = ntohl(interface->ip.w[3]), mask;

    if (!sl_ip_is_v4(&interface->ip) || interface->link.len > 30)
        return 0;
    mask = (uint32_t)(0xffffffffULL >> interface->link.len);
    if ((host & mask) != 0 && (host & mask) != mask)
        return 0;
    fault_mend(fault, "give the gateway an address of its own inside the link's prefix");
    return fault_what(fault, "'%.80s' is the link's %s address", text, host & mask ? "broadcast" : "network");
}

// Loopback, multicast, unspecified: no station's (RFC 6890, RFC 4291 section 2.7).
static bool never_a_station(const struct sl_ip *ip)
{
    uint32_t host = ntohl(ip->w[3]);

    if (sl_ip_is_v4(ip))
        return host >> 24 == 0 || host >> 24 == 127 || host >> 28 >= 14;
    return sl_ip_is_zero(ip) || ip->b[0] == 0xff || (ip->q[0] == 0 && ip->w[2] == 0 && ip->w[3] == htonl(1));
}

static int check_interface(const char *text, struct value_fault *fault)
{
    struct sl_interface interface;
    struct sl_ip ip;
    int error = sl_interface_parse(text, &interface);

    if (error == -ERANGE)
        return fault_what(fault, "'%.80s': the prefix length is too large; IPv4 has 32 bits, IPv6 128", text);
    if (error && sl_ip_parse(text, &ip) == 0) {
        fault_mend(fault, "write %s/%s, or whatever the link's length is", text,
                   sl_ip_is_v4(&ip) ? "24" : "64");
        return fault_what(fault, "'%.80s' lacks the link's prefix length", text);
    }
    if (error)
        return not_that(SL_TEXT_INTERFACE, text, fault);
    if (never_a_station(&interface.ip))
        return fault_what(fault, "'%.80s' cannot be a station's address (loopback, multicast or unspecified)",
                          text);
    return check_host_part(&interface, text, fault);
}

static int check_range(const char *text, struct value_fault *fault)
{
    struct sl_range range;
    struct sl_prefix prefix;
    char corrected[SL_PREFIX_TEXT];
    int error = sl_range_parse(text, &range);

    if (error == -ERANGE)
        return fault_what(fault, "'%.80s' ends before it begins", text);
    if (error == -EDOM && sl_prefix_parse(text, &prefix) == -EDOM) {
        fault_mend(fault, "write %s", sl_prefix_format(&prefix, corrected));
        return fault_what(fault, "'%.80s' has bits set beyond its length", text);
    }
    return error ? not_that(SL_TEXT_RANGE, text, fault) : 0;
}

static int check_endpoint(enum sl_text_kind kind, const char *text, struct value_fault *fault)
{
    struct sl_endpoint endpoint;
    struct sl_ip ip;
    int error = sl_endpoint_parse(text, &endpoint);

    if (error == -ERANGE)
        return fault_what(fault, "'%.80s': the ports end before they begin", text);
    if (error && sl_ip_parse(text, &ip) == 0 && sl_ip_is_v4(&ip))
        return fault_what(fault, "'%.80s' lacks the port: write %s:PORT", text, text);
    if (error)
        return not_that(kind, text, fault);
    if (kind == SL_TEXT_INSIDE && endpoint.first != endpoint.last) {
        fault_mend(fault, "write the first port alone, :%u; the range is as long as the outside one",
                   endpoint.first);
        return fault_what(fault, "'%.80s': a range of inside ports", text);
    }
    return 0;
}

static int check_mac(const char *text, struct value_fault *fault)
{
    uint8_t mac[6];

    if (sl_mac_parse(text, mac) == 0)
        return 0;
    if (strchr(text, '-'))
        fault_mend(fault, "separate its bytes with colons");
    else if (strlen(text) == 17 && strspn(text, "0123456789abcdefABCDEF:") == 17)
        fault_mend(fault, "the first byte must be even (an odd one is a group's), and not all may be zero");
    return not_that(SL_TEXT_MAC, text, fault);
}

static int check_device(const char *text, struct value_fault *fault)
{
    enum sl_device_kind kind;
    const char *rest, *why;
    struct sl_suggestion nearest;
    char word[32];

    if (strlen(text) >= SL_DEVICE_TEXT)
        return fault_what(fault, "'%.40s...' is longer than %d bytes", text, SL_DEVICE_TEXT - 1);
    if (sl_device_parse(text, &kind, &rest, &why) == 0)
        return 0;
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(text, ":"), text);
    sl_suggest_init(&nearest, word);
    for (unsigned i = 0; i < SL_DEVICE_KINDS; i++)
        sl_suggest_offer(&nearest, sl_device_kind_name((enum sl_device_kind)i));
    if (!strchr(text, ':'))
        fault_mend(fault, "write KIND:%.60s, for instance af_xdp:%.60s", text, text);
    else if (nearest.best && nearest.distance > 0)
        fault_mend(fault, "did you mean '%s%.60s'?", nearest.best, strchr(text, ':'));
    return fault_what(fault, "'%.80s': %s", text, why);
}

static int check_file(const char *text, struct value_fault *fault)
{
    return strlen(text) < 4096 ? 0 : fault_what(fault, "the file's name is longer than 4095 bytes");
}

int value_check_text(enum sl_text_kind kind, const char *text, struct value_fault *fault)
{
    switch (kind) {
    case SL_TEXT_NAME:
    case SL_TEXT_PORT_NAME:
        return check_name(kind, text, fault);
    case SL_TEXT_DEVICE:
        return check_device(text, fault);
    case SL_TEXT_INTERFACE:
        return check_interface(text, fault);
    case SL_TEXT_PREFIX:
    case SL_TEXT_PREFIX4:
        return check_prefix(kind, text, fault);
    case SL_TEXT_ADDRESS:
    case SL_TEXT_ADDRESS4:
        return check_address(kind, text, fault);
    case SL_TEXT_STATION:
        return check_station(text, fault);
    case SL_TEXT_PORTS:
    case SL_TEXT_STATUS:
        return check_ports(kind, text, fault);
    case SL_TEXT_BYTES:
        return check_bytes(text, fault);
    case SL_TEXT_RANGE:
        return check_range(text, fault);
    case SL_TEXT_OUTSIDE:
    case SL_TEXT_INSIDE:
        return check_endpoint(kind, text, fault);
    case SL_TEXT_MAC:
        return check_mac(text, fault);
    case SL_TEXT_FILE:
        return check_file(text, fault);
    case SL_TEXT_FREE:
    case SL_TEXT_KINDS:
        break;
    }
    return 0;
}

// Lists the words, "a, b or c".
static void words_list(const struct sl_key *key, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (unsigned i = 0; i < key->word_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 i == 0                     ? ""
                                 : i + 1 == key->word_count ? " or "
                                                            : ", ",
                                 key->words[i].text);
}

static bool is_word(const struct sl_key *key, const char *text)
{
    for (unsigned i = 0; i < key->word_count; i++)
        if (strcmp(key->words[i].text, text) == 0)
            return true;
    return false;
}

static void mend_word(const struct sl_key *key, const char *text, struct value_fault *fault)
{
    struct sl_suggestion nearest;

    sl_suggest_init(&nearest, text);
    for (unsigned i = 0; i < key->word_count; i++)
        sl_suggest_offer(&nearest, key->words[i].text);
    if (nearest.best)
        fault_mend(fault, "did you mean '%s'?", nearest.best);
}

int value_check_word(const struct sl_key *key, const char *text, struct value_fault *fault)
{
    char words[128];

    if (is_word(key, text))
        return 0;
    words_list(key, words, sizeof(words));
    mend_word(key, text, fault);
    return fault_what(fault, "'%.80s' is not %s", text, words);
}

// Decimal digits only: YAML's 0x10, 010 and 1e3 mean different things to different readers.
static bool is_decimal(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return digits > 0 && text[digits] == '\0' && (digits == 1 || text[0] != '0');
}

int value_check_number(const struct sl_key *key, const char *text, struct value_fault *fault)
{
    char words[128], unit[40] = "";
    uint64_t value = 0;

    if (is_word(key, text))
        return 0;
    words_list(key, words, sizeof(words));
    if (key->unit[0])
        snprintf(unit, sizeof(unit), " (%s)", key->unit);
    if (!is_decimal(text)) {
        mend_word(key, text, fault);
        return fault_what(fault, "'%.80s' is not a whole decimal number%s%s%s", text, unit,
                          words[0] ? ", " : "", words);
    }
    for (size_t i = 0; text[i]; i++) {
        bool over = __builtin_mul_overflow(value, 10, &value);

        if (over || __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            value = UINT64_MAX;
    }
    if (value >= key->min && value <= key->max)
        return 0;
    if (key->min == key->max)
        fault_mend(fault, "write %" PRIu64, key->min);
    else
        fault_mend(fault, "write %" PRIu64 " to %" PRIu64 "%s%s", key->min, key->max, words[0] ? ", " : "",
                   words);
    return fault_what(fault, "%.40s%s is out of range", text, unit);
}

int value_check_bool(const char *text, struct value_fault *fault)
{
    static const char *const yes[] = {"yes", "on", "enabled", "enable", "1", "True", "TRUE"};

    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return 0;
    fault_mend(fault, "write true or false");
    for (unsigned i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        if (strcasecmp(text, yes[i]) == 0)
            fault_mend(fault, "write true");
    return fault_what(fault, "'%.80s' is neither true nor false", text);
}
