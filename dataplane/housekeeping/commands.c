// SPDX-License-Identifier: Apache-2.0
// What control asks for. A command for the workers is put into each one's mailbox; they do it in bounded steps
// between bursts; the answer goes out when the last is through. One command at a time, but for probes, which take long
// and go on beside it. Housekeeping thread alone.
#include "housekeeping/commands.h"
#include <errno.h>
#include <stdio.h>
#include "neighbor/neighbor.h"

int commands_open(struct commands *commands, const char *run_dir, struct sl_error *error)
{
    *commands = (struct commands){0};
    int rc = sl_ring_open_consumer(run_dir, SL_RING_COMMAND, SL_RING_DEFAULT, &commands->in, error);
    if (rc != 0)
        return rc;
    rc = sl_ring_open_producer(run_dir, SL_RING_EVENT, SL_RING_DEFAULT, &commands->out, error);
    if (rc != 0)
        sl_ring_close(&commands->in);
    return rc;
}

void commands_close(struct commands *commands)
{
    sl_ring_close(&commands->in);
    sl_ring_close(&commands->out);
}

static void answer(struct commands *commands, const struct sl_event *event)
{
    sl_ring_push(&commands->out, event, sizeof(*event)); // a full ring counts the loss
}

static void refuse(struct commands *commands, const struct sl_command *command, int status, const char *text)
{
    struct sl_event event = {.kind = command->kind, .id = command->id, .status = status};
    snprintf(event.text, sizeof(event.text), "%s", text);
    answer(commands, &event);
}

static void flow_kill_begin(struct commands *commands, struct house *house, const struct sl_command *command)
{
    commands->job++;
    commands->running = true;
    commands->running_id = command->id;
    for (uint32_t i = 0; i < house->worker_count; i++) {
        struct flow_kill_job *job = &house->worker[i]->kill;
        job->match = command->flow;
        job->killed = 0;
        job->cursor = 0;
        __atomic_store_n(&job->asked, commands->job, __ATOMIC_RELEASE);
    }
}

static bool flow_kill_finish(struct commands *commands, struct house *house)
{
    struct sl_event event = {.kind = SL_COMMAND_FLOW_KILL, .id = commands->running_id};
    for (uint32_t i = 0; i < house->worker_count; i++) {
        const struct flow_kill_job *job = &house->worker[i]->kill;
        if (__atomic_load_n(&job->done, __ATOMIC_ACQUIRE) != commands->job)
            return false;
        event.count += job->killed;
    }
    commands->running = false;
    answer(commands, &event);
    return true;
}

static void neighbors_flush(struct commands *commands, struct house *house, const struct sl_command *command)
{
    struct sl_event event = {.kind = command->kind, .id = command->id};
    event.count = neighbor_flush(house, command->neighbor.port, &command->neighbor.ip);
    answer(commands, &event);
}

static void probe_begin(struct commands *commands, struct house *house, const struct sl_command *command)
{
    struct sl_event event;
    if (!probes_begin(&commands->probes, house, command, &event))
        answer(commands, &event);
}

bool commands_step(struct commands *commands, struct house *house)
{
    struct sl_command command;
    struct sl_event event;
    if (probes_step(&commands->probes, house, &event)) {
        answer(commands, &event);
        return true;
    }
    if (commands->running)
        return flow_kill_finish(commands, house);
    if (!sl_ring_pop(&commands->in, &command, sizeof(command)))
        return false;
    if (command.kind == SL_COMMAND_FLOW_KILL)
        flow_kill_begin(commands, house, &command);
    else if (command.kind == SL_COMMAND_NEIGHBOR_FLUSH)
        neighbors_flush(commands, house, &command);
    else if (command.kind == SL_COMMAND_PROBE_TCP)
        probe_begin(commands, house, &command);
    else
        refuse(commands, &command, -ENOTSUP, "this data plane does not know the command");
    return true;
}
