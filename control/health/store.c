// SPDX-License-Identifier: Apache-2.0
// States that survive a restart of control: a JSON file, one line a member. Written aside and renamed; at most once a
// second; in slices, because a hundred thousand members take longer to write than a changed member may wait. A slice
// writes what is true at its time; what changes meanwhile is written a second later.
//
//     {"version": 1, "members": {
//     "00000000000000ab": {"address": "192.0.2.1", "port": 80, "state": "up", "since_ms": 1790000000000, ...},
//     ...}}
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "health/engine.h"

#define VERSION     1
#define SLICE       500 // members: about a millisecond
#define EVERY_MS    1000
#define PENALTY_TOP 1e9
#define TRIPS_TOP   1000000

struct store {
    char *path, *aside;
    json_t *members; // as read, less those that have been recalled
    struct event *timer;
    bool dirty;
    FILE *file; // being written
    uint32_t next;
};

// ---- written ----------------------------------------------------------------------------------------------------

static void timer_in(struct store *store, unsigned ms)
{
    struct timeval delay = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

    evtimer_add(store->timer, &delay);
}

void store_dirty(struct health *health)
{
    struct store *store = health->store;

    if (!store || store->dirty)
        return;
    store->dirty = true;
    if (!store->file)
        timer_in(store, EVERY_MS);
}

// A moment of the monotonic clock, which starts over with the machine, as Unix time.
static uint64_t unix_ms_of(uint64_t when_ns, uint64_t now_ns)
{
    return clock_unix_ms() + (when_ns > now_ns ? (when_ns - now_ns) / 1000000 : 0);
}

// Held back by passive signals, or not long ago: the next time is longer.
static void write_hold(struct health *health, const struct health_machine *machine)
{
    if (machine->trips == 0)
        return;
    fprintf(health->store->file, ", \"trips\": %u, \"peace_ms\": %" PRIu64, machine->trips,
            unix_ms_of(machine->peace_at_ns, health->now_ns));
    if (machine->held_until_ns)
        fprintf(health->store->file, ", \"held_ms\": %" PRIu64,
                unix_ms_of(machine->held_until_ns, health->now_ns));
}

// What is not known is not worth a line, and is recalled as such.
static void write_one(struct health *health, const struct target *target)
{
    const struct health_machine *machine = &target->machine;
    struct store *store = health->store;
    char address[SL_IP_TEXT];

    if (machine->checked == HEALTH_CHECKING || machine->reason == HEALTH_BY_WISH)
        return;
    fprintf(store->file,
            "%s\n\"%016" PRIx64
            "\": {\"address\": \"%s\", \"port\": %u, \"state\": \"%s\", \"since_ms\": %" PRIu64
            ", \"penalty\": %.0f, \"suppressed\": %s, \"at_ms\": %" PRIu64,
            ftell(store->file) > 32 ? "," : "", target->id, sl_ip_format(&target->wish.address, address),
            target->wish.port, health_state_name(machine->checked), target->since_ms,
            health_machine_penalty(machine, &target->rules, health->now_ns),
            machine->suppressed ? "true" : "false", clock_unix_ms());
    write_hold(health, machine);
    fputc('}', store->file);
}

static void write_drop(struct store *store)
{
    fclose(store->file);
    store->file = NULL;
    unlink(store->aside);
}

static void write_begin(struct health *health)
{
    struct store *store = health->store;

    store->dirty = false;
    store->next = 0;
    store->file = fopen(store->aside, "we");
    if (!store->file)
        snprintf(health->environment, sizeof(health->environment), "%.100s: %s", store->aside,
                 strerror(errno));
    else
        fprintf(store->file, "{\"version\": %d, \"members\": {", VERSION);
}

static void write_end(struct health *health)
{
    struct store *store = health->store;

    fputs("\n}}\n", store->file);
    if (fflush(store->file) || ferror(store->file) || rename(store->aside, store->path)) {
        snprintf(health->environment, sizeof(health->environment), "%.100s: %s", store->path,
                 strerror(errno));
        write_drop(store);
        return;
    }
    fclose(store->file);
    store->file = NULL;
}

static bool write_some(struct health *health, uint32_t most)
{
    struct store *store = health->store;

    for (; store->next < health->targets && most > 0; most--)
        write_one(health, health->target[store->next++]);
    return store->next < health->targets;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
    struct health *health = context;
    struct store *store = health->store;

    health->now_ns = clock_ns();
    if (!store->file)
        write_begin(health);
    if (store->file && write_some(health, SLICE)) {
        timer_in(store, 1);
        return;
    }
    if (store->file)
        write_end(health);
    if (store->dirty)
        timer_in(store, EVERY_MS);
}

void store_fini(struct health *health)
{
    struct store *store = health->store;

    if (!store)
        return;
    health->now_ns = clock_ns();
    if (store->file)
        write_drop(store);
    if (store->timer)
        write_begin(health);
    if (store->file) {
        write_some(health, UINT32_MAX);
        write_end(health);
    }
    if (store->timer)
        event_free(store->timer);
    json_decref(store->members);
    free(store->path);
    free(store->aside);
    free(store);
    health->store = NULL;
}

