// SPDX-License-Identifier: Apache-2.0
// See fixture.h.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "fixture.h"
#include "shm/check.h"
#include "table/lpm_read.h"
#include "table/route_read.h"

static int prepare(void *context, const struct snapshot *snapshot, struct sl_error *error)
{
    struct fixture *fixture = context;

    fixture->prepared++;
    return fixture->prepare_fails ? sl_error_set(error, fixture->prepare_fails, "no maps today") : 0;
}

static void applier_new(struct fixture *fixture)
{
    fixture->hooks.context = fixture;
    fixture->hooks.prepare = prepare;
    apply_init(&fixture->applier, fixture->run_dir, fixture->state_dir, fixture->board, &fixture->hooks);
}

void fixture_open(struct fixture *fixture)
{
    struct sl_error error = {{0}};

    memset(fixture, 0, sizeof(*fixture));
    strcpy(fixture->dir, "/dev/shm/sluice-control-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    snprintf(fixture->run_dir, sizeof(fixture->run_dir), "%s/run", fixture->dir);
    snprintf(fixture->state_dir, sizeof(fixture->state_dir), "%s/state", fixture->dir);
    assert_int_equal(sl_run_dir_make(fixture->run_dir, &error), 0);
    assert_int_equal(state_dir_make(fixture->state_dir, &error), 0);
    assert_int_equal(sl_board_open(fixture->run_dir, &fixture->board, &error), 0);
    fixture->now_ns = 1000 * SECOND_NS;
    applier_new(fixture);
}

static void remove_tree(const char *path)
{
    DIR *folder = opendir(path);
    char name[4096];

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (unlink(name) < 0)
            remove_tree(name);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

void fixture_close(struct fixture *fixture)
{
    apply_fini(&fixture->applier);
    sl_board_close(fixture->board);
    remove_tree(fixture->dir);
}

enum take_up fixture_restart(struct fixture *fixture)
{
    struct sl_error notes;

    apply_fini(&fixture->applier);
    applier_new(fixture);
    enum take_up what = apply_take_up(&fixture->applier, fixture->now_ns, &notes);
    fixture->applier.done = fixture_done;
    fixture->applier.done_context = fixture;
    return what;
}

void fixture_dp_start(struct fixture *fixture, uint32_t workers)
{
    sl_board_dp_start(fixture->board, (uint32_t)getpid(), workers, 1000000000, sl_board_now_ns());
}

void fixture_dp_beat(struct fixture *fixture)
{
    sl_board_dp_beat(fixture->board, sl_board_now_ns());
    for (uint32_t i = 0; i < fixture->board->worker_count; i++)
        fixture->board->worker[i].bursts++;
}

void fixture_dp_take(struct fixture *fixture)
{
    struct sl_generation_maps maps;
    struct sl_error error = {{0}};
    uint64_t published = fixture->board->published;

    if (sl_generation_open(fixture->run_dir, published, &maps, &error))
        fail_msg("generation %llu: %s", (unsigned long long)published, error.text);
    sl_generation_close(&maps);
    fixture_dp_beat(fixture);
    sl_board_dp_loaded(fixture->board, published);
    for (uint32_t i = 0; i < fixture->board->worker_count; i++)
        sl_board_worker_live(&fixture->board->worker[i], published);
}

void fixture_dp_refuse(struct fixture *fixture, const char *why)
{
    fixture_dp_beat(fixture);
    sl_board_dp_refuse(fixture->board, fixture->board->published, why);
}

void fixture_done(void *context, const struct apply_outcome *outcome)
{
    struct fixture *fixture = context;

    fixture->done++;
    fixture->outcome = *outcome;
    fixture->errors = outcome->diag.errors;
}

int fixture_apply_request(struct fixture *fixture, struct apply_request *request)
{
    if (!request->path)
        request->path = "test.yaml";
    request->length = request->text ? strlen(request->text) : 0;
    request->user = "tester";
    return apply_start(&fixture->applier, request, fixture->now_ns, fixture_done, fixture);
}

int fixture_apply(struct fixture *fixture, const char *text, uint32_t confirm_s)
{
    struct apply_request request = {.text = text, .confirm_s = confirm_s};

    return fixture_apply_request(fixture, &request);
}

void fixture_tick(struct fixture *fixture)
{
    apply_tick(&fixture->applier, fixture->now_ns);
}

bool fixture_apply_live(struct fixture *fixture, const char *text)
{
    unsigned before = fixture->done;

    if (fixture_apply(fixture, text, 0))
        return false;
    if (fixture->board->worker_count)
        fixture_dp_take(fixture);
    fixture_tick(fixture);
    return fixture->done == before + 1 && fixture->outcome.status == APPLY_OK;
}

unsigned fixture_lookup(struct fixture *fixture, const char *address)
{
    struct sl_generation_maps maps;
    struct sl_error error = {{0}};
    struct sl_ip ip;

    assert_int_equal(sl_ip_parse(address, &ip), 0);
    if (sl_generation_open(fixture->run_dir, fixture->board->published, &maps, &error))
        fail_msg("%s", error.text);
    const struct sl_route_table *table = maps.table[SL_SEG_ROUTE].base;
    const struct sl_lpm *lpm = (const void *)((const char *)table + table->lpm_offset);
    bool v4 = sl_ip_is_v4(&ip);
    uint32_t leaf = sl_lpm_lookup(lpm, v4 ? &lpm->v4 : &lpm->v6, v4 ? &ip.b[12] : ip.b);
    const struct sl_nexthop *hop = sl_route_nexthop(table, leaf, 0);
    unsigned answer = hop->kind * 256u + (hop->kind == SL_NEXTHOP_GATEWAY ? hop->gateway.b[15] : 0);
    sl_generation_close(&maps);
    return answer;
}

unsigned fixture_files(const struct fixture *fixture, const char *start)
{
    unsigned count = 0;
    DIR *folder = opendir(fixture->run_dir);

    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += strncmp(entry->d_name, start, strlen(start)) == 0;
    if (folder)
        closedir(folder);
    return count;
}

const char *fixture_config(const char *more, char out[4096])
{
    snprintf(out, 4096,
             "sluice: 1\n"
             "ports:\n"
             "  - {name: lan, device: 'null:', addresses: [10.0.0.1/24, 'fd00::1/64']}\n"
             "  - {name: wan, device: 'null:', addresses: [198.51.100.1/24, '2001:db8:100::1/64']}\n"
             "%s",
             more);
    return out;
}
