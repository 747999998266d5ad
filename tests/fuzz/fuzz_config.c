// SPDX-License-Identifier: Apache-2.0
// Fuzzes the config loader. What it accepts must print, and the printed text must load to the same again.
#include <stdlib.h>
#include <string.h>

#include "config/load.h"
#include "config/print.h"
#include "fuzz.h"

static void assert_printing_is_loading(const struct sl_config *config)
{
    struct sl_diagnostics diag;
    struct sl_config *again;
    size_t length;
    char *text = sl_config_print(config, false, &length);

    sl_diag_init(&diag);
    if (!text || sl_config_load_text(text, length, "printed", NULL, &again, &diag) != 0 ||
        !sl_config_equal(config, again))
        abort();
    sl_config_free(again);
    sl_diag_fini(&diag);
    free(text);
}

static void load(const char *text, size_t size)
{
    struct sl_diagnostics diag;
    struct sl_config *config;

    sl_diag_init(&diag);
    if (sl_config_load_text(text, size, "fuzz", NULL, &config, &diag) == 0) {
        assert_printing_is_loading(config);
        sl_config_free(config);
    }
    sl_diag_fini(&diag);
}

// As it is, which libyaml mostly refuses for its bytes, and with those bytes turned into what means something in YAML.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char letters[] = "\n :-[]{},\"'#&*!|>%@0123456789abcdefx./";
    char *text = malloc(size + 1);

    if (!text)
        abort();
    for (size_t i = 0; i < size; i++)
        text[i] = data[i] < ' ' || data[i] > '~' ? letters[data[i] % (sizeof(letters) - 1)] : (char)data[i];
    text[size] = '\0';
    // A mutated name of a file must not make the fuzzer read the machine's: there are none in the seeds.
    if (size <= 1 << 16 && !strstr(text, "file") && !memmem(data, size, "file", 4)) {
        load((const char *)data, size);
        load(text, size);
    }
    free(text);
    return 0;
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    static const char *const seeds[] = {
        "sluice: 1\nports:\n- {name: lan, device: \"af_xdp:l\", addresses: [10.0.0.1/24, fd00::1/64], mtu: "
        "1400}\n"
        "- name: wan\n  device: pci:0000:03:00.0\n  addresses: [198.51.100.1/24]\n  mss-clamp: auto\n"
        "routes: [{prefix: 0.0.0.0/0, via: [{address: 198.51.100.2, weight: 3}, {port: wan}]}]\n"
        "neighbors: [{address: 10.0.0.9, port: lan, mac: \"02:00:00:00:00:01\"}]\n",
        "sluice: 1\nports: [{name: wan, device: 'tap:x', addresses: [198.51.100.1/24]}]\nnat:\n  pools:\n"
        "  - {name: p, addresses: [198.51.100.8/29, 198.51.100.20-198.51.100.30, 198.51.100.40]}\n"
        "  source: [{inside: [10.0.0.0/8], port: wan, pool: p}]\n"
        "  static: [{inside: 10.0.0.5, outside: 198.51.100.50}]\n"
        "  forwards: [{name: w, protocol: tcp, outside: \"198.51.100.8:80-90\", inside: \"10.0.0.6:80\"}]\n"
        "  timeouts: {udp: 200, tcp-established: 7440}\n",
        "{\"sluice\": 1, \"ports\": [{\"name\": \"a\", \"device\": \"null:\"}], \"prefilter\": {\"sets\": "
        "[{\"name\": \"s\", "
        "\"prefixes\": [\"203.0.113.0/24\", \"2001:db8::/32\"]}], \"ports\": [{\"port\": \"a\", \"rules\": "
        "[{\"deny\": "
        "\"s\"}], \"default\": \"allow\"}]}, \"flow\": {\"capacity\": 4096}, \"icmp\": {\"error-rate\": 0}}",
        "&a [*a, !!int 1, \"\\x00\", 'b', |\n  c\n]\n",
    };

    if (index >= sizeof(seeds) / sizeof(seeds[0]))
        return NULL;
    *size = strlen(seeds[index]);
    return (uint8_t *)strdup(seeds[index]);
}
