// SPDX-License-Identifier: Apache-2.0
// A table of options and what they mean. Called by argp, on the main thread.
#include "options.h"
#include "../report.h"
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <stdlib.h>
#include <string.h>
#include "wire/headers.h"

enum key {
    KEY_CLIENT = 1024,
    KEY_CLIENT_PORTS,
    KEY_SERVER,
    KEY_SERVER_PORTS,
    KEY_TARGET,
    KEY_TARGET_PORTS,
    KEY_GATEWAY,
    KEY_NEXT_HOP,
    KEY_THINK,
    KEY_REQUEST_BYTES,
    KEY_RESPONSE_BYTES,
    KEY_PATH,
    KEY_HOST,
    KEY_CLOSE,
    KEY_RTO,
    KEY_RETRIES,
    KEY_TIMEOUT,
    KEY_MSS,
    KEY_WINDOW,
    KEY_COUNT,
    KEY_DRAIN,
    KEY_SEED,
    KEY_WAIT,
    KEY_CSV,
    KEY_HTML,
};

static const struct argp_option table[] = {
    {0, 0, 0, 0, "Addresses:", 1},
    {"client", KEY_CLIENT, "FIRST[-LAST]", 0, "Addresses of the clients (default 198.18.0.1-198.18.0.16)", 1},
    {"client-ports", KEY_CLIENT_PORTS, "FIRST-LAST", 0, "Their ports (default 1024-65535)", 1},
    {"server", KEY_SERVER, "FIRST[-LAST]", 0, "Addresses of the servers (default 198.19.0.1)", 1},
    {"server-ports", KEY_SERVER_PORTS, "FIRST[-LAST]", 0, "Their ports (default 80)", 1},
    {"target", KEY_TARGET, "FIRST[-LAST]", 0,
     "Whom the client connects to, where a device puts the servers in its place (default: the servers)", 1},
    {"target-ports", KEY_TARGET_PORTS, "FIRST[-LAST]", 0, "Their ports (default: the servers')", 1},
    {"gateway", KEY_GATEWAY, "ADDRESS", 0,
     "The client's next hop (default: the first target, on the same link)", 1},
    {"next-hop", KEY_NEXT_HOP, "MAC", 0, "Its Ethernet address (default: it is asked for)", 1},
    {0, 0, 0, 0, "Load, of the client:", 2},
    {"rate", 'r', "N", 0, "Connections to open in a second (default: as many as will go)", 2},
    {"concurrent", 'c', "N", 0, "Connections at a time at most; a server's table too (default 10000)", 2},
    {"requests", 'n', "N", 0, "Requests on each connection; 0: open and close (default 1)", 2},
    {"think", KEY_THINK, "MS", 0, "Time between a response and the next request (default 0)", 2},
    {"request-bytes", KEY_REQUEST_BYTES, "N", 0, "Body of each request (default 0)", 2},
    {"response-bytes", KEY_RESPONSE_BYTES, "N", 0, "Body of each response (default 64)", 2},
    {"path", KEY_PATH, "PATH", 0,
     "Ask for this path, of any HTTP server; the bodies' bytes are not checked then", 2},
    {"host", KEY_HOST, "NAME", 0, "Host header (default sluice)", 2},
    {"close", KEY_CLOSE, "fin|reset", 0, "How the client closes (default fin)", 2},
    {"duration", 'd', "SECONDS", 0, "Time to open connections (default: client 10, server without end)", 2},
    {"count", KEY_COUNT, "N", 0, "Connections to open in all (default: no limit)", 2},
    {"drain", KEY_DRAIN, "SECONDS", 0, "Wait this long at the end for what is open (default 5)", 2},
    {"wait", KEY_WAIT, "SECONDS", 0, "Client: wait this long for the ports' links (default 10)", 2},
    {0, 0, 0, 0, "TCP:", 3},
    {"rto", KEY_RTO, "MS", 0, "First retransmission after; doubled each time (default 250)", 3},
    {"retries", KEY_RETRIES, "N", 0, "Retransmissions before giving up (default 5)", 3},
    {"timeout", KEY_TIMEOUT, "MS", 0, "Client: wait for a response; server: idle connections (default 10000)",
     3},
    {"mss", KEY_MSS, "BYTES", 0, "Segment size (default: the MTU allows)", 3},
    {"window", KEY_WINDOW, "BYTES", 0, "Receive window (default 65535)", 3},
    {"seed", KEY_SEED, "N", 0, "Of keys and sequence numbers (default 1)", 3},
    {0, 0, 0, 0, "Report:", 4},
    {"json", 'j', 0, 0, "JSON on the standard output instead of text", 4},
    {"csv", KEY_CSV, "FILE", 0, "Write a table for spreadsheets", 4},
    {"html", KEY_HTML, "FILE", 0, "Write a page with plots that needs no network", 4},
    {"quiet", 'q', 0, 0, "No live screen", 4},
    {0},
};

