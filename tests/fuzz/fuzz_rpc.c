// SPDX-License-Identifier: Apache-2.0
// The control socket's reader: whatever a client sends, cut wherever. A message that is read must come back the same
// after it was written and read again.
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"
#include "rpc/rpc.h"

// The first byte is how many bytes a read gives at most; 0: all at once.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_rpc_reader reader;
    int rc = 0;

    if (size < 1)
        return 0;
    size_t piece = data[0] ? data[0] : size;
    sl_rpc_reader_init(&reader);
    for (size_t at = 1; at < size && rc >= 0;) {
        size_t taken, n = size - at < piece ? size - at : piece;
        rc = sl_rpc_reader_feed(&reader, data + at, n, &taken);
        if (taken > n || (rc == 0 && taken == 0) || reader.body_have > reader.body_room)
            abort();
        at += taken;
        json_t *message = NULL, *again = NULL;
        if (rc != 1 || sl_rpc_reader_take(&reader, &message, NULL))
            continue;
        char *frame;
        size_t len;
        if (sl_rpc_encode(message, &frame, &len) || sl_rpc_reader_feed(&reader, frame, len, &taken) != 1 ||
            taken != len || sl_rpc_reader_take(&reader, &again, NULL) || !json_equal(message, again))
            abort();
        free(frame);
        json_decref(message);
        json_decref(again);
    }
    sl_rpc_reader_fini(&reader);
    return 0;
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    static const char *const seeds[] = {
        "{\"command\":\"status\"}",
        "{\"command\":\"config.apply\",\"text\":\"sluice: 1\\nports: []\\n\",\"confirm_s\":60,\"dry\":true}",
        "{\"command\":\"flow\",\"filter\":{\"inside\":\"10.0.0.0/8\",\"worker\":0},\"limit\":1e2}",
        "{\"a\":[[[{\"b\":[null,true,-1.5e-7,\"\\u20ac\\ud83d\\ude00\"]}]]]}",
    };

    if (index >= sizeof(seeds) / sizeof(seeds[0]))
        return NULL;
    uint32_t len = (uint32_t)strlen(seeds[index]);
    uint8_t *seed = malloc(5 + len);
    if (!seed)
        abort();
    seed[0] = (uint8_t)(index * 3);
    seed[1] = (uint8_t)(len >> 24);
    seed[2] = (uint8_t)(len >> 16);
    seed[3] = (uint8_t)(len >> 8);
    seed[4] = (uint8_t)len;
    memcpy(seed + 5, seeds[index], len);
    *size = 5 + len;
    return seed;
}
