// SPDX-License-Identifier: Apache-2.0
// Announcing services: follows pools, config and data plane, and keeps the kernel's routes as decided. An address that
// several announced services share has its route while at least one of them is announced. Main thread of sluiced.
#ifndef ANNOUNCE_ANNOUNCE_H
#define ANNOUNCE_ANNOUNCE_H

#include "announce/decide.h"
#include "base/error.h"

struct announce;
struct daemon;

// 0; -errno with a sentence: nothing can be announced, all else works.
int announce_new(struct daemon *daemon, struct announce **announce, struct sl_error *error);
void announce_free(
    struct announce *announce); // NULL is harmless; routes stay, traffic goes on without sluiced
// At each heartbeat: decides, and changes routes where something is another.
void announce_tick(struct announce *announce);
// Of a service of the running config; NULL: it is not to be announced, or `announce` is NULL.
const struct announce_service *announce_look(const struct announce *announce, const char *service);
const char *announce_trouble(const struct announce *announce); // what the kernel refused last; "": nothing
uint64_t announce_unix_ms(const struct announce_service *service); // its since_ms as Unix time

#endif
