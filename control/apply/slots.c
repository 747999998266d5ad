// SPDX-License-Identifier: Apache-2.0
// See slots.h.
#include <errno.h>
#include <string.h>
#include "apply/slots.h"

void slots_from_table(struct slots *slots, const struct sl_port_table *table)
{
    const struct sl_port *port = (const struct sl_port *)((const char *)table + table->port_offset);

    memset(slots, 0, sizeof(*slots));
    slots->clock = 1;
    for (uint32_t i = 0; i < table->port_count && i < SL_MAX_PORTS; i++) {
        memcpy(slots->name[i], port[i].name, SL_PORT_NAME);
        slots->name[i][SL_PORT_NAME - 1] = '\0';
        if (!slots->name[i][0])
            slots->freed[i] = 1;
    }
}

static bool config_has_port(const struct sl_config *config, const char *name)
{
    for (unsigned i = 0; i < config->ports_count; i++)
        if (strcmp(config->ports[i].name, name) == 0)
            return true;
    return false;
}

static int slots_take_oldest(const struct slots *slots)
{
    int best = -1;

    for (int i = 0; i < SL_MAX_PORTS; i++)
        if (!slots->name[i][0] && (best < 0 || slots->freed[i] < slots->freed[best]))
            best = i;
    return best;
}

int slots_assign(struct slots *slots, const struct sl_config *config, struct sl_error *error)
{
    slots->clock++;
    for (int i = 0; i < SL_MAX_PORTS; i++) {
        if (slots->name[i][0] && !config_has_port(config, slots->name[i])) {
            memset(slots->name[i], 0, SL_PORT_NAME);
            slots->freed[i] = slots->clock;
        }
    }
    for (unsigned i = 0; i < config->ports_count; i++) {
        const char *name = config->ports[i].name;
        if (slots_find(slots, name) >= 0)
            continue;
        int slot = slots_take_oldest(slots);
        if (slot < 0)
            return sl_error_set(error, -ENOSPC, "ports: %u of them, but only %d fit: remove some",
                                config->ports_count, SL_MAX_PORTS);
        strncpy(slots->name[slot], name, SL_PORT_NAME - 1);
    }
    return 0;
}

int slots_find(const struct slots *slots, const char *name)
{
    for (int i = 0; i < SL_MAX_PORTS; i++)
        if (slots->name[i][0] && strcmp(slots->name[i], name) == 0)
            return i;
    return -1;
}

uint32_t slots_count(const struct slots *slots)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < SL_MAX_PORTS; i++)
        if (slots->name[i][0])
            count = i + 1;
    return count;
}
