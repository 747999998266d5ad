// SPDX-License-Identifier: Apache-2.0
// The forms of `device:`, one table row and one small function each. Called by port/ports.c on the
// housekeeping thread, and by unit tests.
#include "port/spec.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct form {
    const char *word;  // before the colon
    const char *vdev;  // DPDK name before the slot, NULL: not a virtual device
    const char *shape; // for the message
    int (*read)(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                struct sl_error *error);
};

__attribute__((format(printf, 3, 4))) static int args_print(struct port_spec *spec, struct sl_error *error,
                                                            const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int length = vsnprintf(spec->args, sizeof(spec->args), format, list);
    va_end(list);
    if (length < 0 || (size_t)length >= sizeof(spec->args))
        return sl_error_set(error, -EINVAL, "the device's text is too long");
    return 0;
}

// Driver arguments are separated by commas: one inside a name would start another argument.
static int text_check(const char *text, const char *what, struct sl_error *error)
{
    if (text[0] == '\0')
        return sl_error_set(error, -EINVAL, "the %s is missing", what);
    if (strpbrk(text, ", \t"))
        return sl_error_set(error, -EINVAL, "the %s '%s' holds a comma or a space", what, text);
    return 0;
}

static int interface_read(const char *rest, struct port_spec *spec, struct sl_error *error)
{
    int rc = text_check(rest, "interface", error);
    if (rc != 0)
        return rc;
    if (strlen(rest) >= sizeof(spec->interface) || strchr(rest, '/'))
        return sl_error_set(error, -EINVAL, "'%s' is no interface name: at most 15 characters, no slash",
                            rest);
    strcpy(spec->interface, rest);
    return 0;
}

static int af_xdp_read(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                       struct sl_error *error)
{
    int rc = interface_read(rest, spec, error);
    if (rc != 0)
        return rc;
    if (wish->xdp_prog)
        return args_print(spec, error, "iface=%s,queue_count=%u,xdp_prog=%s", rest, wish->queues,
                          wish->xdp_prog);
    return args_print(spec, error, "iface=%s,queue_count=%u", rest, wish->queues);
}

static int af_packet_read(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                          struct sl_error *error)
{
    int rc = interface_read(rest, spec, error);
    return rc != 0 ? rc : args_print(spec, error, "iface=%s,qpairs=%u", rest, wish->queues);
}

static int tap_read(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                    struct sl_error *error)
{
    int rc = interface_read(rest, spec, error);
    return rc != 0 ? rc : args_print(spec, error, "iface=%s", rest);
}

static int pci_read(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                    struct sl_error *error)
{
    unsigned domain = 0, bus, device, function;
    char end;
    if (sscanf(rest, "%4x:%2x:%2x.%1x%c", &domain, &bus, &device, &function, &end) != 4) {
        domain = 0;
        if (sscanf(rest, "%2x:%2x.%1x%c", &bus, &device, &function, &end) != 3)
            return sl_error_set(error, -EINVAL,
                                "'%s' is no PCI address: write 0000:03:00.0, as lspci -D does", rest);
    }
    strcpy(spec->bus, "pci");
    snprintf(spec->name, sizeof(spec->name), "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, device & 0x1f,
             function & 7);
    return 0;
}

static int memif_read(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                      struct sl_error *error)
{
    const char *comma = strchr(rest, ',');
    size_t length = comma ? (size_t)(comma - rest) : strlen(rest);
    if (length == 0 || length >= sizeof(spec->socket))
        return sl_error_set(error, -EINVAL, "the socket path is missing or longer than 107 bytes");
    if (comma && strcmp(comma, ",role=server") != 0 && strcmp(comma, ",role=client") != 0)
        return sl_error_set(error, -EINVAL, "'%s' is neither role=server nor role=client", comma + 1);
    snprintf(spec->socket, sizeof(spec->socket), "%.*s", (int)length, rest);
    spec->server = comma && strcmp(comma, ",role=server") == 0;
    return args_print(spec, error, "socket=%s,role=%s,socket-abstract=no", spec->socket,
                      spec->server ? "server" : "client");
}

static int pcap_read(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                     struct sl_error *error)
{
    const char *comma = strchr(rest, ',');
    if (!comma || comma == rest || comma[1] == '\0' || strchr(comma + 1, ','))
        return sl_error_set(error, -EINVAL, "two files are needed, one to read and one to write");
    return args_print(spec, error, "rx_pcap=%.*s,tx_pcap=%s", (int)(comma - rest), rest, comma + 1);
}

static int null_read(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                     struct sl_error *error)
{
    unsigned size = 64;
    char end;
    if (rest[0] != '\0' && (sscanf(rest, "size=%5u%c", &size, &end) != 1 || size < 60 || size > 2048))
        return sl_error_set(error, -EINVAL, "'%s' is not size=BYTES with 60 to 2048 bytes", rest);
    return args_print(spec, error, "size=%u", size);
}

// The name only tells one ring from another in the config; the driver makes its own.
static int ring_read(const struct port_wish *wish, const char *rest, struct port_spec *spec,
                     struct sl_error *error)
{
    return text_check(rest, "ring's name", error);
}

static const struct form form[PORT_DRIVERS] = {
    [PORT_AF_XDP] = {"af_xdp", "net_af_xdp", "af_xdp:IFACE", af_xdp_read},
    [PORT_AF_PACKET] = {"af_packet", "net_af_packet", "af_packet:IFACE", af_packet_read},
    [PORT_TAP] = {"tap", "net_tap", "tap:IFACE", tap_read},
    [PORT_PCI] = {"pci", NULL, "pci:0000:03:00.0", pci_read},
    [PORT_MEMIF] = {"memif", "net_memif", "memif:SOCKET[,role=server|client]", memif_read},
    [PORT_PCAP] = {"pcap", "net_pcap", "pcap:IN,OUT", pcap_read},
    [PORT_NULL] = {"null", "net_null", "null:[size=BYTES]", null_read},
    [PORT_RING] = {"ring", "net_ring", "ring:NAME", ring_read},
};

const char *port_driver_name(enum port_driver driver)
{
    return driver < PORT_DRIVERS ? form[driver].word : "?";
}

static int form_read(const struct port_wish *wish, enum port_driver driver, const char *rest,
                     struct port_spec *spec, struct sl_error *error)
{
    const struct form *f = &form[driver];
    struct sl_error why = {0};
    *spec = (struct port_spec){.driver = driver, .bus = "vdev"};
    if (f->vdev)
        snprintf(spec->name, sizeof(spec->name), "%s%u", f->vdev, wish->slot);
    if (f->read(wish, rest, spec, &why) != 0)
        return sl_error_set(error, -EINVAL, "device '%s': %s; the form is %s", wish->device, why.text,
                            f->shape);
    return 0;
}

int port_spec_parse(const struct port_wish *wish, struct port_spec *spec, struct sl_error *error)
{
    const char *colon = strchr(wish->device, ':');
    size_t length = colon ? (size_t)(colon - wish->device) : 0;
    for (unsigned i = 0; i < PORT_DRIVERS; i++)
        if (colon && strlen(form[i].word) == length && strncmp(wish->device, form[i].word, length) == 0)
            return form_read(wish, i, colon + 1, spec, error);
    return sl_error_set(
        error, -EINVAL,
        "device '%s' is of no known kind: use af_xdp:, af_packet:, tap:, pci:, memif:, pcap:, "
        "null: or ring:",
        wish->device);
}
