// SPDX-License-Identifier: Apache-2.0
// `sluice-pktgen reflect`: sends every frame back with its Ethernet addresses exchanged. The ideal device under test,
// against which a generator shows its own ceiling; or, where it is told to, one with known faults and a known
// throughput, against which it shows that its account is right. Main thread.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "mode.h"
#include "profile.h"
#include "reflector.h"
#include "report.h"

#define LOOK_MS       250
#define BURST_DEFAULT 1024

enum key { KEY_LOSE = 1024, KEY_DUPLICATE, KEY_REORDER, KEY_CORRUPT, KEY_SEED, KEY_BURST };

struct reflect {
    struct session_wish wish;
    struct impair_wish impair;
    bool json, seed_given, burst_given;
    struct session session;
    struct reflector reflector[SL_MAX_WORKERS];
};

static const struct argp_option table[] = {
    {0, 0, 0, 0, "Be a device with known faults:", 1},
    {"rate", 'r', "PPS", 0, "Take at most so many frames a second, such as 20kpps, and lose what is above",
     1},
    {"burst", KEY_BURST, "N", 0, "With --rate: frames that are taken at once after a pause (default 1024)",
     1},
    {"lose", KEY_LOSE, "N", 0, "Lose one frame of N, at random", 1},
    {"duplicate", KEY_DUPLICATE, "N", 0, "Send one of N twice", 1},
    {"reorder", KEY_REORDER, "N", 0, "Send one of N behind the next", 1},
    {"corrupt", KEY_CORRUPT, "N", 0, "Turn a bit in one of N", 1},
    {"seed", KEY_SEED, "N", 0, "Of the lots that are drawn (default 1)", 1},
    {0, 0, 0, 0, "Report:", 2},
    {"json", 'j', 0, 0, "JSON on the standard output instead of text", 2},
    {0},
};

static uint64_t number_take(const char *text, uint64_t max, const char *option, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value == 0 || value > max)
        argp_error(state, "--%s: '%s' is no number from 1 to %" PRIu64, option, text, max);
    return value;
}

static void rate_take(struct reflect *reflect, const char *text, struct argp_state *state)
{
    struct rate rate;
    const char *why = "is no rate in packets a second, such as 20kpps";
    if (profile_read_rate(text, &rate, &why) != 0 || rate.unit != RATE_PPS || rate.value < 1)
        argp_error(state, "--rate: '%s' %s", text, why);
    reflect->impair.pps = rate.value;
}

static void finish(const struct reflect *reflect, struct argp_state *state)
{
    bool lots = false;
    for (unsigned i = HARM_LOSE; i <= HARM_CORRUPT; i++)
        lots = lots || reflect->impair.one_in[i];
    if (!impair_wish_fits(&reflect->impair))
        argp_error(
            state,
            "--lose, --duplicate, --reorder and --corrupt together are more than all frames: raise their N");
    if (reflect->seed_given && !lots)
        argp_error(state, "--seed: nothing is drawn without --lose, --duplicate, --reorder or --corrupt");
    if (reflect->burst_given && reflect->impair.pps <= 0)
        argp_error(state, "--burst belongs to --rate, which is not given");
}

static error_t option_take(int key, char *text, struct argp_state *state)
{
    struct reflect *reflect = state->input;
    static const struct {
        int key;
        enum harm harm;
        const char *name;
    } harms[] = {{KEY_LOSE, HARM_LOSE, "lose"},
                 {KEY_DUPLICATE, HARM_TWICE, "duplicate"},
                 {KEY_REORDER, HARM_LATE, "reorder"},
                 {KEY_CORRUPT, HARM_CORRUPT, "corrupt"}};
    for (size_t i = 0; i < sizeof(harms) / sizeof(harms[0]); i++)
        if (key == harms[i].key) {
            reflect->impair.one_in[harms[i].harm] =
                (uint32_t)number_take(text, UINT32_MAX, harms[i].name, state);
            return 0;
        }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &reflect->wish;
        return 0;
    case 'r':
        rate_take(reflect, text, state);
        return 0;
    case KEY_BURST:
        reflect->impair.burst = (uint32_t)number_take(text, 1000000, "burst", state);
        reflect->burst_given = true;
        return 0;
    case KEY_SEED:
        reflect->impair.seed = number_take(text, INT64_MAX, "seed", state);
        reflect->seed_given = true;
        return 0;
    case 'j':
        reflect->json = true;
        return 0;
    case ARGP_KEY_SUCCESS:
        finish(reflect, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int report(const struct reflect *reflect)
{
    struct reflector sum = {0};
    for (uint32_t i = 0; i < reflect->session.workers; i++) {
        const struct reflector *one = &reflect->reflector[i];
        sum.received += one->received;
        sum.sent += one->sent;
        sum.refused += one->refused;
        for (unsigned k = 0; k < HARMS; k++)
            sum.impair.count[k] += one->impair.count[k];
    }
    const uint64_t *count = sum.impair.count;
    if (reflect->json)
        return report_json_print(
            stdout,
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "version", SLUICE_VERSION, "received",
                      (json_int_t)sum.received, "sent", (json_int_t)sum.sent, "refused",
                      (json_int_t)sum.refused, "lost", (json_int_t)count[HARM_LOSE], "duplicated",
                      (json_int_t)count[HARM_TWICE], "reordered", (json_int_t)count[HARM_LATE], "corrupted",
                      (json_int_t)count[HARM_CORRUPT], "over_rate", (json_int_t)count[HARM_OVER]));
    printf("%" PRIu64 " frames sent back, %" PRIu64 " not taken by the port\n", sum.sent, sum.refused);
    if (!reflect->reflector[0].plain)
        printf("on purpose: %" PRIu64 " lost, %" PRIu64 " above the rate lost, %" PRIu64
               " sent twice, %" PRIu64 " reordered, %" PRIu64 " corrupted\n",
               count[HARM_LOSE], count[HARM_OVER], count[HARM_TWICE], count[HARM_LATE], count[HARM_CORRUPT]);
    return 0;
}

static int reflect_execute(struct reflect *reflect, struct sl_error *error)
{
    void *argument[SL_MAX_WORKERS];
    struct session *session = &reflect->session;
    int rc = session_open(session, &reflect->wish, error);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < session->workers; i++) {
        reflector_init(&reflect->reflector[i], session, i, &reflect->impair);
        argument[i] = &reflect->reflector[i];
    }
    session_launch(session, reflector_run, argument);
    while (!session_wait_ms(session, LOOK_MS))
        ;
    session_join(session);
    rc = report(reflect);
    session_close(session);
    return rc;
}

static int reflect_main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&session_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = table,
        .parser = option_take,
        .children = children,
        .doc =
            "Sends every frame back where it came from, with its Ethernet addresses exchanged, until Ctrl-C.",
        .args_doc = "[-- EAL-OPTIONS]",
    };
    struct sl_error error = {0};
    struct reflect *reflect = aligned_alloc(64, (sizeof(*reflect) + 63) / 64 * 64);
    if (!reflect)
        return mode_fail(-ENOMEM, &error);
    memset(reflect, 0, sizeof(*reflect));
    reflect->impair = (struct impair_wish){.seed = 1, .burst = BURST_DEFAULT};
    int own = session_wish_init(&reflect->wish, argc, argv);
    argp_parse(&argp, own, argv, 0, NULL, reflect);
    int rc = reflect_execute(reflect, &error);
    free(reflect);
    return rc == 0 ? PKTGEN_OK : mode_fail(rc, &error);
}

const struct generator_mode mode_reflect = {"reflect", "send every frame back: a peer to measure against",
                                            reflect_main};
