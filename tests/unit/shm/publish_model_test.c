// SPDX-License-Identifier: Apache-2.0
// Publish, echo, free, collect as a model, all interleavings of which are tried: control, housekeeping, two workers,
// three generations; control may be killed and started again once, the data plane too. Each case of a step function is
// one access to something shared, as in src/shm/generation_*.c and dataplane/housekeeping/generation.c.
//
// Proven for every reachable state: no worker touches tables that were unmapped or never mapped; no good generation is
// refused because its files went away; when nothing more can happen, all workers use the newest generation, all older
// ones are unmapped and only its files are left. That the model would notice is proven by breaking one rule at a time.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 2, GENERATIONS = 3 };

enum rule { // what a variant of the protocol leaves out
    RULE_ALL,
    BREAK_REAP_WAITS_FOR_ECHO,     // frees what is retired without looking at the echoes
    BREAK_REAP_WAITS_FOR_ALL,      // looks at the first worker only
    BREAK_ECHO_AFTER_SWITCH,       // a worker echoes before it lets go of the old tables
    BREAK_MAP_BEFORE_POST,         // the mailbox is filled before the tables are mapped
    BREAK_FILES_BEFORE_NUMBER,     // the number is published before the manifest is there
    BREAK_PUBLISHED_IS_KEPT,       // collecting goes by what is live, and forgets what is published
    BREAK_LOOK_AGAIN_BEFORE_REFUSE // a generation whose files are gone is refused though a newer one is published
};

enum control_step {
    C_TABLE,
    C_MANIFEST,
    C_NUMBER,
    C_KEEP_PUBLISHED,
    C_KEEP_LOADED,
    C_KEEP_LIVE,
    C_REMOVE,
    C_DONE
};
enum house_step { H_LOOK, H_MANIFEST, H_MAP, H_AGAIN, H_RETIRE, H_POST, H_LOADED, H_OLDEST, H_FREE };
enum worker_step { W_MAILBOX, W_SWITCH, W_HOOK, W_ECHO_BOARD, W_ECHO, W_USE };

struct worker { // generations stand for their tables
    uint8_t step, tables, next, old;
    uint8_t mailbox; // w: housekeeping
    uint8_t echo;    // w: the worker
    uint8_t live;    // on the board
};

struct state { // bytes alone, so that states compare and hash as memory
    uint8_t control, keep, control_index, control_kills;
    uint8_t published, manifests, tables; // bit per generation: the file is there
    uint8_t house, opening, current, retired, oldest, house_index, house_kills, idle;
    uint8_t loaded;
    uint8_t mapped;
    struct worker worker[WORKERS];
};

static uint8_t bit(unsigned generation)
{
    return generation ? (uint8_t)(1u << generation) : 0;
}

// ---- the search ---------------------------------------------------------------------------------------------

struct search {
    enum rule rule;
    const char *violation;
    struct state *state; // all that were reached; those from `done` on have not been stepped from
    size_t count, room, done;
    uint32_t *slot; // open addressing: index into state[] + 1
    size_t slots;   // a power of two
};

static uint64_t state_hash(const struct state *state)
{
    const uint8_t *byte = (const uint8_t *)state;
    uint64_t hash = 14695981039346656037ull; // FNV-1a

    for (size_t i = 0; i < sizeof(*state); i++)
        hash = (hash ^ byte[i]) * 1099511628211ull;
    return hash ^ hash >> 29;
}

static void slots_grow(struct search *search)
{
    free(search->slot);
    search->slots *= 2;
    search->slot = calloc(search->slots, sizeof(*search->slot));
    for (size_t i = 0; i < search->count; i++) {
        size_t at = state_hash(&search->state[i]) & (search->slots - 1);
        while (search->slot[at])
            at = (at + 1) & (search->slots - 1);
        search->slot[at] = (uint32_t)i + 1;
    }
}

