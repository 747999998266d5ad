// SPDX-License-Identifier: Apache-2.0
// Called by the modes between session_open() and the first trial, on the main thread.
#include "station.h"
#include <string.h>
#include "config/text.h"

static const struct profile_port *port_profile(const struct options *options, const struct session *session,
                                               uint32_t port)
{
    const struct profile *profile = options->profile;
    for (unsigned i = 0; i < profile->ports_count; i++) {
        const char *name = profile->ports[i].name;
        if (name ? strcmp(name, session->port[port].name) == 0 : i == port)
            return &profile->ports[i];
    }
    return NULL;
}

static void self_fill(const struct session *session, const struct plan *plan,
                      const struct profile_port *profile, uint32_t port, struct neighbor_self *self)
{
    struct sl_interface interface;
    memset(self, 0, sizeof(*self));
    memcpy(self->mac, session->port[port].device.mac, 6);
    for (unsigned i = 0; profile && i < profile->addresses_count; i++)
        if (sl_interface_parse(profile->addresses[i], &interface) == 0)
            neighbor_self_add(self, &interface.ip, 1);
    for (uint32_t i = 0; i < plan->streams; i++)
        if (plan->stream[i].port == port) {
            const struct flow_range *src = &plan->stream[i].flows.range[FLOW_SRC];
            neighbor_self_add(self, &plan->stream[i].src, (src->count - 1) * src->step + 1);
        }
}

// The first own address of the family, or the streams' first source.
static struct sl_ip own_address(const struct neighbor_self *self, bool v4)
{
    for (uint32_t i = 0; i < self->ranges; i++)
        if (sl_ip_is_v4(&self->range[i].first) == v4)
            return self->range[i].first;
    return (struct sl_ip){0};
}

// Where streams of port `port` and this family go: the peer's address, the gateway's answer, or what the first own
// address of a loop would be: the port itself.
static int peer_find(struct session *session, const struct profile_port *profile,
                     const struct neighbor_self *self, uint32_t port, bool v4, uint8_t mac[6],
                     struct sl_error *error)
{
    struct sl_ip gateway;
    memcpy(mac, self->mac, 6);
    if (profile && profile->peer_mac)
        return sl_mac_parse(profile->peer_mac, mac);
    for (unsigned i = 0; profile && i < profile->gateways_count; i++) {
        struct sl_ip own = own_address(self, v4);
        if (sl_ip_parse(profile->gateways[i], &gateway) == 0 && sl_ip_is_v4(&gateway) == v4)
            return neighbor_resolve(session, port, self, &own, &gateway, mac, error);
    }
    return 0;
}

static int port_streams_aim(struct session *session, struct plan *plan, const struct profile_port *profile,
                            const struct neighbor_self *self, uint32_t port, bool v4, struct sl_error *error)
{
    uint8_t mac[6];
    bool asked = false;
    for (uint32_t i = 0; i < plan->streams; i++) {
        struct stream_plan *stream = &plan->stream[i];
        if (stream->port != port || stream->v6 == v4)
            continue;
        int rc = asked ? 0 : peer_find(session, profile, self, port, v4, mac, error);
        if (rc != 0)
            return rc;
        asked = true;
        memcpy(stream->dst_mac, mac, 6);
        memcpy(stream->src_mac, self->mac, 6);
    }
    return 0;
}

int station_open(struct session *session, const struct options *options, struct plan *plan,
                 struct neighbor_self *self, struct sl_error *error)
{
    int rc = session_links_wait(session, options->wait_s, error);
    for (uint32_t port = 0; rc == 0 && port < session->ports; port++) {
        const struct profile_port *profile = port_profile(options, session, port);
        self_fill(session, plan, profile, port, &self[port]);
        for (int v4 = 0; rc == 0 && v4 < 2; v4++)
            rc = port_streams_aim(session, plan, profile, &self[port], port, v4, error);
    }
    return rc;
}