// ---- read -------------------------------------------------------------------------------------------------------

static int read_members(struct store *store, struct sl_error *error)
{
    json_error_t why;
    json_t *root = json_load_file(store->path, JSON_REJECT_DUPLICATES, &why);

    if (!root && access(store->path, F_OK) < 0 && errno == ENOENT)
        return 0;
    json_t *members = json_object_get(root, "members");
    if (json_integer_value(json_object_get(root, "version")) == VERSION && json_is_object(members)) {
        store->members = json_incref(members);
        json_decref(root);
        return 0;
    }
    json_decref(root);
    return sl_error_set(
        error, -EBADMSG,
        "%s: damaged, or of another version (%.60s): states of members are not recalled from it", store->path,
        root ? "no members" : why.text);
}

int health_store(struct health *health, const char *path, struct sl_error *error)
{
    struct store *store = calloc(1, sizeof(*store));

    if (!store)
        return sl_error_set(error, -ENOMEM, "out of memory");
    health->store = store;
    store->path = strdup(path);
    if (asprintf(&store->aside, "%s.new", path) < 0)
        store->aside = NULL;
    if (store->path && store->aside)
        store->timer = evtimer_new(health->base, on_timer, health);
    if (!store->timer) {
        store_fini(health);
        return sl_error_set(error, -ENOMEM, "out of memory");
    }
    return read_members(store, error);
}

static double penalty_of(const json_t *member, const struct health_rules *rules)
{
    double penalty = json_number_value(json_object_get(member, "penalty"));
    json_int_t at_ms = json_integer_value(json_object_get(member, "at_ms"));
    json_int_t now_ms = (json_int_t)clock_unix_ms();

    if (!rules->half_life_ns || !(penalty > 0) || penalty > PENALTY_TOP)
        return 0;
    if (penalty > rules->ceiling)
        penalty = rules->ceiling;
    double age_ns = at_ms > 0 && at_ms < now_ms ? (double)(now_ms - at_ms) * 1e6 : 0;
    return penalty * exp2(-age_ns / (double)rules->half_life_ns);
}

// How long a stored moment is still ahead, as one of the monotonic clock; 0: over. No longer than `most_ns`, whatever
// the file says and however the clock was set meanwhile.
static uint64_t moment_of(const json_t *member, const char *key, uint64_t most_ns, uint64_t now_ns)
{
    json_int_t at_ms = json_integer_value(json_object_get(member, key)), now_ms = (json_int_t)clock_unix_ms();

    if (at_ms <= now_ms)
        return 0;
    uint64_t left_ms = (uint64_t)(at_ms - now_ms);
    return now_ns + (left_ms < most_ns / 1000000 ? left_ms * 1000000 : most_ns);
}

static void recall_hold(struct health *health, struct target *target, const json_t *member)
{
    const struct health_rules *rules = &target->rules;
    json_int_t trips = json_integer_value(json_object_get(member, "trips"));

    if (rules->failures == 0 || trips <= 0 || trips > TRIPS_TOP)
        return;
    health_machine_recall_hold(&target->machine, (uint32_t)trips,
                               moment_of(member, "held_ms", rules->hold_most_ns, health->now_ns),
                               moment_of(member, "peace_ms", 2 * rules->hold_most_ns, health->now_ns));
}

// Another address under the same id is another member.
static bool member_matches(const json_t *member, const struct health_wish *wish)
{
    const char *address = json_string_value(json_object_get(member, "address"));
    struct sl_ip ip;

    return address && sl_ip_parse(address, &ip) == 0 && sl_ip_equal(&ip, &wish->address) &&
           json_integer_value(json_object_get(member, "port")) == wish->port;
}

bool store_recall(struct health *health, struct target *target)
{
    char key[20];

    if (!health->store || !health->store->members)
        return false;
    snprintf(key, sizeof(key), "%016" PRIx64, target->id);
    const json_t *member = json_object_get(health->store->members, key);
    const char *state = json_string_value(json_object_get(member, "state"));
    bool up = state && strcmp(state, "up") == 0, down = state && strcmp(state, "down") == 0;
    json_int_t since_ms = json_integer_value(json_object_get(member, "since_ms"));
    bool known = (up || down) && member_matches(member, &target->wish);
    if (known) {
        double penalty = penalty_of(member, &target->rules);
        bool suppressed =
            json_is_true(json_object_get(member, "suppressed")) && penalty > target->rules.reuse;
        health_machine_recall(&target->machine, up ? HEALTH_UP : HEALTH_DOWN, penalty, suppressed,
                              health->now_ns);
        recall_hold(health, target, member);
        if (since_ms > 0 && since_ms <= (json_int_t)clock_unix_ms())
            target->since_ms = (uint64_t)since_ms;
    }
    json_object_del(health->store->members, key);
    return known;
}
