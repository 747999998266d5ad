// SPDX-License-Identifier: Apache-2.0
// Commands to the data plane over the ring "command", each answered by an event of the same id on "event".
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daemon.h"
#include "serve/command.h"

#define ANSWER_WITHIN_MS 5000

struct pending_command {
    struct pending_command *next;
    uint64_t id;
    uint64_t deadline_ns;
    unsigned within_ms;
    const char *result_key;      // of a count
    forward_answer_fn *answered; // of anything else
    struct call *call;
};

static void forward(struct daemon *daemon, struct sl_command *command, struct pending_command like)
{
    struct pending_command *pending = NULL;
    struct call *call = like.call;

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
    *pending = like;
    pending->next = daemon->commands;
    pending->id = command->id;
    pending->deadline_ns = daemon_now_ns() + like.within_ms * 1000000ull;
    daemon->commands = pending;
    daemon_hurry(daemon);
}

void forward_send(struct daemon *daemon, struct sl_command *command, const char *result_key,
                  struct call *call)
{
    forward(daemon, command,
            (struct pending_command){.within_ms = ANSWER_WITHIN_MS, .result_key = result_key, .call = call});
}

void forward_ask(struct daemon *daemon, struct sl_command *command, unsigned within_ms, forward_answer_fn *answered,
                 struct call *call)
{
    forward(daemon, command,
            (struct pending_command){.within_ms = within_ms, .answered = answered, .call = call});
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
    if (event->status == 0 && pending->answered)
        pending->answered(daemon, pending->call, event);
    else if (event->status == -EBUSY)
        call_error(pending->call, "busy", NULL, "%.*s", (int)sizeof(event->text) - 1, event->text);
    else if (event->status == 0)
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
                   "the data plane did not answer within %u s: 'sluicectl status'", pending->within_ms / 1000);
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
