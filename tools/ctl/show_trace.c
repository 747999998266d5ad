// SPDX-License-Identifier: Apache-2.0
// trace flow: the life of each connection, an event a line. One thread.
#include <inttypes.h>
#include "commands.h"
#include "show.h"
#include "table.h"

static void trace_print(struct ctl *ctl, const json_t *flow, uint64_t clock_ns)
{
    uint64_t began_ns = get_number(flow, "began_ns"), lost = get_number(flow, "lost");
    json_t *event;
    char ago[TABLE_TEXT];
    size_t i;

    fprintf(ctl->out, "%s ◄─► %s  %s, began %s ago; worker %" PRIu64 " slot %" PRIu64 "\n",
            get_text(flow, "local"), get_text(flow, "remote"), get_text(flow, "state"),
            text_seconds(clock_ns > began_ns ? (clock_ns - began_ns) / 1000000000 : 0, ago),
            get_number(flow, "worker"), get_number(flow, "slot"));
    json_array_foreach(json_object_get(flow, "events"), i, event)
    {
        if (i == 2 && lost)
            fprintf(ctl->out, "    … %" PRIu64 " events are not kept\n", lost);
        fprintf(ctl->out, "    %s\n", get_text(event, "text"));
    }
}

int show_trace_flow(struct ctl *ctl, const json_t *result, const json_t *before)
{
    json_t *flows = json_object_get(result, "flows"), *flow;
    uint64_t matched = get_number(result, "matched");
    size_t i;

    json_array_foreach(flows, i, flow) trace_print(ctl, flow, get_number(result, "clock_ns"));
    if (matched == 0)
        fprintf(ctl->out, "no connections match\n");
    else if (matched > json_array_size(flows))
        fprintf(ctl->out, "%zu of %" PRIu64 " that match; '--limit N' shows more\n", json_array_size(flows),
                matched);
    return CTL_OK;
}
