// SPDX-License-Identifier: Apache-2.0
// The little languages inside config values: address ranges, endpoints, MACs, devices. The checks prove a
// value with these and control/apply compiles it with the same, so neither can read it another way. Pure.
#ifndef SL_CONFIG_TEXT_H
#define SL_CONFIG_TEXT_H

#include <stdint.h>
#include "base/ip.h"

// "198.51.100.100", "198.51.100.100-198.51.100.103" (both included) or "198.51.100.128/28" (all of its
// addresses). IPv4, host byte order, first <= last. -EINVAL: not that; -ERANGE: last before first; -EDOM:
// host bits set.
struct sl_range {
    uint32_t first, last;
};
int sl_range_parse(const char *text, struct sl_range *range);

// "198.51.100.100:8080" or "198.51.100.100:8000-8099". IPv4. Ports in host byte order, 1-65535, first <=
// last. -EINVAL: not that; -ERANGE: last before first.
struct sl_endpoint {
    sl_be32 address;
    uint16_t first, last;
};
int sl_endpoint_parse(const char *text, struct sl_endpoint *endpoint);

// "80", "8000-8099" or "any" (0 to 65535). -EINVAL: not that; -ERANGE: last before first.
struct sl_ports {
    uint16_t first, last;
};
int sl_ports_parse(const char *text, struct sl_ports *ports);

// "200" or "300-399", each 100 to 599. -EINVAL; -ERANGE: last before first.
int sl_status_parse(const char *text, struct sl_ports *status);

// A text in which "\x00" stands for a byte and "\\" for a backslash. Writes at most `room` bytes to `out` and returns
// how many there are. -EINVAL: another escape.
int sl_bytes_parse(const char *text, uint8_t *out, unsigned room);

// "02:00:00:00:00:01": a station's address, not a group's, not zero. -EINVAL.
int sl_mac_parse(const char *text, uint8_t mac[6]);

// "10.0.0.1/24": an address and the prefix of its link. -EINVAL; -ERANGE: the length is too large.
struct sl_interface {
    struct sl_ip ip;
    struct sl_prefix link;
};
int sl_interface_parse(const char *text, struct sl_interface *interface);

enum sl_device_kind {
    SL_DEVICE_AF_XDP,
    SL_DEVICE_PCI,
    SL_DEVICE_MEMIF,
    SL_DEVICE_TAP,
    SL_DEVICE_AF_PACKET,
    SL_DEVICE_PCAP,
    SL_DEVICE_NULL,
    SL_DEVICE_KINDS
};
// "af_xdp:eth0" and so on: the kind, and in *rest what follows the colon (points into `text`). *why is a
// sentence where -EINVAL is returned.
int sl_device_parse(const char *text, enum sl_device_kind *kind, const char **rest, const char **why);
const char *sl_device_kind_name(enum sl_device_kind kind); // "af_xdp"

#endif