// Options that a server alone has no use for.
static const int client_keys[] = {'r',         'n',          KEY_THINK,  KEY_REQUEST_BYTES,
                                  KEY_PATH,    KEY_HOST,     KEY_CLOSE,  KEY_COUNT,
                                  KEY_GATEWAY, KEY_NEXT_HOP, KEY_CLIENT, KEY_CLIENT_PORTS,
                                  KEY_DRAIN,   KEY_WAIT,     KEY_TARGET, KEY_TARGET_PORTS};

static const char *option_name(int key)
{
    for (const struct argp_option *o = table; o->name || o->doc; o++)
        if (o->key == key)
            return o->name;
    return "?";
}

static void client_option_note(struct stateful_options *options, int key)
{
    for (size_t i = 0; i < sizeof(client_keys) / sizeof(client_keys[0]); i++)
        if (client_keys[i] == key && !options->client_option)
            options->client_option = option_name(key);
}

static uint64_t number(const char *text, uint64_t min, uint64_t max, const char *option,
                       struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value < min || value > max)
        argp_error(state, "--%s: '%s' is no number from %llu to %llu", option, text, (unsigned long long)min,
                   (unsigned long long)max);
    return value;
}

static double decimal(const char *text, const char *option, struct argp_state *state)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 1e9))
        argp_error(state, "--%s: '%s' is no number from 0 to 1000000000", option, text);
    return value;
}

static void addresses(const char *text, struct endpoint_range *range, const char *option,
                      struct argp_state *state)
{
    char first[SL_IP_TEXT];
    const char *dash = strchr(text, '-');
    size_t len = dash ? (size_t)(dash - text) : strlen(text);
    struct sl_ip last;
    snprintf(first, sizeof(first), "%.*s", (int)len, text);
    if (len >= sizeof(first) || sl_ip_parse(first, &range->first) != 0 ||
        sl_ip_parse(dash ? dash + 1 : first, &last) != 0) {
        argp_error(state, "--%s: '%s' is no address, nor FIRST-LAST", option, text);
        return;
    }
    uint32_t low = sl_host32(range->first.w[3]), high = sl_host32(last.w[3]);
    if (range->first.q[0] != last.q[0] || range->first.w[2] != last.w[2] || high < low ||
        high - low == UINT32_MAX)
        argp_error(state, "--%s: '%s': first and last may differ in their last 32 bits, upwards", option,
                   text);
    range->addresses = high - low + 1;
}

static void ports(const char *text, struct endpoint_range *range, const char *option,
                  struct argp_state *state)
{
    char first[8];
    const char *dash = strchr(text, '-');
    size_t len = dash ? (size_t)(dash - text) : strlen(text);
    if (len >= sizeof(first)) {
        argp_error(state, "--%s: '%s' is no port, nor FIRST-LAST", option, text);
        return;
    }
    memcpy(first, text, len);
    first[len] = '\0';
    uint64_t low = number(first, 1, 65535, option, state);
    uint64_t high = dash ? number(dash + 1, low, 65535, option, state) : low;
    range->port = (uint16_t)low;
    range->ports = (uint32_t)(high - low + 1);
}

static void mac(const char *text, uint8_t out[6], struct argp_state *state)
{
    struct ether_addr address;
    if (!ether_aton_r(text, &address))
        argp_error(state, "--next-hop: '%s' is no Ethernet address such as 02:00:00:00:00:01", text);
    else
        memcpy(out, &address, 6);
}

