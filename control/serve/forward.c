// SPDX-License-Identifier: Apache-2.0
// Commands to the data plane over the ring "command", each answered by an event of the same id on "event".
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daemon.h"
#include "serve/command.h"

#define ANSWER_WITHIN_NS 5000000000ull

struct pending_command {
    struct pending_command *next;
    uint64_t id;
    uint64_t deadline_ns;
    const char *result_key;
    struct call *call;
};

void forward_send(struct daemon *daemon, struct sl_command *command, const char *result_key,
                  struct call *call)
{
    struct pending_command *pending = NULL;

    if (strcmp(data_plane_state(daemon->board, sl_board_now_ns()), "running") != 0) {
        call_error(call, "unavailable", NULL, "the data plane is not running: 'systemctl start sluice-dp'");
        return;
    }
    pending = calloc(1, sizeof(*pending));
    // Ids of an earlier sluiced must not answer ours: they carry our start.
    command->id = daemon->start_ns + daemon->next_command++;
    if (!pending || !sl_ring_push(&daemon->command, command, sizeof(*command))) {
        free(pending);
        call_error(call, "unavailable", NULL, "the data plane is behind with earlier commands: try again");
        return;
    }
    *pending = (struct pending_command){.next = daemon->commands,
                                        .id = command->id,
                                        .deadline_ns = daemon_now_ns() + ANSWER_WITHIN_NS,
                                        .result_key = result_key,
                                        .call = call};
    daemon->commands = pending;
    daemon_hurry(daemon);
}

bool forward_waiting(const struct daemon *daemon)
{
    return daemon->commands != NULL;
}

static struct pending_command *take_pending(struct daemon *daemon, uint64_t id)
{
    for (struct pending_command **link = &daemon->commands; *link; link = &(*link)->next) {
        struct pending_command *pending = *link;
        if (pending->id == id) {
            *link = pending->next;
            return pending;
        }
    }
    return NULL;
}

static void answer(struct daemon *daemon, const struct sl_event *event)
{
    struct pending_command *pending = take_pending(daemon, event->id);

    if (!pending)
        return; // asked by an earlier sluiced, or given up
    if (event->status == 0)
        call_reply(pending->call, json_pack("{s:o}", pending->result_key, json_count(event->count)));
    else
        call_error(pending->call, "refused", NULL, "the data plane says: %.*s (%s)",
                   (int)sizeof(event->text) - 1, event->text, strerror(-event->status));
    free(pending);
}

void forward_poll(struct daemon *daemon, uint64_t now_ns)
{
    struct sl_event event;

    for (unsigned i = 0; i < SL_RING_DEFAULT && sl_ring_pop(&daemon->event, &event, sizeof(event)); i++)
        answer(daemon, &event);
    for (struct pending_command **link = &daemon->commands; *link;) {
        struct pending_command *pending = *link;
        if (now_ns < pending->deadline_ns) {
            link = &pending->next;
            continue;
        }
        *link = pending->next;
        call_error(pending->call, "unavailable", NULL,
                   "the data plane did not answer within 5 s: 'sluicectl status'");
        free(pending);
    }
}

void forward_fini(struct daemon *daemon)
{
    while (daemon->commands) {
        struct pending_command *pending = daemon->commands;
        daemon->commands = pending->next;
        // The server, and with it every connection, is gone: this only frees the call.
        call_error(pending->call, "unavailable", NULL, "sluiced ends");
        free(pending);
    }
}
