// SPDX-License-Identifier: Apache-2.0
// See snapshot.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "apply/snapshot.h"
#include "config/print.h"

uint64_t route_plan_hash(const struct route_plan *plan)
{
    uint64_t hash = plan->count;

    for (unsigned i = 0; i < plan->count; i++)
        hash = XXH3_64bits_withSeed(&plan->layer[i]->identity, sizeof(uint64_t), hash);
    return hash;
}

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    sl_config_free(snapshot->config);
    stored_fini(&snapshot->stored);
    route_plan_fini(&snapshot->plan);
    balance_slots_fini(&snapshot->balance);
    free(snapshot);
}

static int snapshot_print(struct snapshot *snapshot, struct sl_error *error)
{
    struct stored *stored = &snapshot->stored;

    stored->text = sl_config_print(snapshot->config, false, &stored->length);
    if (!stored->text)
        return sl_error_set(error, -ENOMEM, "out of memory");
    stored->hash = XXH3_64bits(stored->text, stored->length);
    return 0;
}

typedef int (*compile_fn)(const struct sl_config *, const struct slots *, struct image *, struct sl_error *);

static const struct {
    compile_fn compile;
    enum sl_segment_kind kind;
} compiled_whole[SNAPSHOT_TABLES] = {
    [SNAPSHOT_PORT] = {compile_port, SL_SEG_PORT},
    [SNAPSHOT_NAT] = {compile_nat, SL_SEG_NAT},
    [SNAPSHOT_PREFILTER] = {compile_prefilter, SL_SEG_PREFILTER},
};

// Port and NAT tables are small: compiling them is the quickest way to know what they would be.
static int input_of_small(struct snapshot *snapshot, enum snapshot_table which, struct sl_error *error)
{
    struct image image;
    int rc = compiled_whole[which].compile(snapshot->config, &snapshot->slots, &image, error);

    if (rc == 0) {
        snapshot->table[which].input = image_hash(&image);
        image_fini(&image);
    }
    return rc;
}

// States of members are no part of it: they reach the table in place.
static int input_of_balance(struct snapshot *snapshot, const struct snapshot *before, struct sl_error *error)
{
    static const struct balance_slots none;
    struct compiled_balance compiled;

    int rc =
        balance_slots_assign(&snapshot->balance, before ? &before->balance : &none, snapshot->config, error);
    if (rc || !config_has_balance(snapshot->config))
        return rc;
    rc = compile_balance(snapshot->config, &snapshot->balance, &compiled, error);
    if (rc == 0) {
        snapshot->table[SNAPSHOT_BALANCE].input = compiled_balance_hash(&compiled);
        compiled_balance_fini(&compiled);
    }
    return rc;
}

static int snapshot_inputs(struct snapshot *snapshot, const struct snapshot *before, struct sl_error *error)
{
    int rc = input_of_small(snapshot, SNAPSHOT_PORT, error);

    if (rc == 0)
        rc = input_of_small(snapshot, SNAPSHOT_NAT, error);
    if (rc == 0)
        rc = input_of_balance(snapshot, before, error);
    if (rc == 0)
        rc = route_plan_compile(snapshot->config, &snapshot->slots, before ? &before->plan : NULL,
                                &snapshot->plan, error);
    if (rc)
        return rc;
    snapshot->table[SNAPSHOT_PREFILTER].input = compile_prefilter_hash(snapshot->config, &snapshot->slots);
    snapshot->table[SNAPSHOT_ROUTE].input = route_plan_hash(&snapshot->plan);
    snapshot->stored.prefilter_hash = snapshot->table[SNAPSHOT_PREFILTER].input;
    snapshot->stored.route_hash = snapshot->table[SNAPSHOT_ROUTE].input;
    snapshot->stored.balance_hash = snapshot->table[SNAPSHOT_BALANCE].input;
    return 0;
}

struct snapshot *snapshot_new(struct sl_config *config, const struct snapshot *before, struct sl_error *error)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

    if (!snapshot) {
        sl_config_free(config);
        sl_error_set(error, -ENOMEM, "out of memory");
        return NULL;
    }
    snapshot->config = config;
    if (before)
        snapshot->slots = before->slots;
    int rc = snapshot_print(snapshot, error);
    if (rc == 0)
        rc = slots_assign(&snapshot->slots, config, error);
    if (rc == 0)
        rc = snapshot_inputs(snapshot, before, error);
    if (rc) {
        snapshot_free(snapshot);
        return NULL;
    }
    for (unsigned i = 0; before && i < SNAPSHOT_TABLES; i++)
        if (before->table[i].input == snapshot->table[i].input)
            snapshot->table[i].ref = before->table[i].ref;
    return snapshot;
}

void snapshot_forget_tables(struct snapshot *snapshot)
{
    for (unsigned i = 0; i < SNAPSHOT_TABLES; i++)
        memset(&snapshot->table[i].ref, 0, sizeof(snapshot->table[i].ref));
}

bool snapshot_same_tables(const struct snapshot *a, const struct snapshot *b)
{
    for (unsigned i = 0; i < SNAPSHOT_TABLES; i++)
        if (a->table[i].input != b->table[i].input)
            return false;
    return true;
}

int snapshot_build(struct snapshot *snapshot, const char *run_dir, struct sl_board *board, unsigned *built,
                   struct sl_error *error)
{
    for (unsigned i = 0; i < SNAPSHOT_TABLES; i++) {
        struct image image;
        if (!compiled_whole[i].compile || snapshot->table[i].ref.serial)
            continue;
        int rc = compiled_whole[i].compile(snapshot->config, &snapshot->slots, &image, error);
        if (rc)
            return rc;
        rc = sl_table_write(run_dir, board, compiled_whole[i].kind, image.bytes, image.size,
                            &snapshot->table[i].ref, error);
        image_fini(&image);
        if (rc)
            return rc;
        *built |= 1u << i;
    }
    return 0;
}

int snapshot_publish(struct snapshot *snapshot, const char *run_dir, struct sl_board *board,
                     struct sl_error *error)
{
    struct sl_table_ref refs[SNAPSHOT_TABLES];
    unsigned count = 0;

    for (unsigned i = 0; i < SNAPSHOT_TABLES; i++)
        if (snapshot->table[i].ref.serial)
            refs[count++] = snapshot->table[i].ref;
    return sl_generation_publish(run_dir, board, refs, count, snapshot->stored.hash, &snapshot->generation,
                                 error);
}
