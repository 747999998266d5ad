// SPDX-License-Identifier: Apache-2.0
// What can be proved of a whole config without the kernel: references, overlaps, conflicts. Inside src/config.
// Called by the loader once every value alone is right; so values parse, and nobody need look at that again.
#ifndef SL_CONFIG_CHECK_H
#define SL_CONFIG_CHECK_H

#include "config/diag.h"
#include "config/load.h"
#include "config/model.h"
#include "config/text.h"
#include "config/where.h"

struct check_link { // an address of the gateway
    struct sl_interface interface;
    unsigned port, address; // ports[port].addresses[address]
};

struct check_pool_range {
    struct sl_range range;
    unsigned pool, address; // nat.pools[pool].addresses[address]
};

struct check_member { // of a pool
    struct sl_ip ip;
    unsigned pool, member; // pools[pool].members[member]
};

struct check_service_address {
    struct sl_ip ip;
    unsigned service, address; // services[service].addresses[address]
};

struct check {
    const struct sl_config *config;
    const struct sl_tree *tree;
    const struct sl_config_known *known; // NULL: nothing
    const char *name;                    // of the file
    struct sl_diagnostics *diag;
    struct check_link *link;
    unsigned link_count;
    struct check_pool_range *range; // sorted by first address
    unsigned range_count;
    struct check_member *member; // sorted by address
    unsigned member_count;
    struct check_service_address *service_address; // likewise
    unsigned service_address_count;
    char path[160]; // where the next fault is
    char mend[256];
};

// All checks. 0 or -ENOMEM; faults are in `diag`.
int check_config(const struct sl_config *config, const struct sl_tree *tree, const char *name,
                 const struct sl_config_known *known, struct sl_diagnostics *diag);

void check_ports(struct check *check);
void check_neighbors(struct check *check);
int check_routes(struct check *check);
int check_nat(struct check *check);
void check_prefilter(struct check *check);
void check_endpoints(struct check *check);
int check_balance(struct check *check);
// Inside check_balance():
int check_services(struct check *check);
void check_health(struct check *check, unsigned pool);
void check_way(struct check *check, unsigned pool);
const char *check_way_name(int way); // "full-nat"
// The only port of the only service that uses a pool; 0: it has several, any, or none.
uint16_t check_service_port(const struct check *check, const char *pool);

// ---- telling ------------------------------------------------------------------------------------------------
// Where the next fault is ("ports[0].mtu"), then perhaps how to mend it, then what it is.
void check_at(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_mend(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_error(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
void check_warning(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
// "line N" of another path, for "... as on line 7". 0 where it is not to be found.
unsigned check_line(const struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- looking up ---------------------------------------------------------------------------------------------
// Index of the port, pool or set; else the fault is told (at the place set by check_at) and -1.
int check_port_named(struct check *check, const char *name);
int check_pool_named(struct check *check, const char *name);
int check_set_named(struct check *check, const char *name);
int check_server_pool_named(struct check *check, const char *name);
// The link that holds an address, the longest first; NULL where none does. `port` -1: of any port.
const struct check_link *check_link_of(const struct check *check, const struct sl_ip *ip, int port);
// The gateway's own address that equals it, or NULL.
const struct check_link *check_own(const struct check *check, const struct sl_ip *ip);
// A service's address, or a member, that equals it; NULL.
const struct check_service_address *check_service_of(const struct check *check, const struct sl_ip *ip);
const struct check_member *check_member_of(const struct check *check, const struct sl_ip *ip);
// A pool's range that overlaps this one, or NULL.
const struct check_pool_range *check_pool_of(const struct check *check, struct sl_range range);

#endif