static void reach(struct search *search, const struct state *state)
{
    size_t at = state_hash(state) & (search->slots - 1);

    for (; search->slot[at]; at = (at + 1) & (search->slots - 1))
        if (memcmp(&search->state[search->slot[at] - 1], state, sizeof(*state)) == 0)
            return;
    if (search->count == search->room) {
        search->room *= 2;
        search->state = realloc(search->state, search->room * sizeof(*search->state));
    }
    search->state[search->count] = *state;
    search->slot[at] = (uint32_t)++search->count;
    if (search->count * 2 > search->slots)
        slots_grow(search);
}

static void violate(struct search *search, const char *what)
{
    search->violation = what;
}

static void touch(struct search *search, const struct state *state, uint8_t generation)
{
    if (generation && !(state->mapped & bit(generation)))
        violate(search, "a worker touches tables that are not mapped");
}

// ---- control ------------------------------------------------------------------------------------------------

static void control_publish(const struct search *search, struct state *s)
{
    uint8_t next = s->published + 1;
    bool early = search->rule == BREAK_FILES_BEFORE_NUMBER;

    switch ((enum control_step)s->control) {
    case C_TABLE:
        s->tables |= bit(next);
        s->control = early ? C_NUMBER : C_MANIFEST;
        return;
    case C_MANIFEST:
        s->manifests |= bit(early ? s->published : next);
        s->control = early ? C_KEEP_PUBLISHED : C_NUMBER;
        return;
    default: // C_NUMBER
        s->published = next;
        s->control = early ? C_MANIFEST : C_KEEP_PUBLISHED;
        return;
    }
}

// Removes one file that is not kept, manifest or table, in any order; then goes on to the next generation.
static void control_remove(struct search *search, const struct state *from)
{
    bool more = false;

    for (unsigned g = 1; g <= GENERATIONS; g++)
        for (unsigned kind = 0; kind < 2; kind++) {
            struct state s = *from;
            uint8_t *files = kind ? &s.tables : &s.manifests;
            if ((*files & bit(g)) == 0 || (s.keep & bit(g)))
                continue;
            *files &= (uint8_t)~bit(g);
            more = true;
            reach(search, &s);
        }
    if (more)
        return;
    struct state s = *from;
    s.keep = 0;
    s.control = s.published < GENERATIONS ? C_TABLE : C_DONE;
    reach(search, &s);
}

static void control_step(struct search *search, const struct state *from)
{
    struct state s = *from;

    switch ((enum control_step)s.control) {
    case C_TABLE:
    case C_MANIFEST:
    case C_NUMBER:
        control_publish(search, &s);
        break;
    case C_KEEP_PUBLISHED:
        s.keep = search->rule == BREAK_PUBLISHED_IS_KEPT ? 0 : bit(s.published);
        s.control = C_KEEP_LOADED;
        break;
    case C_KEEP_LOADED:
        s.keep |= bit(s.loaded);
        s.control = C_KEEP_LIVE;
        s.control_index = 0;
        break;
    case C_KEEP_LIVE:
        s.keep |= bit(s.worker[s.control_index++].live);
        if (s.control_index == WORKERS) {
            s.control = C_REMOVE;
            s.control_index = 0;
        }
        break;
    case C_REMOVE:
        control_remove(search, from);
        return;
    case C_DONE: // the last generation is live: what is old goes, as after each apply
        if (s.idle < 1 || s.loaded != s.published)
            return;
        for (unsigned i = 0; i < WORKERS; i++)
            if (s.worker[i].live != s.published)
                return;
        if ((s.manifests | s.tables) == bit(s.published))
            return;
        s.control = C_KEEP_PUBLISHED;
        break;
    }
    reach(search, &s);
}

// ---- housekeeping -------------------------------------------------------------------------------------------

