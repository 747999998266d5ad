// SPDX-License-Identifier: Apache-2.0
// A table of bad configs and what is said of each, run as a test each. For config_faults*.c.
#ifndef UNIT_CONFIG_FAULT_H
#define UNIT_CONFIG_FAULT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "config/load.h"

// Two ports on four lines, for what needs some.
#define PORTS                                                                                                \
    "sluice: 1\n"                                                                                            \
    "ports:\n"                                                                                               \
    "- {name: lan, device: \"af_xdp:l\", addresses: [10.0.0.1/24, fd00::1/64]}\n"                            \
    "- {name: wan, device: \"af_xdp:w\", addresses: [198.51.100.1/24]}\n"

struct fault {
    const char *name;
    const char *config;
    const char *said;
};

static void says_where_what_and_how_to_mend(void **state)
{
    const struct fault *fault = *state;
    struct sl_diagnostics diag;
    struct sl_config *config;
    char *said = NULL;
    size_t length;

    sl_diag_init(&diag);
    int error = sl_config_load_text(fault->config, strlen(fault->config), "c", NULL, &config, &diag);
    FILE *out = open_memstream(&said, &length);
    sl_diag_print(&diag, out);
    fclose(out);

    assert_string_equal(said, fault->said);
    assert_int_equal(error, diag.errors ? -EINVAL : 0);
    assert_true(diag.errors ? config == NULL : config != NULL);
    free(said);
    sl_config_free(config);
    sl_diag_fini(&diag);
}

#define FAULTS_MOST 256

static inline int run_faults(const char *group, const struct fault *faults, size_t count)
{
    struct CMUnitTest tests[FAULTS_MOST];

    assert_true(count <= FAULTS_MOST);
    for (size_t i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){faults[i].name, says_where_what_and_how_to_mend, NULL, NULL,
                                       (void *)(uintptr_t)&faults[i]};
    return _cmocka_run_group_tests(group, tests, count, NULL, NULL);
}

#endif
