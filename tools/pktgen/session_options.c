// SPDX-License-Identifier: Apache-2.0
// The options that every mode takes: ports, cores, memory. Called by argp, on the main thread.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "session.h"

#define MEMORY_MB 512

enum key { KEY_CORES = 512, KEY_WORKERS, KEY_HUGE, KEY_MEMORY, KEY_MTU };

static const struct argp_option table[] = {
    {0, 0, 0, 0, "Ports and cores:", 10},
    {"port", 'p', "[NAME=]DEVICE", 0,
     "A port, as `device:` in sluice.yaml: memif:SOCKET[,role=server|client], af_xdp:IFACE, af_packet:IFACE, "
     "tap:IFACE, "
     "pci:ADDRESS, pcap:IN,OUT, null:, ring:NAME. May be given again",
     10},
    {"workers", KEY_WORKERS, "N", 0, "Cores that send and receive (default: 1)", 10},
    {"cores", KEY_CORES, "LIST", 0, "Cores to use, such as 2,4-6 (default: the last ones)", 10},
    {"huge", KEY_HUGE, "auto|on|off", 0, "Huge pages (default auto: where enough are free)", 10},
    {"memory", KEY_MEMORY, "MB", 0, "Memory for packets (default 512)", 10},
    {"mtu", KEY_MTU, "BYTES", 0, "MTU to set on the ports (default 1500)", 10},
    {0},
};

static uint32_t number_take(const char *text, uint32_t min, uint32_t max, const char *option,
                            struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        argp_error(state, "--%s: '%s' is no number from %u to %u", option, text, min, max);
    return (uint32_t)value;
}

// "NAME=DEVICE", where an equals sign behind the colon belongs to the device.
static void port_take(struct session_wish *wish, char *text, struct argp_state *state)
{
    char *equals = strchr(text, '='), *colon = strchr(text, ':');
    if (wish->ports == SESSION_PORTS) {
        argp_error(state, "--port: there is room for %d ports", SESSION_PORTS);
        return;
    }
    struct session_port_wish *port = &wish->port[wish->ports++];
    port->device = text;
    if (!equals || (colon && colon < equals))
        return;
    *equals = '\0';
    port->name = text;
    port->device = equals + 1;
}

static void cores_take(struct eal_wish *eal, const char *text, struct argp_state *state)
{
    int count = eal_cores_parse(text, eal->core);
    if (count < 0) {
        argp_error(state, "--cores: '%s' is no list of cores such as 2,4-6", text);
        return;
    }
    eal->core_count = (uint32_t)count;
}

static enum huge_mode huge_take(const char *text, struct argp_state *state)
{
    static const char *const word[] = {[HUGE_AUTO] = "auto", [HUGE_ON] = "on", [HUGE_OFF] = "off"};
    for (unsigned i = 0; i < sizeof(word) / sizeof(word[0]); i++)
        if (strcmp(text, word[i]) == 0)
            return i;
    argp_error(state, "--huge: '%s' is none of auto, on, off", text);
    return HUGE_AUTO;
}

static void finish(struct eal_wish *eal, struct argp_state *state)
{
    if (eal->workers == 0)
        eal->workers = eal->core_count ? eal->core_count : 1;
    if (eal->core_count > 0 && eal->core_count < eal->workers)
        argp_error(state, "--cores names %u cores for %u workers", eal->core_count, eal->workers);
}

static error_t option_take(int key, char *text, struct argp_state *state)
{
    struct session_wish *wish = state->input;
    switch (key) {
    case 'p':
        port_take(wish, text, state);
        return 0;
    case KEY_WORKERS:
        wish->eal.workers = number_take(text, 1, SL_MAX_WORKERS - 1, "workers", state);
        return 0;
    case KEY_CORES:
        cores_take(&wish->eal, text, state);
        return 0;
    case KEY_HUGE:
        wish->eal.huge = huge_take(text, state);
        return 0;
    case KEY_MEMORY:
        wish->eal.memory_mb = number_take(text, 64, 1048576, "memory", state);
        return 0;
    case KEY_MTU:
        wish->mtu = number_take(text, 576, 1900, "mtu", state);
        return 0;
    case ARGP_KEY_END:
        finish(&wish->eal, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp session_argp = {.options = table, .parser = option_take};

int session_wish_init(struct session_wish *wish, int argc, char **argv)
{
    *wish = (struct session_wish){.eal = {.program = "sluice-pktgen", .memory_mb = MEMORY_MB}};
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--") == 0) {
            wish->eal.eal_argc = argc - i - 1;
            wish->eal.eal_argv = argv + i + 1;
            return i;
        }
    return argc;
}
