// SPDX-License-Identifier: Apache-2.0
// probe tcp: one call after the other, a line each, and a summary. One thread.
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include "commands.h"
#include "show.h"

#define COUNT       4 // where none is given
#define INTERVAL_MS 1000
#define PLACE_TEXT  64

struct probe_run {
    uint64_t sent, connected;
    uint64_t least_us, most_us, sum_us; // of those connected
    json_t *answers;
};

static bool is(const json_t *answer, const char *result)
{
    return strcmp(get_text(answer, "result"), result) == 0;
}

static double ms(uint64_t us)
{
    return (double)us / 1000;
}

// "10.0.0.1:80", "[fd00::1]:80".
static const char *place(const char *address, uint64_t port, char out[PLACE_TEXT])
{
    snprintf(out, PLACE_TEXT, strchr(address, ':') ? "[%s]:%" PRIu64 : "%s:%" PRIu64, address, port);
    return out;
}

static void print_agreed(FILE *out, const json_t *answer)
{
    fprintf(out, "; mss %" PRIu64, get_number(answer, "mss"));
    if (json_is_integer(json_object_get(answer, "window_scale")))
        fprintf(out, " wscale %" PRIu64, get_number(answer, "window_scale"));
    fprintf(out, "%s%s%s", get_true(answer, "timestamps") ? " timestamps" : "", get_true(answer, "sack") ? " sack" : "",
            get_true(answer, "ecn") ? " ecn" : "");
}

static void print_from(FILE *out, const json_t *answer)
{
    char text[PLACE_TEXT];

    if (get_number(answer, "local_port"))
        fprintf(out, "; from %s", place(get_text(answer, "local"), get_number(answer, "local_port"), text));
    if (get_text(answer, "out")[0])
        fprintf(out, " by %s, mtu %" PRIu64, get_text(answer, "out"), get_number(answer, "mtu"));
    fprintf(out, ", worker %" PRIu64 "\n", get_number(answer, "worker"));
}

static void print_unreachable(FILE *out, const json_t *answer)
{
    const char *why = get_text(answer, "why"), *router = get_text(answer, "router");

    fprintf(out, "unreachable: %s%s%s, %.3f ms", why[0] ? why : "an ICMP error said so", router[0] ? ", says " : "",
            router, ms(get_number(answer, "rtt_us")));
}

static void print_answer(FILE *out, const json_t *answer, uint64_t number)
{
    uint64_t syns = get_number(answer, "syns");

    fprintf(out, "%" PRIu64 ": ", number);
    if (is(answer, "connected"))
        fprintf(out, "connected, %.3f ms", ms(get_number(answer, "rtt_us")));
    else if (is(answer, "refused"))
        fprintf(out, "refused, %.3f ms", ms(get_number(answer, "rtt_us")));
    else if (is(answer, "unreachable"))
        print_unreachable(out, answer);
    else if (is(answer, "no-route"))
        fprintf(out, "no route");
    else
        fprintf(out, "no answer in %.3g s", ms(get_number(answer, "rtt_us")) / 1000);
    if (syns > 1)
        fprintf(out, " (%" PRIu64 " SYNs)", syns);
    if (is(answer, "connected"))
        print_agreed(out, answer);
    print_from(out, answer);
    fflush(out);
}

static void account(struct probe_run *run, const json_t *answer)
{
    uint64_t us = get_number(answer, "rtt_us");

    run->sent++;
    json_array_append(run->answers, (json_t *)answer);
    if (!is(answer, "connected"))
        return;
    run->least_us = run->connected && run->least_us < us ? run->least_us : us;
    run->most_us = run->most_us > us ? run->most_us : us;
    run->sum_us += us;
    run->connected++;
}

static void sum_up(struct ctl *ctl, const struct probe_run *run, const json_t *request)
{
    uint64_t mean_us = run->connected ? run->sum_us / run->connected : 0;
    char text[PLACE_TEXT];

    if (ctl->json) {
        json_t *whole = json_pack(
            "{s:O, s:O, s:O, s:I, s:I}", "address", json_object_get(request, "address"), "port",
            json_object_get(request, "port"), "probes", run->answers, "sent", (json_int_t)run->sent, "connected",
            (json_int_t)run->connected);

        if (run->connected)
            json_object_set_new(whole, "rtt_us",
                                json_pack("{s:I, s:I, s:I}", "min", (json_int_t)run->least_us, "mean",
                                          (json_int_t)mean_us, "max", (json_int_t)run->most_us));
        ctl_json_print(ctl, whole);
        json_decref(whole);
        return;
    }
    fprintf(ctl->out, "%s: %" PRIu64 " of %" PRIu64 " connected",
            place(get_text(request, "address"), get_number(request, "port"), text), run->connected, run->sent);
    if (run->connected)
        fprintf(ctl->out, ", min/mean/max %.3f/%.3f/%.3f ms", ms(run->least_us), ms(mean_us), ms(run->most_us));
    fputc('\n', ctl->out);
}

// What this side does with the words is taken out of the request; `other` where it was not given.
static uint64_t take(json_t *request, const char *key, uint64_t other)
{
    json_t *value = json_object_get(request, key);
    uint64_t number = value ? (uint64_t)json_integer_value(value) : other;

    json_object_del(request, key);
    return number;
}

static int probe_all(struct ctl *ctl, const struct ctl_command *command, json_t *request, uint64_t count,
                     uint64_t interval_ms, struct probe_run *run)
{
    int code = CTL_OK;

    for (uint64_t i = 0; i < count && code == CTL_OK && !ferror(ctl->out); i++) {
        json_t *answer;

        if (i > 0)
            poll(NULL, 0, (int)interval_ms);
        code = ctl_call(ctl, command->rpc, request, &answer);
        if (code == CTL_OK) {
            account(run, answer);
            if (!ctl->json)
                print_answer(ctl->out, answer, i + 1);
        }
        json_decref(answer);
    }
    return code;
}

int run_probe(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    json_t *asked = json_copy(request); // --watch comes again with the same
    uint64_t count = take(asked, "count", COUNT), interval_ms = take(asked, "interval_ms", INTERVAL_MS);
    struct probe_run run = {.answers = json_array()};
    int code = CTL_USAGE;

    if (count == 0)
        fprintf(stderr, "sluicectl: '--count' must be 1 or more\n");
    else
        code = probe_all(ctl, command, asked, count, interval_ms, &run);
    if (code == CTL_OK || run.sent)
        sum_up(ctl, &run, asked);
    if (code == CTL_OK && run.connected < run.sent)
        code = CTL_FAILED;
    json_decref(run.answers);
    json_decref(asked);
    return code;
}
