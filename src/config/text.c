// SPDX-License-Identifier: Apache-2.0
// Reading the little languages inside config values. Called by the checks and by control/apply. Pure.
#include "config/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

// Copies `length` bytes as a string where they fit.
static int piece(char *out, size_t size, const char *text, size_t length)
{
    if (length >= size)
        return -EINVAL;
    memcpy(out, text, length);
    out[length] = '\0';
    return 0;
}

static int address4_parse(const char *text, size_t length, uint32_t *host)
{
    char copy[INET_ADDRSTRLEN];
    struct in_addr address;

    if (piece(copy, sizeof(copy), text, length) != 0 || inet_pton(AF_INET, copy, &address) != 1)
        return -EINVAL;
    *host = ntohl(address.s_addr);
    return 0;
}

static int range_of_prefix(const char *text, struct sl_range *range)
{
    struct sl_prefix prefix;
    int error = sl_prefix_parse(text, &prefix);

    if (error && error != -EDOM)
        return -EINVAL;
    if (!sl_ip_is_v4(&prefix.ip))
        return -EINVAL;
    range->first = ntohl(prefix.ip.w[3]);
    range->last = range->first + (uint32_t)((1ULL << (32 - prefix.len)) - 1);
    return error;
}

int sl_range_parse(const char *text, struct sl_range *range)
{
    size_t first = strcspn(text, "-");
    struct sl_range read;

    if (strchr(text, '/'))
        return range_of_prefix(text, range);
    if (address4_parse(text, first, &read.first) != 0)
        return -EINVAL;
    read.last = read.first;
    if (text[first] == '-' && address4_parse(text + first + 1, strlen(text + first + 1), &read.last) != 0)
        return -EINVAL;
    if (read.last < read.first)
        return -ERANGE;
    *range = read;
    return 0;
}

// Digits of a port number; -1 where they are not one.
static int port_parse(const char *text, size_t length)
{
    int port = 0;

    if (length == 0 || length > 5 || text[0] == '0')
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        port = port * 10 + (text[i] - '0');
    }
    return port <= 65535 ? port : -1;
}

int sl_ports_parse(const char *text, struct sl_ports *ports)
{
    size_t dash = strcspn(text, "-");

    if (strcmp(text, "any") == 0) {
        *ports = (struct sl_ports){0, 65535};
        return 0;
    }
    int first = port_parse(text, dash);
    int last = text[dash] == '-' ? port_parse(text + dash + 1, strlen(text + dash + 1)) : first;
    if (first < 0 || last < 0)
        return -EINVAL;
    *ports = (struct sl_ports){(uint16_t)first, (uint16_t)last};
    return last < first ? -ERANGE : 0;
}

int sl_status_parse(const char *text, struct sl_ports *status)
{
    int error = sl_ports_parse(text, status);

    if (error == 0 && (status->first < 100 || status->last > 599))
        error = -EINVAL;
    return error;
}

int sl_endpoint_parse(const char *text, struct sl_endpoint *endpoint)
{
    size_t colon = strcspn(text, ":");
    uint32_t address;

    if (text[colon] != ':' || address4_parse(text, colon, &address) != 0)
        return -EINVAL;
    const char *ports = text + colon + 1;
    size_t dash = strcspn(ports, "-");
    int first = port_parse(ports, dash);
    int last = ports[dash] == '-' ? port_parse(ports + dash + 1, strlen(ports + dash + 1)) : first;
    if (first < 0 || last < 0)
        return -EINVAL;
    if (last < first)
        return -ERANGE;
    *endpoint = (struct sl_endpoint){htonl(address), (uint16_t)first, (uint16_t)last};
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int sl_bytes_parse(const char *text, uint8_t *out, unsigned room)
{
    int count = 0;

    for (; *text; text++, count++) {
        uint8_t byte = (uint8_t)*text;

        if (*text == '\\' && text[1] == 'x' && text[2] && hex_digit(text[2]) >= 0 &&
            hex_digit(text[3]) >= 0) {
            byte = (uint8_t)(hex_digit(text[2]) << 4 | hex_digit(text[3]));
            text += 3;
        } else if (*text == '\\' && *++text != '\\') {
            return -EINVAL;
        }
        if ((unsigned)count < room)
            out[count] = byte;
    }
    return count;
}

int sl_mac_parse(const char *text, uint8_t mac[6])
{
    uint8_t read[6], any = 0;

    if (strlen(text) != 17)
        return -EINVAL;
    for (unsigned i = 0; i < 6; i++) {
        int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);

        if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
            return -EINVAL;
        read[i] = (uint8_t)(high << 4 | low);
        any |= read[i];
    }
    if (any == 0 || (read[0] & 1))
        return -EINVAL;
    memcpy(mac, read, sizeof(read));
    return 0;
}

