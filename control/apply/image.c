// SPDX-License-Identifier: Apache-2.0
// See image.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "apply/image.h"
#include "shm/layout.h"

static size_t aligned(size_t size)
{
    return (size + SL_CACHE_LINE - 1) & ~(size_t)(SL_CACHE_LINE - 1);
}

int image_init(struct image *image, size_t size)
{
    image->size = image->room = aligned(size);
    image->bytes = aligned_alloc(SL_CACHE_LINE, image->room);
    if (!image->bytes)
        return -ENOMEM;
    memset(image->bytes, 0, image->room);
    return 0;
}

void image_fini(struct image *image)
{
    free(image->bytes);
    memset(image, 0, sizeof(*image));
}

static int image_reserve(struct image *image, size_t need)
{
    if (need <= image->room)
        return 0;
    size_t room = image->room;
    while (room < need)
        room *= 2;
    uint8_t *bytes = aligned_alloc(SL_CACHE_LINE, room);
    if (bytes)
        memcpy(bytes, image->bytes, image->size);
    free(image->bytes);
    image->bytes = bytes;
    image->room = room;
    return bytes ? 0 : -ENOMEM;
}

uint64_t image_append(struct image *image, const void *from, size_t count, size_t each)
{
    size_t len = count * each, offset = image->size;

    if (!image->bytes || image_reserve(image, offset + aligned(len)))
        return 0;
    memset(image->bytes + offset, 0, aligned(len));
    if (from && len)
        memcpy(image->bytes + offset, from, len);
    image->size = offset + aligned(len);
    return offset;
}

uint64_t image_hash(const struct image *image)
{
    size_t head = sizeof(struct sl_segment);

    return XXH3_64bits(image->bytes + head, image->size - head);
}
