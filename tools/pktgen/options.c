// SPDX-License-Identifier: Apache-2.0
// The flags of a stream fill the same profile that a file does, so both are proved by the same code. Main thread.
#include "options.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "config/document.h"
#include "config/text.h"
#include "report.h"

#define SETTLE_US  200000
#define DURATION_S 10

enum key {
    KEY_SRC = 768,
    KEY_DST,
    KEY_SPORT,
    KEY_DPORT,
    KEY_FLOWS,
    KEY_RANDOM_FLOWS,
    KEY_RANDOM_SIZES,
    KEY_FRAGMENTS,
    KEY_BAD,
    KEY_BURST,
    KEY_TCP_FLAGS,
    KEY_ADDRESS,
    KEY_GATEWAY,
    KEY_PEER_MAC,
    KEY_SETTLE,
    KEY_COUNT,
    KEY_NO_VERIFY,
    KEY_NO_RECEIVE,
    KEY_CSV,
    KEY_HTML,
    KEY_WAIT
};

static const struct argp_option table[] = {
    {0, 0, 0, 0, "Traffic, where no profile tells it:", 1},
    {"protocol", 'P', "udp|tcp|icmp", 0, "A list makes a stream of each (default udp)", 1},
    {"size", 's', "SIZES", 0,
     "Frame sizes with check sequence: 64 | 64,128,1518 | 64-1518/64 | imix (default 64)", 1},
    {"src", KEY_SRC, "ADDRESSES", 0, "Sources: address, range A-B or A-B/STEP, or prefix (default 16.0.0.1)",
     1},
    {"dst", KEY_DST, "ADDRESSES", 0, "Destinations (default 48.0.0.1)", 1},
    {"sport", KEY_SPORT, "PORTS", 0, "Source port or range (default 1024)", 1},
    {"dport", KEY_DPORT, "PORTS", 0, "Destination port or range (default 9)", 1},
    {"flows", KEY_FLOWS, "N", 0, "Flows, up to 16777216 (default: all that the ranges make)", 1},
    {"random-flows", KEY_RANDOM_FLOWS, 0, 0, "Flows at random instead of in turn", 1},
    {"random-sizes", KEY_RANDOM_SIZES, 0, 0, "Sizes at random instead of in turn", 1},
    {"fragments", KEY_FRAGMENTS, "N", 0, "Pieces of each datagram, up to 4", 1},
    {"burst", KEY_BURST, "N", 0, "Packets that go back to back", 1},
    {"tcp-flags", KEY_TCP_FLAGS, "LETTERS", 0, "Of F S R P A U (default PA)", 1},
    {"bad", KEY_BAD, "KIND", 0,
     "Bad packets: ip-version, ip-header-length, ip-length, ip-checksum, ttl, source, l4-checksum, l4-length "
     "or "
     "tcp-flags",
     1},
    {0, 0, 0, 0, "Run:", 2},
    {"profile", 'f', "FILE", 0, "Traffic from a YAML profile", 2},
    {"rate", 'r', "RATE", 0, "1.5Mpps | 10Gbps | 50% | max (default max)", 2},
    {"duration", 'd', "TIME", 0, "10 | 500ms | 2m (default 10 s)", 2},
    {"count", KEY_COUNT, "N", 0, "End after N frames of each stream", 2},
    {"settle", KEY_SETTLE, "TIME", 0, "Wait for the last packets (default 200ms)", 2},
    {"no-verify", KEY_NO_VERIFY, 0, 0, "Check only the signature of what comes, not its checksums", 2},
    {"no-receive", KEY_NO_RECEIVE, 0, 0, "Only send", 2},
    {"wait", KEY_WAIT, "SECONDS", 0, "Wait this long for the ports' links (default 10)", 2},
    {0, 0, 0, 0, "Addresses of the port named before them:", 3},
    {"address", KEY_ADDRESS, "ADDRESS/LEN", 0, "Own address: who asks for it is answered", 3},
    {"gateway", KEY_GATEWAY, "ADDRESS", 0, "Send to this station; asks for its Ethernet address", 3},
    {"peer-mac", KEY_PEER_MAC, "MAC", 0, "Send to this Ethernet address, asking nobody", 3},
    {0, 0, 0, 0, "Reports:", 4},
    {"json", 'j', 0, 0, "JSON on the standard output instead of text", 4},
    {"csv", KEY_CSV, "FILE", 0, "Write a table for spreadsheets", 4},
    {"html", KEY_HTML, "FILE", 0, "Write a page with plots that needs no network", 4},
    {"quiet", 'q', 0, 0, "No live screen", 4},
    {0},
};

