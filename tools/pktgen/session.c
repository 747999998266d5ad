// SPDX-License-Identifier: Apache-2.0
// Starting and ending what a mode runs on. Called by the modes, on the main thread.
#include "session.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include "idle.h"
#include "process/pool.h"

#define BUFFERS_PER_QUEUE 6144 // both rings of a queue, and what is on its way
#define BUFFERS_SHARED    4096
#define LINK_STEP_MS      20
#define LINE_BPS_UNKNOWN  10000000000ULL

static void signals_make(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

void session_signals_take(void)
{
    sigset_t set;
    signals_make(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

bool session_wait_ms(struct session *session, uint32_t ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    sigset_t set;
    signals_make(&set);
    if (!session_stopping(session) && sigtimedwait(&set, NULL, &time) > 0)
        session_stop(session);
    return session_stopping(session);
}

void session_stop(struct session *session)
{
    __atomic_store_n(&session->stop, true, __ATOMIC_RELAXED);
}

static uint64_t line_rate(uint16_t id)
{
    struct rte_eth_link link = {0};
    if (rte_eth_link_get_nowait(id, &link) != 0 || link.link_speed == 0 ||
        link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN)
        return LINE_BPS_UNKNOWN;
    return link.link_speed * 1000000ULL;
}

// What a driver's refusal most often means.
static const char *open_hint(const struct port_spec *spec)
{
    if (spec->driver == PORT_MEMIF && strstr(spec->args, "role=client"))
        return "; is the other end, with role=server, started, and may this user open its socket?";
    if (spec->driver == PORT_MEMIF)
        return "; may this user make the socket, and is its directory there?";
    return "";
}

static int port_open(struct session *session, const struct session_wish *wish, uint32_t slot,
                     struct sl_error *error)
{
    const struct session_port_wish *one = &wish->port[slot];
    struct session_port *port = &session->port[slot];
    struct device_context context = {.pool = session->pool, .worker_count = session->workers};
    struct sl_port asked = {.mtu = (uint16_t)(wish->mtu ? wish->mtu : 1500)};
    if (strlen(one->device) >= sizeof(asked.device))
        return sl_error_set(error, -EINVAL, "the device '%.40s...' is too long", one->device);
    if (one->name && one->name[0])
        snprintf(port->name, sizeof(port->name), "%s", one->name);
    else
        snprintf(port->name, sizeof(port->name), "port%u", slot);
    memcpy(asked.name, port->name,
           sizeof(port->name) < sizeof(asked.name) ? sizeof(port->name) : sizeof(asked.name));
    strcpy(asked.device, one->device);
    memcpy(asked.mac, one->mac, 6);
    struct sl_error why = {0};
    int rc = device_open(&context, &asked, (uint16_t)slot, &port->device, &why);
    if (rc != 0)
        return sl_error_set(error, rc, "%s%s", why.text, open_hint(&port->device.spec));
    rte_eth_promiscuous_enable(port->device.id); // what comes back may be for simulated hosts
    port->line_bps = line_rate(port->device.id);
    return 0;
}

static int ports_open(struct session *session, const struct session_wish *wish, struct sl_error *error)
{
    int rc = 0;
    for (; rc == 0 && session->ports < wish->ports; session->ports += rc == 0)
        rc = port_open(session, wish, session->ports, error);
    return rc;
}

static uint32_t buffers_wanted(const struct session_wish *wish, uint32_t workers)
{
    return wish->buffers ? wish->buffers : BUFFERS_SHARED + wish->ports * workers * BUFFERS_PER_QUEUE;
}

int session_open(struct session *session, const struct session_wish *wish, struct sl_error *error)
{
    *session = (struct session){0};
    if (wish->ports == 0)
        return sl_error_set(error, -EINVAL,
                            "no port: name one with --port, such as --port memif:/run/peer.sock");
    int rc = placement_choose(&wish->eal, &session->placement, error);
    if (rc == 0)
        rc = eal_start(&wish->eal, &session->placement, error);
    if (rc != 0)
        return rc;
    session->workers = session->placement.workers;
    session->pool = pool_new(buffers_wanted(wish, session->workers), RTE_MBUF_DEFAULT_BUF_SIZE, error);
    rc = session->pool ? ports_open(session, wish, error) : -ENOMEM;
    if (rc != 0)
        session_close(session);
    return rc;
}

static bool has_memif(const struct session *session)
{
    bool any = false;
    for (uint32_t i = 0; i < session->ports; i++)
        any = any || session->port[i].device.spec.driver == PORT_MEMIF;
    return any;
}

void session_close(struct session *session)
{
    if (has_memif(session)) // a reflector or server at the other end comes to rest meanwhile
        rte_delay_us_sleep(IDLE_LINGER_MS * 1000);
    while (session->ports > 0)
        device_close(&session->port[--session->ports].device);
    rte_mempool_free(session->pool);
    session->pool = NULL;
    rte_eal_cleanup();
}

static int link_wait(struct session *session, const struct session_port *port, double wait_s,
                     struct sl_error *error)
{
    struct rte_eth_link link = {0};
    for (double waited = 0;; waited += LINK_STEP_MS / 1000.0) {
        if (rte_eth_link_get_nowait(port->device.id, &link) == 0 && link.link_status)
            return 0;
        if (waited >= wait_s)
            return sl_error_set(
                error, -ENOLINK,
                "port %s: its link is down; start what is at the other end, or wait longer with --wait",
                port->name);
        if (session_wait_ms(session, LINK_STEP_MS))
            return sl_error_set(error, -EINTR, "ended before the link of port %s came up", port->name);
    }
}

int session_links_wait(struct session *session, double wait_s, struct sl_error *error)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < session->ports; i++)
        rc = link_wait(session, &session->port[i], wait_s, error);
    return rc;
}

int session_launch(struct session *session, int (*work)(void *), void *const *argument)
{
    if (session_running(session))
        return -EBUSY;
    for (uint32_t i = 0; i < session->workers; i++)
        rte_eal_remote_launch(work, argument[i], i + 1);
    return 0;
}

bool session_running(const struct session *session)
{
    for (uint32_t i = 0; i < session->workers; i++)
        if (rte_eal_get_lcore_state(i + 1) == RUNNING)
            return true;
    return false;
}

void session_join(struct session *session)
{
    for (uint32_t i = 0; i < session->workers; i++)
        rte_eal_wait_lcore(i + 1);
}
