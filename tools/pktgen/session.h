// SPDX-License-Identifier: Apache-2.0
// What every mode stands on: DPDK started, ports opened, workers to run on, and the wish to end (Ctrl-C) as a value
// instead of a signal handler. Main thread, except session_stopping().
//
//   session_signals_take()   before anything else, so that every thread inherits the mask
//   session_open()           EAL, packet pool, ports
//   session_launch()         one function on all workers; back at once
//   session_wait_ms()        the main thread's sleep: true when the operator asked to end
//   session_join()           waits for the workers
//   session_close()          ports, pool, EAL
#ifndef PKTGEN_SESSION_H
#define PKTGEN_SESSION_H

#include <argp.h>
#include <stdbool.h>
#include "base/ip.h"
#include "port/device.h"
#include "process/eal.h"

#define SESSION_PORTS 16

struct session_port_wish {
    const char *device; // "memif:/run/a.sock" and so on, as in sluice.yaml
    const char *name;   // "" or NULL: "port0", "port1", ...
    uint8_t mac[6];     // zero: the device's own
};

struct session_wish {
    struct eal_wish eal;
    struct session_port_wish port[SESSION_PORTS];
    uint32_t ports;
    uint32_t mtu;     // bytes of IP, 0: 1500
    uint32_t buffers; // packet buffers, 0: enough for the ports
};

struct session_port {
    char name[16];
    struct device device;
    uint64_t line_bps; // of the link, 10 Gbit/s where the driver knows none
};

struct session {
    struct placement placement;
    struct rte_mempool *pool;
    struct session_port port[SESSION_PORTS];
    uint32_t ports;
    uint32_t workers; // run on DPDK's lcores 1 to `workers`
    bool stop;        // w: main thread  r: workers, by session_stopping()
};

// Options that all modes share: --port, --cores, --workers, --huge, --memory, --mtu. A child of the mode's argp; its
// input is a struct session_wish.
extern const struct argp session_argp;
// Defaults, for the mode's options to start from. What follows "--" in argv is for DPDK: returns the argc before it.
int session_wish_init(struct session_wish *wish, int argc, char **argv);

void session_signals_take(void);
// 0, or -errno with a sentence; nothing stays open then.
int session_open(struct session *session, const struct session_wish *wish, struct sl_error *error);
void session_close(struct session *session);
// Waits up to `wait_s` seconds for every port's link. 0, or -ENOLINK or -EINTR with a sentence.
int session_links_wait(struct session *session, double wait_s, struct sl_error *error);
// Runs work(argument[i]) on worker i; 0, or -EBUSY where one is still running.
int session_launch(struct session *session, int (*work)(void *), void *const *argument);
// True while a worker of the last launch runs.
bool session_running(const struct session *session);
void session_join(struct session *session);
// Sleeps up to `ms`; true where SIGINT or SIGTERM came: session->stop is set then.
bool session_wait_ms(struct session *session, uint32_t ms);
// Asks the workers to end.
void session_stop(struct session *session);

// Worker threads, between bursts.
static inline bool session_stopping(const struct session *session)
{
    return __atomic_load_n(&session->stop, __ATOMIC_RELAXED);
}

// The worker that owns queue `queue` of port `port`: neighbors in the list of ports start at different workers.
static inline uint32_t session_owner(const struct session *session, uint32_t port, uint32_t queue)
{
    return (port + queue) % session->workers;
}

#endif
