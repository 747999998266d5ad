// SPDX-License-Identifier: Apache-2.0
// Which addresses on a port's link are the gateway's own: those of the port, its link-local address, and the NAT
// addresses (pools, 1:1, forwards) that lie in one of the port's subnets, for which nobody else would answer.
// Housekeeping alone; reads house->tables, which must be there.
#ifndef NEIGHBOR_OWN_H
#define NEIGHBOR_OWN_H

#include "housekeeping/house.h"

// fe80::/64 with the EUI-64 of the port's MAC (RFC 4291 appendix A), as the kernel gives the twin.
struct sl_ip own_link_local(const struct tables *tables, uint16_t port);
bool own_address(const struct tables *tables, uint16_t port, const struct sl_ip *ip);
// The address to ask for `target` from: the port's own in the target's subnet (RFC 4861 section 7.2.2), else any of
// the family; 0.0.0.0 where a port has no IPv4 address (as RFC 5227 probes do).
struct sl_ip own_source(const struct tables *tables, uint16_t port, const struct sl_ip *target);
// Every address for which own_address is true, once or more often, into out[max]; returns how many there are,
// which may be more than `max`.
uint32_t own_list(const struct tables *tables, uint16_t port, struct sl_ip *out, uint32_t max);

#endif