static void house_open(struct search *search, struct state *s)
{
    bool early = search->rule == BREAK_MAP_BEFORE_POST;

    switch ((enum house_step)s->house) {
    case H_MANIFEST:
        s->house = s->manifests & bit(s->opening) ? (early ? H_RETIRE : H_MAP) : H_AGAIN;
        return;
    case H_MAP:
        if ((s->tables & bit(s->opening)) == 0) {
            s->house = H_AGAIN;
            return;
        }
        s->mapped |= bit(s->opening);
        s->house = early ? H_LOADED : H_RETIRE;
        return;
    default: // H_AGAIN
        if (s->published == s->opening || search->rule == BREAK_LOOK_AGAIN_BEFORE_REFUSE)
            violate(search, "a good generation is refused");
        s->house = H_OLDEST;
        return;
    }
}

static void house_hand_over(const struct search *search, struct state *s)
{
    switch ((enum house_step)s->house) {
    case H_RETIRE:
        s->retired |= bit(s->current);
        s->current = s->opening;
        s->house = H_POST;
        s->house_index = 0;
        return;
    case H_POST:
        s->worker[s->house_index++].mailbox = s->current;
        if (s->house_index == WORKERS)
            s->house = search->rule == BREAK_MAP_BEFORE_POST ? H_MAP : H_LOADED;
        return;
    default: // H_LOADED
        s->loaded = s->current;
        s->house = H_OLDEST;
        return;
    }
}

static void house_reap(const struct search *search, struct state *s)
{
    if (s->house == H_OLDEST) {
        uint8_t echo = s->worker[s->house_index].echo;
        bool looks = search->rule != BREAK_REAP_WAITS_FOR_ECHO &&
                     (search->rule != BREAK_REAP_WAITS_FOR_ALL || s->house_index == 0);
        if (looks && echo < s->oldest)
            s->oldest = echo;
        if (++s->house_index == WORKERS)
            s->house = H_FREE;
        return;
    }
    for (unsigned g = 1; g < s->oldest; g++)
        if (s->retired & bit(g)) {
            s->retired &= (uint8_t)~bit(g);
            s->mapped &= (uint8_t)~bit(g);
        }
    s->idle = s->retired == 0 && s->current == s->published;
    s->house = H_LOOK;
}

static void house_step(struct search *search, const struct state *from)
{
    struct state s = *from;

    switch ((enum house_step)s.house) {
    case H_LOOK:
        s.opening = s.published;
        s.idle = 0;
        s.house = s.opening > s.current ? H_MANIFEST : H_OLDEST;
        break;
    case H_MANIFEST:
    case H_MAP:
    case H_AGAIN:
        house_open(search, &s);
        break;
    case H_RETIRE:
    case H_POST:
    case H_LOADED:
        house_hand_over(search, &s);
        break;
    case H_OLDEST:
    case H_FREE:
        house_reap(search, &s);
        break;
    }
    if (s.house == H_OLDEST && from->house != H_OLDEST) {
        s.oldest = s.current;
        s.house_index = 0;
    }
    reach(search, &s);
}

// ---- a worker -----------------------------------------------------------------------------------------------

static void worker_step(struct search *search, const struct state *from, unsigned index)
{
    struct state s = *from;
    struct worker *w = &s.worker[index];
    bool early = search->rule == BREAK_ECHO_AFTER_SWITCH;

    switch ((enum worker_step)w->step) {
    case W_MAILBOX:
        w->next = w->mailbox;
        w->step = w->next == w->tables ? W_USE : early ? W_ECHO_BOARD : W_SWITCH;
        break;
    case W_SWITCH:
        w->old = w->tables;
        w->tables = w->next;
        w->step = W_HOOK;
        break;
    case W_HOOK:
        touch(search, &s, w->old);
        touch(search, &s, w->tables);
        w->old = 0;
        w->step = early ? W_USE : W_ECHO_BOARD;
        break;
    case W_ECHO_BOARD:
        w->live = w->next;
        w->step = W_ECHO;
        break;
    case W_ECHO:
        w->echo = w->next;
        w->step = early ? W_SWITCH : W_USE;
        break;
    case W_USE:
        touch(search, &s, w->tables);
        w->step = W_MAILBOX;
        break;
    }
    reach(search, &s);
}

