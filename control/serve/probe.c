// SPDX-License-Identifier: Apache-2.0
// probe.tcp: a TCP connection of the data plane's own to somewhere, and what came of it. The answer comes when the data
// plane knows; meanwhile other calls go on. Main thread.
#include <errno.h>
#include "serve/command.h"

#define TIMEOUT_MS 5000 // where none is given
#define SLACK_MS   3000 // for the data plane's way to the answer

static const char *result_text(uint8_t result)
{
    static const char *const text[] = {[SL_PROBE_CONNECTED] = "connected",
                                       [SL_PROBE_REFUSED] = "refused",
                                       [SL_PROBE_TIMED_OUT] = "timeout",
                                       [SL_PROBE_UNREACHABLE] = "unreachable",
                                       [SL_PROBE_NO_ROUTE] = "no-route"};

    return result < sizeof(text) / sizeof(text[0]) && text[result] ? text[result] : "?";
}

// What an ICMP error's type and code mean (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
static const char *icmp_text(bool v4, uint8_t type, uint8_t code)
{
    static const char *const of_v4[] = {[0] = "network unreachable",
                                        [1] = "host unreachable",
                                        [2] = "protocol unreachable",
                                        [3] = "port unreachable",
                                        [9] = "network prohibited",
                                        [10] = "host prohibited",
                                        [13] = "administratively prohibited"};
    static const char *const of_v6[] = {"no route",          "administratively prohibited",
                                        "beyond scope",      "address unreachable",
                                        "port unreachable",  "source address refused",
                                        "route rejects it"};
    const char *const *text = v4 ? of_v4 : of_v6;
    size_t count = v4 ? sizeof(of_v4) / sizeof(of_v4[0]) : sizeof(of_v6) / sizeof(of_v6[0]);

    return type == (v4 ? 3 : 1) && code < count && text[code] ? text[code] : "unreachable";
}

static void icmp_add(json_t *result, const struct sl_probe_answer *answer)
{
    static const struct sl_ip none;
    bool v4 = sl_ip_is_v4(&answer->local);

    if (answer->icmp_type == 0)
        return;
    json_object_set_new(result, "why", json_string(icmp_text(v4, answer->icmp_type, answer->icmp_code)));
    json_object_set_new(result, "icmp_type", json_integer(answer->icmp_type));
    json_object_set_new(result, "icmp_code", json_integer(answer->icmp_code));
    if (!sl_ip_equal(&answer->router, &none))
        json_object_set_new(result, "router", json_ip(&answer->router));
}

static void agreed_add(json_t *result, const struct sl_probe_answer *answer)
{
    bool scaled = answer->flags & SL_PROBE_WSCALE;

    json_object_set_new(result, "mss", json_integer(answer->peer_mss));
    json_object_set_new(result, "window_scale", scaled ? json_integer(answer->peer_wscale) : json_null());
    json_object_set_new(result, "own_window_scale", scaled ? json_integer(answer->own_wscale) : json_null());
    json_object_set_new(result, "timestamps", json_boolean(answer->flags & SL_PROBE_TIMESTAMPS));
    json_object_set_new(result, "sack", json_boolean(answer->flags & SL_PROBE_SACK));
    json_object_set_new(result, "ecn", json_boolean(answer->flags & SL_PROBE_ECN));
}

static void probe_answered(struct daemon *daemon, struct call *call, const struct sl_event *event)
{
    const struct sl_probe_answer *answer = &event->probe;
    json_t *result = json_pack("{s:s, s:i, s:i, s:i}", "result", result_text(answer->result), "rtt_us",
                               (int)answer->rtt_us, "worker", (int)answer->worker, "syns", (int)answer->syns);

    if (answer->port_out < SL_MAX_PORTS) {
        json_object_set_new(result, "out", json_string(slot_name(daemon, answer->port_out)));
        json_object_set_new(result, "mtu", json_integer(answer->mtu));
    }
    if (answer->local_port) {
        json_object_set_new(result, "local", json_ip(&answer->local));
        json_object_set_new(result, "local_port", json_integer(answer->local_port));
    }
    icmp_add(result, answer);
    if (answer->result == SL_PROBE_CONNECTED)
        agreed_add(result, answer);
    call_reply(call, result);
}

void probe_tcp(struct daemon *daemon, struct call *call)
{
    struct sl_command command = {.kind = SL_COMMAND_PROBE_TCP};
    struct sl_probe_request *probe = &command.probe;
    bool to_given, local_given;

    if (!arg_ip(call, "address", &probe->remote, &to_given) || !arg_ip(call, "local", &probe->local, &local_given))
        return;
    probe->remote_port = (uint16_t)arg_number(call, "port", 0);
    if (!to_given || probe->remote_port == 0) {
        call_error(call, "bad-request", NULL, "a probe needs 'address' and 'port'");
        return;
    }
    if (local_given && sl_ip_is_v4(&probe->local) != sl_ip_is_v4(&probe->remote)) {
        call_error(call, "bad-request", NULL, "'local' is of the other family than 'address'");
        return;
    }
    probe->worker = (uint16_t)arg_number(call, "worker", SL_PROBE_ANY_WORKER);
    probe->timeout_ms = (uint32_t)arg_number(call, "timeout_ms", TIMEOUT_MS);
    forward_ask(daemon, &command, probe->timeout_ms + SLACK_MS, probe_answered, call);
}