static void close_how(const char *text, struct endpoint_config *common, struct argp_state *state)
{
    if (strcmp(text, "fin") != 0 && strcmp(text, "reset") != 0)
        argp_error(state, "--close: '%s' is neither fin nor reset", text);
    common->close_by_reset = strcmp(text, "reset") == 0;
}

static const char *const role_word[] = {
    [ROLE_CLIENT] = "client", [ROLE_SERVER] = "server", [ROLE_BOTH] = "both"};

static void role(struct stateful_options *options, const char *text, struct argp_state *state)
{
    for (unsigned i = ROLE_CLIENT; i <= ROLE_BOTH; i++)
        if (options->role == ROLE_NONE && strcmp(text, role_word[i]) == 0) {
            options->role = i;
            return;
        }
    argp_error(state, "'%s': say one of client, server, both", text);
}

// What of the target was not said is as of the servers.
static void target_finish(struct stateful_options *options)
{
    struct endpoint_range *target = &options->target;

    if (target->addresses == 0) {
        target->first = options->server.first;
        target->addresses = options->server.addresses;
    }
    if (target->ports == 0) {
        target->port = options->server.port;
        target->ports = options->server.ports;
    }
}

static void finish(struct stateful_options *options, struct argp_state *state)
{
    if (options->role == ROLE_NONE)
        argp_error(state, "say what it is to be: client, server or both");
    uint32_t wanted = options->role == ROLE_BOTH ? 2 : 1;
    if (options->session.ports != wanted)
        argp_error(state, "'%s' wants %u port%s, and %u %s given with --port", role_word[options->role],
                   wanted, wanted == 1 ? "" : "s", options->session.ports,
                   options->session.ports == 1 ? "is" : "are");
    if (options->role == ROLE_SERVER && options->client_option)
        argp_error(state, "--%s tells a client what to do: leave it out, or be 'client' or 'both'",
                   options->client_option);
    struct sl_error error = {0};
    if (report_paths_check(options->csv, options->html, &error) != 0)
        argp_error(state, "%s", error.text);
    static const uint8_t none[6];
    if (!sl_ip_is_zero(&options->gateway) && memcmp(options->next_hop, none, 6) != 0)
        argp_error(state, "--gateway and --next-hop both name where to send to: leave one of them out");
    target_finish(options);
    if (options->duration_s < 0)
        options->duration_s = options->role == ROLE_SERVER ? 0 : 10;
    uint32_t headers = sl_ip_is_v4(&options->server.first) && sl_ip_is_v4(&options->target.first) ? 40 : 60;
    uint32_t mtu = options->session.mtu ? options->session.mtu : 1500;
    if (options->common.mss == 0 || options->common.mss > mtu - headers)
        options->common.mss = (uint16_t)(mtu - headers);
}