// ---- killed -------------------------------------------------------------------------------------------------

static void control_kill(struct search *search, const struct state *from)
{
    struct state s = *from;

    if (s.control_kills == 0)
        return;
    s.control_kills--;
    s.control = s.published < GENERATIONS ? C_TABLE : C_KEEP_PUBLISHED;
    s.keep = s.control_index = 0;
    reach(search, &s);
}

// Mappings go with the process; the board stays, and the next data plane empties its own lines of it.
static void data_plane_kill(struct search *search, const struct state *from)
{
    struct state s = *from;

    if (s.house_kills == 0)
        return;
    s.house_kills--;
    s.house = H_LOOK;
    s.opening = s.current = s.retired = s.oldest = s.house_index = s.idle = 0;
    s.loaded = s.mapped = 0;
    memset(s.worker, 0, sizeof(s.worker));
    reach(search, &s);
}

// ---- all of it ----------------------------------------------------------------------------------------------

// Housekeeping and workers go round for ever; at rest means that control has ended and a whole round changed nothing.
static void rest_check(struct search *search, const struct state *s)
{
    if (s->control != C_DONE || !s->idle || s->house != H_LOOK || s->loaded != GENERATIONS)
        return;
    for (unsigned i = 0; i < WORKERS; i++)
        if (s->worker[i].live != GENERATIONS || s->worker[i].tables != GENERATIONS)
            return;
    if (s->mapped != bit(GENERATIONS) || s->retired != 0)
        violate(search, "tables stay mapped that nobody uses");
}

static const char *explore(enum rule rule, size_t *states, bool *rested)
{
    struct search search = {.rule = rule, .room = 1 << 16, .slots = 1 << 18};
    const struct state first = {.control_kills = 1, .house_kills = 1};

    search.state = calloc(search.room, sizeof(*search.state));
    search.slot = calloc(search.slots, sizeof(*search.slot));
    reach(&search, &first);
    *rested = false;
    for (; search.done < search.count && !search.violation; search.done++) {
        struct state s = search.state[search.done];
        rest_check(&search, &s);
        *rested |=
            s.control == C_DONE && s.idle && s.manifests == bit(GENERATIONS) && s.tables == bit(GENERATIONS);
        control_step(&search, &s);
        house_step(&search, &s);
        for (unsigned i = 0; i < WORKERS; i++)
            worker_step(&search, &s, i);
        control_kill(&search, &s);
        data_plane_kill(&search, &s);
    }
    *states = search.count;
    free(search.state);
    free(search.slot);
    return search.violation;
}

static void no_interleaving_breaks_publish_echo_and_free(void **state)
{
    size_t states;
    bool rested;
    const char *violation = explore(RULE_ALL, &states, &rested);

    if (violation)
        fail_msg("%s", violation);
    assert_true(rested);
    print_message("%zu states\n", states);
}

static void each_rule_is_needed(void **state)
{
    static const struct {
        enum rule rule;
        const char *name;
    } broken[] = {
        {BREAK_REAP_WAITS_FOR_ECHO, "reap waits for the echo"},
        {BREAK_REAP_WAITS_FOR_ALL, "reap waits for all workers"},
        {BREAK_ECHO_AFTER_SWITCH, "echo after the switch"},
        {BREAK_MAP_BEFORE_POST, "map before post"},
        {BREAK_FILES_BEFORE_NUMBER, "files before the number"},
        {BREAK_PUBLISHED_IS_KEPT, "the published generation is kept"},
        {BREAK_LOOK_AGAIN_BEFORE_REFUSE, "look again before refusing"},
    };

    for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        size_t states;
        bool rested;
        if (!explore(broken[i].rule, &states, &rested))
            fail_msg("without \"%s\" the model finds no fault in %zu states", broken[i].name, states);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_interleaving_breaks_publish_echo_and_free),
        cmocka_unit_test(each_rule_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