int options_init(struct options *options)
{
    options->trial = (struct trial_wish){.settle_us = SETTLE_US, .verify = true};
    options->wait_s = 10;
    options->profile = calloc(1, sizeof(*options->profile));
    if (!options->profile)
        return -ENOMEM;
    options->profile->ports = calloc(SESSION_PORTS, sizeof(*options->profile->ports));
    options->profile->streams = calloc(PLAN_STREAMS, sizeof(*options->profile->streams));
    if (!options->profile->ports || !options->profile->streams)
        return -ENOMEM;
    sl_document_defaults(profile_stream_keys, &options->profile->streams[0]);
    return 0;
}

void options_fini(struct options *options)
{
    profile_free(options->profile);
    sl_tree_fini(&options->tree);
}

static void text_set(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
}

static uint32_t number_take(const char *text, uint32_t min, uint32_t max, const char *name,
                            struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        argp_error(state, "--%s: '%s' is no number from %u to %u", name, text, min, max);
    return (uint32_t)value;
}

static uint64_t duration_take(const char *text, const char *name, struct argp_state *state)
{
    uint64_t us = 0;
    const char *why;
    if (profile_read_duration(text, &us, &why) != 0)
        argp_error(state, "--%s: '%s' %s", name, text, why);
    return us;
}

static int word_take(const char *key, const char *text, const char *name, struct argp_state *state)
{
    const struct sl_key *row = sl_key_find(profile_stream_keys, key, strlen(key));
    for (unsigned i = 0; i < row->word_count; i++)
        if (strcmp(row->words[i].text, text) == 0)
            return row->words[i].value;
    argp_error(state, "--%s: there is no '%s'; see --help", name, text);
    return 0;
}

// The first stream is described by the flags; each further protocol is another like it, made by options_finish().
static void protocols_take(struct options *options, char *text, struct argp_state *state)
{
    char *rest = NULL;
    unsigned count = 0;
    for (char *word = strtok_r(text, ",", &rest); word && count < 3; word = strtok_r(NULL, ",", &rest))
        options->profile->streams[count++].protocol = word_take("protocol", word, "protocol", state);
    options->profile->streams_count = count;
}

