// SPDX-License-Identifier: Apache-2.0
// Fuzzes the route-file reader. What it hands out must be within bounds, and each line is either handed out or told.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/route_file.h"
#include "fuzz.h"

static int look(void *context, const struct sl_route_line *line)
{
    char text[SL_PREFIX_TEXT];
    struct sl_prefix again;
    unsigned *last = context;

    // Lines come in order; the prefix prints to itself; a way has a gateway or a port, a drop neither.
    bool way = line->has_gateway || line->port[0];
    if (line->line <= *last || strnlen(line->port, sizeof(line->port)) == sizeof(line->port) ||
        line->weight < 1 || line->weight > 256 || (line->kind == SL_CONFIG_ROUTE_VIA) != way ||
        sl_prefix_parse(sl_prefix_format(&line->prefix, text), &again) != 0 ||
        sl_prefix_compare(&again, &line->prefix) != 0)
        abort();
    *last = line->line;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_diagnostics diag;
    unsigned last = 0;
    char *text = malloc(size ? size : 1); // exactly: a sanitizer sees one byte too far

    if (!text)
        abort();
    memcpy(text, data, size);
    sl_diag_init(&diag);
    int error = sl_route_text_read(text, size, "fuzz", look, &last, &diag);
    if ((error == -EINVAL) != (diag.errors > 0) || (error != 0 && error != -EINVAL))
        abort();
    sl_diag_fini(&diag);
    free(text);
    return 0;
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    static const char *const seeds[] = {
        "# routes\n10.0.0.0/8 via 192.0.2.1\n10.1.0.0/16\tvia 192.0.2.1 port wan weight 256 # fast\r\n",
        "::/0 via fe80::1 port wan\n2001:db8::/32 blackhole\n192.0.2.0/24 reject\n203.0.113.7/32 port lan\n",
        "0.0.0.0/0 via 255.255.255.255\n1.2.3.4/32 blackhole",
    };

    if (index >= sizeof(seeds) / sizeof(seeds[0]))
        return NULL;
    *size = strlen(seeds[index]);
    return (uint8_t *)strdup(seeds[index]);
}
