// SPDX-License-Identifier: Apache-2.0
// Taking over a generation with everything that hangs on it. What can fail comes first and is undone where it does:
// the old generation goes on then. Called by the housekeeping loop, on its thread.
#include "housekeeping/turnover.h"
#include <inttypes.h>
#include "housekeeping/generation.h"
#include "housekeeping/twin.h"
#include "balance/balance.h"
#include "nat/share.h"
#include "neighbor/neighbor.h"
#include "port/ports.h"
#include "process/journal.h"
#include "process/log.h"
#include "shm/board.h"

// A disabled port has no device, hence no MAC for a twin, and nothing the host says there would leave.
static bool twin_wanted(const struct tables *tables, uint16_t slot)
{
    if (slot >= tables->port_count || !tables->port[slot].name[0])
        return false;
    return (tables->port[slot].flags & (SL_PORT_TWIN | SL_PORT_ADMIN_DOWN)) == SL_PORT_TWIN;
}

static bool twin_stays(const struct house *house, const struct tables *tables, uint16_t slot)
{
    return house->twin[slot] >= 0 && twin_wanted(tables, slot) &&
           strcmp(house->tables->port[slot].name, tables->port[slot].name) == 0;
}

// Opens the twins that are new. A bit for each; on failure none is left.
static int twins_open(struct house *house, const struct tables *tables, int fresh[SL_MAX_PORTS],
                      struct sl_error *error)
{
    int rc = 0;
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++) {
        fresh[slot] = -1;
        if (rc < 0 || !twin_wanted(tables, slot) || twin_stays(house, tables, slot))
            continue;
        rc = fresh[slot] = twin_open(&tables->port[slot], tables->port_mac[slot], error);
    }
    for (uint16_t slot = 0; rc < 0 && slot < SL_MAX_PORTS; slot++)
        if (fresh[slot] >= 0)
            twin_remove(fresh[slot]);
    return rc < 0 ? rc : 0;
}

static void twins_settle(struct house *house, const struct tables *tables, const int fresh[SL_MAX_PORTS])
{
    for (uint16_t slot = 0; slot < SL_MAX_PORTS; slot++) {
        if (twin_stays(house, tables, slot)) {
            twin_adjust(&tables->port[slot], tables->port_mac[slot], NULL);
            continue;
        }
        if (house->twin[slot] >= 0)
            twin_remove(house->twin[slot]);
        house->twin[slot] = fresh[slot];
    }
}

static int everything_prepare(struct house *house, struct tables *tables, int fresh[SL_MAX_PORTS],
                              struct sl_error *error)
{
    int rc = ports_prepare(house->ports, tables, error);
    if (rc != 0)
        return rc;
    ports_describe(house->ports, tables);
    rc = balance_share_bind(house->balance_share, tables, sl_board_now_ns(), error);
    if (rc == 0)
        rc = nat_share_bind(house->nat_share, tables, error);
    if (rc == 0)
        rc = twins_open(house, tables, fresh, error);
    if (rc != 0)
        ports_abandon(house->ports);
    return rc;
}

static void complain(const struct house *house, const struct tables *tables, const char *text)
{
    log_tail_show(house->log);
    journal(JOURNAL_ERROR, "generation %" PRIu64 ": %s", tables->generation, text);
}

bool turnover_apply(struct house *house, struct tables *tables)
{
    struct sl_error error = {0};
    int fresh[SL_MAX_PORTS];
    if (everything_prepare(house, tables, fresh, &error) != 0) {
        complain(house, tables, error.text);
        journal(JOURNAL_ERROR, "generation %" PRIu64 " is refused; %s", tables->generation,
                house->tables ? "the one before goes on" : "packets are dropped until a better one comes");
        generation_refuse(house, tables, error.text);
        return false;
    }
    if (ports_retire(house->ports, tables) != 0)
        complain(house, tables, "a worker did not let go of a port in time; the port stays open");
    twins_settle(house, tables, fresh);
    generation_hand_over(house, tables);
    if (ports_publish(house->ports, tables) != 0)
        complain(house, tables, "a worker did not take up the ports in time");
    ports_adjust(house->ports, tables);
    neighbor_tables_taken(house);
    journal(JOURNAL_INFO, "generation %" PRIu64 " taken over", tables->generation);
    return true;
}

struct tables *turnover_next(struct house *house)
{
    uint64_t before = house->board->refused;
    struct tables *tables = generation_next(house);
    if (house->board->refused != before)
        journal(JOURNAL_ERROR, "generation %" PRIu64 " is refused: %.*s", house->board->refused,
                (int)sizeof(house->board->refusal), house->board->refusal);
    return tables;
}

bool turnover_step(struct house *house)
{
    struct tables *tables = turnover_next(house);
    if (tables)
        return turnover_apply(house, tables);
    generation_reap(house);
    return false;
}
