// SPDX-License-Identifier: Apache-2.0
// Large zeroed arrays of the process's own, for what is derived from session files: taken once at start, in huge
// pages where there are any, touched at once so that no packet waits for a page. Main thread.
#ifndef FLOW_MEMORY_H
#define FLOW_MEMORY_H

#include <stddef.h>

// NULL: no memory. Aligned to 2 MB where it is at least as large, to a page otherwise.
void *flow_memory_new(size_t size_bytes);
void flow_memory_free(void *memory, size_t size_bytes);

#endif
