// SPDX-License-Identifier: Apache-2.0
// Sets of prefixes for the prefilter: collected from lists and files, normalised to the fewest prefixes that
// cover the same addresses, built into an LPM blob. Control, any thread.
#ifndef SL_TABLE_PREFIX_SET_H
#define SL_TABLE_PREFIX_SET_H

#include <stddef.h>
#include "base/ip.h"
#include "table/lpm_build.h"

struct sl_prefix_set {        // all zero is an empty set
    struct sl_lpm_item *item; // value 1
    size_t count, room;
    size_t count_v4, count_v6; // after sl_prefix_set_finish()
    struct sl_lpm_plan plan;   // after sl_prefix_set_finish()
};

struct sl_prefix_set_error {
    size_t line;    // from 1
    char text[128]; // what is wrong with it and how to mend it, without the line's number
};

void sl_prefix_set_fini(struct sl_prefix_set *set);

// 0 or -ENOMEM. Host bits must be zero (sl_prefix_parse() sees to it).
int sl_prefix_set_add(struct sl_prefix_set *set, const struct sl_prefix *prefix);

// Adds a prefix or address a line; '#' starts a comment, blanks around and empty lines do not matter, lines
// may end in CR LF. 0; -ENOMEM; -EINVAL: *error tells the first bad line, lines before it were added.
int sl_prefix_set_parse(struct sl_prefix_set *set, const char *text, size_t length,
                        struct sl_prefix_set_error *error);

// The same from a file. Errors of open and read as -errno, with error->line 0 and a sentence naming the path.
int sl_prefix_set_read(struct sl_prefix_set *set, const char *path, struct sl_prefix_set_error *error);

// Sorts, drops what others cover, joins neighbors, sizes. 0 or -ENOMEM.
int sl_prefix_set_finish(struct sl_prefix_set *set);

// Bytes of the blob, a multiple of 64. Finished sets only.
uint64_t sl_prefix_set_size(const struct sl_prefix_set *set);
// Builds the blob; see sl_lpm_build(). `blob` zeroed, 64-byte aligned, of that size.
int sl_prefix_set_build(const struct sl_prefix_set *set, void *blob, uint64_t size);

// Whether a blob's set contains an address.
bool sl_prefix_set_contains(const struct sl_lpm *blob, const struct sl_ip *ip);

#endif
