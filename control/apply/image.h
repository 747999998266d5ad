// SPDX-License-Identifier: Apache-2.0
// A table being compiled in private memory: header first, arrays behind it, each 64-byte aligned, the whole grown as
// needed. Its hash tells whether the running table already says the same. Pure; main thread.
#ifndef APPLY_IMAGE_H
#define APPLY_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct image {
    uint8_t *
        bytes; // 64-byte aligned, from aligned_alloc; NULL where memory ran out (every later call is harmless)
    size_t size; // a multiple of 64
    size_t room;
};

// An image of one struct of `size` bytes, zeros. 0 or -ENOMEM.
int image_init(struct image *image, size_t size);
void image_fini(struct image *image);
// Appends `count` elements of `each` bytes (zeros where `from` is NULL). Returns the offset of the first, 0 where
// memory ran out. Pointers into the image are invalid afterwards.
uint64_t image_append(struct image *image, const void *from, size_t count, size_t each);
// XXH3 of what stands behind the segment header.
uint64_t image_hash(const struct image *image);

#endif
