// SPDX-License-Identifier: Apache-2.0
// What an apply does beside shared memory: the maps of the XDP programs before the generation is published, the kernel
// twins after it is live; and both again when the data plane was started anew. See daemon.h.
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "config/text.h"
#include "daemon.h"
#include "log.h"
#include "netlink/twins.h"
#include "prefilter/xdp.h"

static unsigned xdp_ports(const struct snapshot *snapshot, struct prefilter_xdp_port port[SL_MAX_PORTS])
{
    unsigned count = 0;

    for (unsigned i = 0; i < snapshot->config->ports_count; i++) {
        const struct sl_config_port *from = &snapshot->config->ports[i];
        enum sl_device_kind kind;
        const char *rest, *why;
        if (!from->enabled || sl_device_parse(from->device, &kind, &rest, &why) || kind != SL_DEVICE_AF_XDP)
            continue;
        char name[IF_NAMESIZE] = "";
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(rest, ","), rest);
        uint32_t ifindex = if_nametoindex(name);
        int slot = slots_find(&snapshot->slots, from->name);
        if (ifindex && slot >= 0 && count < SL_MAX_PORTS)
            port[count++] = (struct prefilter_xdp_port){.ifindex = ifindex, .slot = (uint32_t)slot};
    }
    return count;
}

// The data plane pins its maps in the bpf file system itself or in a folder of its own there.
static int xdp_open(struct daemon *daemon, struct sl_error *why)
{
    char folder[4096];

    if (daemon->xdp)
        return 0;
    int rc = prefilter_xdp_open(&daemon->xdp, daemon->options.bpffs, why);
    if (rc != -ENOENT)
        return rc;
    snprintf(folder, sizeof(folder), "%s/sluice", daemon->options.bpffs);
    return prefilter_xdp_open(&daemon->xdp, folder, why);
}

static int xdp_install(struct daemon *daemon, const struct snapshot *snapshot,
                       const struct prefilter_xdp_port *port, unsigned ports, struct sl_error *error)
{
    struct sl_error why = {{0}};
    struct sl_segment_map map;

    int rc = sl_table_open(daemon->options.run_dir, &snapshot->table[SNAPSHOT_PREFILTER].ref, &map, error);
    if (rc)
        return rc;
    rc = prefilter_xdp_apply(daemon->xdp, map.base, map.size, port, ports, &why);
    sl_segment_close(&map);
    return rc ? sl_error_set(error, rc, "the XDP programs' rules could not be installed: %s", why.text) : 0;
}

int prepare_xdp(void *context, const struct snapshot *snapshot, struct sl_error *error)
{
    struct daemon *daemon = context;
    struct prefilter_xdp_port port[SL_MAX_PORTS] = {0};
    struct sl_error why = {{0}};
    unsigned ports = xdp_ports(snapshot, port);
    uint64_t serial = snapshot->table[SNAPSHOT_PREFILTER].ref.serial;

    daemon->xdp_why[0] = '\0';
    if (ports == 0 && !daemon->xdp)
        return 0;
    int rc = xdp_open(daemon, &why);
    if (rc) {
        memcpy(daemon->xdp_why, why.text, sizeof(daemon->xdp_why));
        // No program, no maps: rules run in the workers. Maps that are there and cannot be filled are a failure.
        return rc == -ENOENT ? 0 : sl_error_set(error, rc, "%s", why.text);
    }
    if (serial == daemon->xdp_serial && ports == daemon->xdp_ports &&
        memcmp(port, daemon->xdp_port, sizeof(port)) == 0)
        return 0; // installed already
    rc = xdp_install(daemon, snapshot, port, ports, error);
    daemon->xdp_serial = rc == 0 ? serial : 0;
    daemon->xdp_ports = ports;
    memcpy(daemon->xdp_port, port, sizeof(port));
    return rc;
}

static void sync_twins(struct daemon *daemon, const struct snapshot *snapshot)
{
    struct sl_error error;

    if (!daemon->twins)
        return;
    daemon->twins_why[0] = '\0';
    if (twins_sync(daemon->twins, snapshot, &error)) {
        memcpy(daemon->twins_why, error.text, sizeof(daemon->twins_why));
        log_warning("twins: %s", error.text);
    }
}

void prepare_live(void *context, const struct snapshot *snapshot)
{
    struct daemon *daemon = context;
    struct sl_error error;

    if (prepare_xdp(daemon, snapshot, &error)) // interfaces that came with this generation
        log_error("%s", error.text);
    balance_sync(daemon->balance);
    // Routes changed in place reach the kernel too, but off the way of whoever waits for the answer.
    daemon->twins_due = true;
}

void prepare_due(struct daemon *daemon)
{
    if (!daemon->twins_due || !daemon->applier.running)
        return;
    daemon->twins_due = false;
    sync_twins(daemon, daemon->applier.running);
}

void prepare_again(struct daemon *daemon)
{
    struct sl_error error;

    if (!daemon->applier.running)
        return;
    if (daemon->xdp)
        prefilter_xdp_close(daemon->xdp);
    daemon->xdp = NULL;
    daemon->xdp_serial = 0;
    if (prepare_xdp(daemon, daemon->applier.running, &error)) {
        log_error("%s", error.text);
        memcpy(daemon->xdp_why, error.text, sizeof(daemon->xdp_why));
    }
    sync_twins(daemon, daemon->applier.running);
}
