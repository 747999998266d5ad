// SPDX-License-Identifier: Apache-2.0
// What the show_*.c share. See command.h.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "config/text.h"
#include "serve/command.h"

uint64_t show_clock_ns(void)
{
    return sl_board_now_ns();
}

uint32_t clock_ms(void)
{
    return (uint32_t)(sl_board_now_ns() / 1000000);
}

const char *slot_name(const struct daemon *daemon, unsigned slot)
{
    const struct snapshot *running = daemon->applier.running;

    return running && slot < SL_MAX_PORTS && running->slots.name[slot][0] ? running->slots.name[slot] : "?";
}

json_t *json_mac(const uint8_t mac[6])
{
    return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

json_t *json_ip(const struct sl_ip *ip)
{
    char text[SL_IP_TEXT];

    return json_string(sl_ip_format(ip, text));
}

json_t *json_hash(uint64_t hash)
{
    return json_sprintf("%016" PRIx64, hash);
}

json_t *json_count(uint64_t number)
{
    return json_integer((json_int_t)number);
}

const char *data_plane_state(const struct sl_board *board, uint64_t now_ns)
{
    return sl_board_dp_gone(board, now_ns)    ? "stopped"
           : sl_board_dp_alive(board, now_ns) ? "running"
                                              : "silent";
}

static bool config_filters(const struct sl_config *config, const struct sl_config_port *port)
{
    for (unsigned i = 0; i < config->prefilter.ports_count; i++)
        if (strcmp(config->prefilter.ports[i].port, port->name) == 0)
            return true;
    return port->martians;
}

const char *prefilter_where(const struct daemon *daemon, const struct sl_config_port *port)
{
    enum sl_device_kind kind;
    const char *rest, *why;

    if (!config_filters(daemon->applier.running->config, port))
        return "none";
    bool af_xdp = sl_device_parse(port->device, &kind, &rest, &why) == 0 && kind == SL_DEVICE_AF_XDP;
    return af_xdp && daemon->xdp && daemon->xdp_serial ? "xdp" : "worker";
}