static error_t stream_option_take(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    struct profile_stream *stream = &options->profile->streams[0];
    switch (key) {
    case 'P':
        protocols_take(options, text, state);
        break;
    case 's':
        text_set(&stream->sizes, text);
        break;
    case KEY_SRC:
        text_set(&stream->src, text);
        break;
    case KEY_DST:
        text_set(&stream->dst, text);
        break;
    case KEY_SPORT:
        text_set(&stream->sport, text);
        break;
    case KEY_DPORT:
        text_set(&stream->dport, text);
        break;
    case KEY_FLOWS:
        stream->flows = number_take(text, 1, FLOWS_MAX, "flows", state);
        break;
    case KEY_RANDOM_FLOWS:
        stream->random_flows = true;
        break;
    case KEY_RANDOM_SIZES:
        stream->random_sizes = true;
        break;
    case KEY_FRAGMENTS:
        stream->fragments = number_take(text, 1, PLAN_FRAGMENTS, "fragments", state);
        break;
    case KEY_BURST:
        stream->burst = number_take(text, 1, 65536, "burst", state);
        break;
    case KEY_TCP_FLAGS:
        text_set(&stream->tcp_flags, text);
        break;
    case KEY_BAD:
        stream->bad = word_take("bad", text, "bad", state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    options->stream_flags = true;
    return 0;
}

// What the profile says of the port named last; made where the profile has no such entry yet.
static struct profile_port *port_last(struct options *options, struct argp_state *state)
{
    struct profile *profile = options->profile;
    uint32_t count = options->session.ports;
    if (count == 0)
        argp_error(state, "--address, --gateway and --peer-mac follow the --port that they belong to");
    profile->ports_count = count;
    return &profile->ports[count ? count - 1 : 0];
}

static void list_add(char ***list, unsigned *count, const char *text)
{
    char **longer = realloc(*list, (*count + 1) * sizeof(**list));
    if (!longer)
        return;
    *list = longer;
    longer[(*count)++] = strdup(text);
}

static error_t port_option_take(int key, char *text, struct argp_state *state)
{
    struct sl_interface interface;
    struct sl_ip ip;
    uint8_t mac[6];
    if (key == KEY_ADDRESS) {
        if (sl_interface_parse(text, &interface) != 0)
            argp_error(state, "--address: '%s' is not an address with its link's length, like 10.0.0.2/24",
                       text);
        struct profile_port *port = port_last(state->input, state);
        list_add(&port->addresses, &port->addresses_count, text);
    } else if (key == KEY_GATEWAY) {
        if (sl_ip_parse(text, &ip) != 0)
            argp_error(state, "--gateway: '%s' is not an address", text);
        struct profile_port *port = port_last(state->input, state);
        list_add(&port->gateways, &port->gateways_count, text);
    } else if (key == KEY_PEER_MAC) {
        if (sl_mac_parse(text, mac) != 0)
            argp_error(state, "--peer-mac: '%s' is not an Ethernet address like 02:00:00:00:00:01", text);
        text_set(&port_last(state->input, state)->peer_mac, text);
    } else {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static error_t option_take(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->session;
        return 0;
    case 'f':
        options->file = text;
        return 0;
    case 'r':
        text_set(&options->profile->rate, text);
        return 0;
    case 'd':
        options->trial.duration_us = duration_take(text, "duration", state);
        return 0;
    case KEY_COUNT:
        options->trial.limit = number_take(text, 1, UINT32_MAX, "count", state);
        return 0;
    case KEY_SETTLE:
        options->trial.settle_us = duration_take(text, "settle", state);
        return 0;
    case KEY_NO_VERIFY:
        options->trial.verify = false;
        return 0;
    case KEY_NO_RECEIVE:
        options->trial.deaf = true;
        return 0;
    case KEY_WAIT:
        options->wait_s = number_take(text, 0, 86400, "wait", state);
        return 0;
    case 'j':
        options->json = true;
        return 0;
    case 'q':
        options->quiet = true;
        return 0;
    case KEY_CSV:
        options->csv = text;
        return 0;
    case KEY_HTML:
        options->html = text;
        return 0;
    default:
        return stream_option_take(key, text, state) == 0 ? 0 : port_option_take(key, text, state);
    }
}

static const struct argp_child children[] = {{&session_argp, 0, NULL, 0}, {0}};
const struct argp options_argp = {.options = table, .parser = option_take, .children = children};

// Of several protocols only TCP has flags; of one that has none they stay, for the check to find.
static void flags_keep_to_tcp(struct profile *profile)
{
    bool tcp = false;
    for (unsigned i = 0; i < profile->streams_count; i++)
        tcp = tcp || profile->streams[i].protocol == IPPROTO_TCP;
    for (unsigned i = 0; tcp && i < profile->streams_count; i++)
        if (profile->streams[i].protocol != IPPROTO_TCP) {
            free(profile->streams[i].tcp_flags);
            profile->streams[i].tcp_flags = NULL;
        }
}

// A stream for each further protocol: the first one's description with another protocol.
static int streams_copy(struct profile *profile)
{
    struct profile_stream *first = &profile->streams[0];
    if (profile->streams_count == 0)
        profile->streams_count = 1;
    for (unsigned i = 1; i < profile->streams_count; i++) {
        struct profile_stream *stream = &profile->streams[i];
        int protocol = stream->protocol;
        *stream = *first;
        stream->protocol = protocol;
        char **copied[] = {&stream->src,   &stream->dst,   &stream->sport,
                           &stream->dport, &stream->sizes, &stream->tcp_flags};
        for (size_t k = 0; k < sizeof(copied) / sizeof(copied[0]); k++)
            *copied[k] = *copied[k] ? strdup(*copied[k]) : NULL;
    }
    flags_keep_to_tcp(profile);
    return 0;
}

static void fault(struct sl_diagnostics *diag, const char *path, const char *hint, const char *text)
{
    sl_diag_add(diag, SL_DIAG_ERROR, "command line", 0, 0, path, hint, "%s", text);
}

// Flags that contradict each other.
static int options_check(const struct options *options, struct sl_diagnostics *diag)
{
    const struct profile *profile = options->profile;
    struct sl_error error = {0};
    for (unsigned i = 0; i < profile->ports_count; i++)
        if (profile->ports[i].peer_mac && profile->ports[i].gateways_count)
            fault(diag, "--peer-mac", "leave one of them out",
                  "--peer-mac and --gateway of one port both say where its frames go");
    if (options->trial.deaf && !options->trial.verify)
        fault(diag, "--no-verify", "leave it out", "with --no-receive nothing is checked anyway");
    if (report_paths_check(options->csv, options->html, &error) != 0)
        fault(diag, "", NULL, error.text);
    return diag->errors ? -EINVAL : 0;
}

static const struct profile_port *profile_port_find(const struct profile *profile, const char *name)
{
    for (unsigned i = 0; i < profile->ports_count; i++)
        if (profile->ports[i].name && strcmp(profile->ports[i].name, name) == 0)
            return &profile->ports[i];
    return NULL;
}

static void port_wish_set(struct session_port_wish *wish, const struct profile_port *port)
{
    if (port->mac)
        sl_mac_parse(port->mac, wish->mac);
}

// Ports of the command line first, then those of the profile that it does not name.
static void ports_take(struct options *options)
{
    struct session_wish *session = &options->session;
    const struct profile *profile = options->profile;
    uint32_t given = session->ports;
    for (uint32_t i = 0; i < given; i++) {
        const struct profile_port *port =
            session->port[i].name ? profile_port_find(profile, session->port[i].name) : NULL;
        if (port)
            port_wish_set(&session->port[i], port);
    }
    for (unsigned i = 0; i < profile->ports_count && session->ports < SESSION_PORTS; i++) {
        const struct profile_port *port = &profile->ports[i];
        bool named = !port->device;
        for (uint32_t k = 0; k < given; k++)
            named = named ||
                    (session->port[k].name && port->name && strcmp(session->port[k].name, port->name) == 0);
        if (named)
            continue;
        session->port[session->ports] =
            (struct session_port_wish){.device = port->device, .name = port->name};
        port_wish_set(&session->port[session->ports++], port);
    }
}

static int profile_take(struct options *options, struct sl_diagnostics *diag)
{
    struct profile *flags = options->profile, *file;
    if (!options->file)
        return streams_copy(flags);
    if (options->stream_flags) {
        sl_diag_add(diag, SL_DIAG_ERROR, options->file, 0, 0, "", "write the traffic into the profile",
                    "flags that describe traffic do not go with a profile");
        return -EINVAL;
    }
    int rc = profile_load(options->file, &file, &options->tree, diag);
    if (rc != 0)
        return rc;
    if (flags->rate)
        text_set(&file->rate, flags->rate);
    if (flags->ports_count > 0) { // addresses given beside --port
        struct profile_port *ports = file->ports;
        unsigned count = file->ports_count;
        file->ports = flags->ports, file->ports_count = flags->ports_count;
        flags->ports = ports, flags->ports_count = count;
    }
    profile_free(flags);
    options->profile = file;
    return 0;
}

static void duration_finish(struct options *options, struct sl_diagnostics *diag)
{
    const char *why, *text = options->profile->duration;
    if (options->trial.duration_us)
        return;
    options->trial.duration_us = DURATION_S * 1000000;
    if (text && profile_read_duration(text, &options->trial.duration_us, &why) != 0)
        sl_diag_add(diag, SL_DIAG_ERROR, options->file, 0, 0, "duration", NULL, "'%s' %s", text, why);
}

int options_compile(struct options *options, struct plan *plan, struct sl_diagnostics *diag)
{
    char name[SESSION_PORTS][16];
    const char *names[SESSION_PORTS];
    struct profile_source source = {options->file ? options->file : "command line",
                                    options->file ? &options->tree : NULL, diag, options->other_sizes};
    int rc = options_check(options, diag);
    if (rc == 0)
        rc = profile_take(options, diag);
    if (rc != 0)
        return rc;
    ports_take(options);
    for (uint32_t i = 0; i < options->session.ports; i++) {
        snprintf(name[i], sizeof(name[i]), "port%u", i);
        names[i] = options->session.port[i].name ? options->session.port[i].name : name[i];
    }
    duration_finish(options, diag);
    rc = profile_compile(options->profile, &source, names, options->session.ports, plan);
    return diag->errors ? -EINVAL : rc;
}

int options_finish(struct options *options, struct plan *plan)
{
    struct sl_diagnostics diag;
    sl_diag_init(&diag);
    int rc = options_compile(options, plan, &diag);
    if (rc != 0)
        sl_diag_print(&diag, stderr);
    sl_diag_fini(&diag);
    return rc != 0 ? -EINVAL : 0;
}