int sl_interface_parse(const char *text, struct sl_interface *interface)
{
    size_t slash = strcspn(text, "/");
    char address[SL_IP_TEXT];
    struct sl_interface read;

    if (text[slash] != '/' || piece(address, sizeof(address), text, slash) != 0 ||
        sl_ip_parse(address, &read.ip) != 0)
        return -EINVAL;
    int error = sl_prefix_parse(text, &read.link);
    if (error && error != -EDOM) // host bits are what an interface address is about
        return error;
    *interface = read;
    return 0;
}

// What a device's text must be behind the colon.
static const char *interface_name_wrong(const char *text)
{
    size_t length = strlen(text);

    if (length == 0)
        return "the interface's name is missing";
    if (length > 15)
        return "an interface's name has at most 15 characters";
    return strpbrk(text, "/ \t:,") || strcmp(text, ".") == 0 || strcmp(text, "..") == 0
               ? "not an interface's name"
               : NULL;
}

// "0000:03:00.0" or "03:00.0"
static const char *pci_wrong(const char *text)
{
    static const char *const shapes[] = {"xxxx:xx:xx.x", "xx:xx.x"};

    for (unsigned s = 0; s < 2; s++) {
        size_t i = 0;

        while (shapes[s][i] && text[i] &&
               (shapes[s][i] == 'x' ? hex_digit(text[i]) >= 0 : shapes[s][i] == text[i]))
            i++;
        if (!shapes[s][i] && !text[i])
            return NULL;
    }
    return "not a PCI address like 0000:03:00.0";
}

static const char *memif_wrong(const char *text)
{
    const char *comma = strchr(text, ',');

    if (text[0] != '/')
        return "the socket's path must be absolute";
    if (comma && strcmp(comma, ",role=server") != 0 && strcmp(comma, ",role=client") != 0)
        return "behind the socket only ,role=server or ,role=client may follow";
    return NULL;
}

static const char *pcap_wrong(const char *text)
{
    const char *comma = strchr(text, ',');

    return !comma || comma == text || !comma[1] || strchr(comma + 1, ',') ? "needs two files: pcap:IN,OUT"
                                                                          : NULL;
}

static const char *nothing_wrong(const char *text)
{
    return text[0] ? "takes nothing behind the colon" : NULL;
}

static const struct {
    const char *name;
    const char *(*wrong)(const char *text);
} devices[SL_DEVICE_KINDS] = {
    [SL_DEVICE_AF_XDP] = {"af_xdp", interface_name_wrong},
    [SL_DEVICE_PCI] = {"pci", pci_wrong},
    [SL_DEVICE_MEMIF] = {"memif", memif_wrong},
    [SL_DEVICE_TAP] = {"tap", interface_name_wrong},
    [SL_DEVICE_AF_PACKET] = {"af_packet", interface_name_wrong},
    [SL_DEVICE_PCAP] = {"pcap", pcap_wrong},
    [SL_DEVICE_NULL] = {"null", nothing_wrong},
};

int sl_device_parse(const char *text, enum sl_device_kind *kind, const char **rest, const char **why)
{
    size_t colon = strcspn(text, ":");

    *why = "there is no such kind of device; kinds are af_xdp, pci, memif, tap, af_packet, pcap and null";
    for (unsigned i = 0; text[colon] == ':' && i < SL_DEVICE_KINDS; i++) {
        if (strlen(devices[i].name) != colon || memcmp(devices[i].name, text, colon) != 0)
            continue;
        *why = devices[i].wrong(text + colon + 1);
        *kind = (enum sl_device_kind)i;
        *rest = text + colon + 1;
        return *why ? -EINVAL : 0;
    }
    return -EINVAL;
}

const char *sl_device_kind_name(enum sl_device_kind kind)
{
    return devices[kind].name;
}
