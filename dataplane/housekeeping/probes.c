// SPDX-License-Identifier: Apache-2.0
// See probes.h.
#include "housekeeping/probes.h"
#include <errno.h>
#include <stdio.h>
#include "endpoint/endpoint.h"

static const char *text_of(int status)
{
    switch (status) {
    case -EINVAL:
        return "that is no other host's address: the gateway's own, a service's, link-local or of a group";
    case -EADDRNOTAVAIL:
        return "no port has such an address to connect from";
    case -EADDRINUSE:
        return "no local port is free: widen tcp.ports, or wait a minute";
    case -ENOBUFS:
        return "there is no room for another connection";
    case -EBUSY:
        return "as many probes as can be at once are under way: try again";
    case -ERANGE:
        return "there is no such worker";
    default:
        return "the connection could not be opened";
    }
}

static bool failed(struct sl_event *event, int status)
{
    event->status = status;
    snprintf(event->text, sizeof(event->text), "%s", text_of(status));
    return false;
}

static int give(struct probes *probes, const struct house *house, uint32_t worker, const struct sl_command *command)
{
    int number = endpoint_probe_ask(house->worker[worker]->endpoint, &command->probe);

    if (number < 0)
        return number;
    probes->id[worker][number] = command->id;
    probes->running++;
    return 0;
}

// Whose turn it is, or the next who has room.
static int give_anybody(struct probes *probes, const struct house *house, const struct sl_command *command)
{
    int code = -EBUSY;

    for (uint32_t i = 0; i < house->worker_count && code == -EBUSY; i++)
        code = give(probes, house, probes->turn++ % house->worker_count, command);
    return code;
}

bool probes_begin(struct probes *probes, const struct house *house, const struct sl_command *command,
                  struct sl_event *event)
{
    const struct sl_probe_request *request = &command->probe;
    int code;

    *event = (struct sl_event){.kind = command->kind, .id = command->id};
    if (request->worker != SL_PROBE_ANY_WORKER && request->worker >= house->worker_count)
        return failed(event, -ERANGE);
    if (request->remote_port == 0 || request->timeout_ms == 0 || request->timeout_ms > SL_PROBE_TIMEOUT_MOST_MS)
        return failed(event, -EPROTO);
    code = request->worker == SL_PROBE_ANY_WORKER ? give_anybody(probes, house, command)
                                                  : give(probes, house, request->worker, command);
    return code == 0 || failed(event, code);
}

static bool answered(struct probes *probes, const struct house *house, uint32_t worker, struct sl_event *event)
{
    for (int number = 0; number < SL_PROBES_AT_ONCE; number++) {
        int status;

        *event = (struct sl_event){.kind = SL_COMMAND_PROBE_TCP, .id = probes->id[worker][number]};
        if (event->id == 0 ||
            !endpoint_probe_answered(house->worker[worker]->endpoint, number, &status, &event->probe))
            continue;
        probes->id[worker][number] = 0;
        probes->running--;
        if (status != 0)
            failed(event, status);
        return true;
    }
    return false;
}

bool probes_step(struct probes *probes, const struct house *house, struct sl_event *event)
{
    for (uint32_t worker = 0; probes->running && worker < house->worker_count; worker++)
        if (answered(probes, house, worker, event))
            return true;
    return false;
}
