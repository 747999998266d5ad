// SPDX-License-Identifier: Apache-2.0
// The transaction's way back. Called by apply.c alone.
#ifndef APPLY_REVERT_H
#define APPLY_REVERT_H

#include "apply/apply.h"

// Nothing was published: puts back what was changed in place and in the XDP maps.
void revert_unpublished(struct applier *applier);
// The candidate was published and did not get live: publishes the old tables again, and waits (APPLY_REVERTING).
void revert_published(struct applier *applier, uint64_t now_ns);
// Ends the transaction as refused once the old tables are live again, or cannot be.
void revert_await(struct applier *applier, uint64_t now_ns);

#endif