static error_t tcp_take(int key, char *text, struct argp_state *state)
{
    struct stateful_options *o = state->input;
    switch (key) {
    case KEY_RTO:
        o->common.rto_ms = (uint32_t)number(text, 2, 60000, "rto", state);
        return 0;
    case KEY_RETRIES:
        o->common.retries = (uint32_t)number(text, 1, 100, "retries", state);
        return 0;
    case KEY_TIMEOUT:
        o->common.timeout_ms = (uint32_t)number(text, 10, 86400000, "timeout", state);
        return 0;
    case KEY_MSS:
        o->common.mss = (uint16_t)number(text, 88, 9000, "mss", state);
        return 0;
    case KEY_WINDOW:
        o->common.window = (uint16_t)number(text, 256, 65535, "window", state);
        return 0;
    case KEY_SEED:
        o->common.seed = number(text, 0, UINT64_MAX, "seed", state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t address_take(int key, char *text, struct argp_state *state)
{
    struct stateful_options *o = state->input;
    switch (key) {
    case KEY_CLIENT:
        addresses(text, &o->client, "client", state);
        return 0;
    case KEY_CLIENT_PORTS:
        ports(text, &o->client, "client-ports", state);
        return 0;
    case KEY_SERVER:
        addresses(text, &o->server, "server", state);
        return 0;
    case KEY_SERVER_PORTS:
        ports(text, &o->server, "server-ports", state);
        return 0;
    case KEY_TARGET:
        addresses(text, &o->target, "target", state);
        return 0;
    case KEY_TARGET_PORTS:
        ports(text, &o->target, "target-ports", state);
        return 0;
    case KEY_GATEWAY:
        if (sl_ip_parse(text, &o->gateway) != 0)
            argp_error(state, "--gateway: '%s' is no address", text);
        return 0;
    case KEY_NEXT_HOP:
        mac(text, o->next_hop, state);
        return 0;
    default:
        return tcp_take(key, text, state);
    }
}

static error_t load_take(int key, char *text, struct argp_state *state)
{
    struct stateful_options *o = state->input;
    switch (key) {
    case 'r':
        o->rate = decimal(text, "rate", state);
        return 0;
    case 'c':
        o->concurrent = (uint32_t)number(text, 1, ENGINE_CONNECTIONS, "concurrent", state);
        return 0;
    case 'n':
        o->common.requests = (uint32_t)number(text, 0, UINT32_MAX, "requests", state);
        return 0;
    case KEY_THINK:
        o->common.think_ms = (uint32_t)number(text, 0, 3600000, "think", state);
        return 0;
    case KEY_REQUEST_BYTES:
        o->common.request_bytes = (uint32_t)number(text, 0, HTTP_BODY_MAX, "request-bytes", state);
        return 0;
    case KEY_RESPONSE_BYTES:
        o->common.response_bytes = (uint32_t)number(text, 0, HTTP_BODY_MAX, "response-bytes", state);
        return 0;
    case KEY_COUNT:
        o->limit = number(text, 1, UINT64_MAX, "count", state);
        return 0;
    default:
        return address_take(key, text, state);
    }
}

static error_t report_take(int key, char *text, struct argp_state *state)
{
    struct stateful_options *o = state->input;
    switch (key) {
    case 'j':
        o->json = true;
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case KEY_CSV:
        o->csv = text;
        return 0;
    case KEY_HTML:
        o->html = text;
        return 0;
    default:
        return load_take(key, text, state);
    }
}

static error_t option_take(int key, char *text, struct argp_state *state)
{
    struct stateful_options *o = state->input;
    client_option_note(o, key);
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->session;
        return 0;
    case KEY_PATH:
        o->common.path = text;
        if (text[0] != '/' || strpbrk(text, " \t\r\n"))
            argp_error(state, "--path: '%s' is no path: it begins with / and has no blanks", text);
        return 0;
    case KEY_HOST:
        o->common.host = text;
        return 0;
    case KEY_CLOSE:
        close_how(text, &o->common, state);
        return 0;
    case 'd':
        o->duration_s = decimal(text, "duration", state);
        return 0;
    case KEY_DRAIN:
        o->drain_s = decimal(text, "drain", state);
        return 0;
    case KEY_WAIT:
        o->wait_s = decimal(text, "wait", state);
        return 0;
    case ARGP_KEY_ARG:
        role(o, text, state);
        return 0;
    case ARGP_KEY_SUCCESS: // after the ports' own options have been read
        finish(o, state);
        return 0;
    default:
        return report_take(key, text, state);
    }
}

void stateful_options_read(struct stateful_options *options, int argc, char **argv)
{
    static const struct argp_child children[] = {{&session_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = table,
        .parser = option_take,
        .children = children,
        .doc = "Opens, uses and closes TCP connections with HTTP/1.1 requests, as client, as server, or as "
               "both at the "
               "two ends of a device. Every byte is checked.",
        .args_doc = "client|server|both [-- EAL-OPTIONS]",
    };
    *options = (struct stateful_options){
        .client = {sl_ip_v4(sl_be32_of(0xc6120001)), 16, 1024, 64512},
        .server = {sl_ip_v4(sl_be32_of(0xc6130001)), 1, 80, 1},
        .concurrent = 10000,
        .duration_s = -1,
        .drain_s = 5,
        .wait_s = 10,
        .common = {.window = 65535,
                   .rto_ms = 250,
                   .retries = 5,
                   .timeout_ms = 10000,
                   .requests = 1,
                   .response_bytes = 64,
                   .seed = 1},
    };
    int own = session_wish_init(&options->session, argc, argv);
    argp_parse(&argp, own, argv, 0, NULL, options);
}
