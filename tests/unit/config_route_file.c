// SPDX-License-Identifier: Apache-2.0
// Route files: what a line may be, what is said of those that are not, and that a million are quick.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "config/load.h"
#include "config/route_file.h"

static int keep_last(void *context, const struct sl_route_line *line)
{
    *(struct sl_route_line *)context = *line;
    return 0;
}

static struct sl_route_line read_one(const char *text)
{
    struct sl_route_line line = {0};

    assert_int_equal(sl_route_text_read(text, strlen(text), "r", keep_last, &line, NULL), 0);
    return line;
}

static void a_route_has_a_gateway_a_port_and_a_weight(void **state)
{
    struct sl_route_line line =
        read_one("# head\n\n  192.0.2.0/24\tvia 10.0.0.2 port wan weight 256 # tail\r\n");
    char text[SL_PREFIX_TEXT], address[SL_IP_TEXT];

    assert_string_equal(sl_prefix_format(&line.prefix, text), "192.0.2.0/24");
    assert_string_equal(sl_ip_format(&line.gateway, address), "10.0.0.2");
    assert_string_equal(line.port, "wan");
    assert_int_equal(line.weight, 256);
    assert_int_equal(line.line, 3);
    assert_int_equal(line.prefix_column, 3);
    assert_int_equal(line.gateway_column, 20);
}

static void a_route_may_drop_or_be_on_a_link(void **state)
{
    assert_int_equal(read_one("::/0 blackhole").kind, SL_CONFIG_ROUTE_BLACKHOLE);
    assert_int_equal(read_one("2001:db8::/32 reject\n").kind, SL_CONFIG_ROUTE_REJECT);
    struct sl_route_line line = read_one("192.0.2.0/24 port lan");
    assert_false(line.has_gateway);
    assert_string_equal(line.port, "lan");
}

static void each_wrong_line_is_told_with_its_column(void **state)
{
    static const char text[] = "192.0.2.1/24 via 10.0.0.2\n"
                               "192.0.2.0/33 via 10.0.0.2\n"
                               "192.0.2/24 via 10.0.0.2\n"
                               "192.0.2.0/24 over 10.0.0.2\n"
                               "192.0.2.0/24 via 10.0.0\n"
                               "192.0.2.0/24 via\n"
                               "192.0.2.0/24\n"
                               "192.0.2.0/24 reject now\n"
                               "192.0.2.0/24 via 10.0.0.2 weight 0\n"
                               "192.0.2.0/24 via 10.0.0.2 port averyverylongname\n"
                               "192.0.2.0/24 via 10.0.0.2 via 10.0.0.3\n"
                               "010.0.2.0/24 blackhole\n";
    static const char grammar[] =
        "; a line is: PREFIX via ADDRESS [port PORT] [weight N], PREFIX port PORT, PREFIX "
        "blackhole, or PREFIX reject\n";
    struct sl_diagnostics diag;
    char expected[4096], *said = NULL;
    size_t length;

    snprintf(
        expected, sizeof(expected),
        "r:1:1: '192.0.2.1/24' has bits set beyond its length; write 192.0.2.0/24\n"
        "r:2:1: '192.0.2.0/33' has a prefix length that is too large; IPv4 has 32 bits, IPv6 128\n"
        "r:3:1: '192.0.2/24' is not a prefix; write one like 192.0.2.0/24 or 2001:db8::/32\n"
        "r:4:14: 'over' does not belong here%s"
        "r:5:18: '10.0.0' is not an address; write an address like 192.0.2.1 behind 'via'\n"
        "r:6:17: the gateway's address is missing; write an address like 192.0.2.1 behind 'via'\n"
        "r:7:13: the route leads nowhere; add 'via ADDRESS', 'port PORT', 'blackhole' or 'reject'\n"
        "r:8:21: 'now' stands behind the end of the route; take it out\n"
        "r:9:34: '0' is not a weight; write 1 to 256\n"
        "r:10:32: 'averyverylongname' is too long for a port's name; a port's name has 1 to 15 characters\n"
        "r:11:27: 'via' does not belong here%s"
        "r:12:1: '010.0.2.0/24' is not a prefix; write one like 192.0.2.0/24 or 2001:db8::/32\n",
        grammar, grammar);
    sl_diag_init(&diag);
    assert_int_equal(sl_route_text_read(text, strlen(text), "r", NULL, NULL, &diag), -EINVAL);
    FILE *out = open_memstream(&said, &length);
    sl_diag_print(&diag, out);
    fclose(out);
    assert_string_equal(said, expected);
    free(said);
    sl_diag_fini(&diag);
}

static int stop_at_second(void *context, const struct sl_route_line *line)
{
    return line->line == 2 ? -ECANCELED : 0;
}

static void the_callback_may_stop_the_reading(void **state)
{
    static const char text[] = "10.0.0.0/8 reject\n11.0.0.0/8 reject\nnonsense\n";

    assert_int_equal(sl_route_text_read(text, strlen(text), "r", stop_at_second, NULL, NULL), -ECANCELED);
}

static void the_quick_reader_agrees_with_the_library(void **state)
{
    static const char letters[] = "0123456789./: :fa";
    unsigned seed = 1, good = 0;

    // Random near-prefixes: both readers take or refuse the same, and read the same.
    for (unsigned i = 0; i < 200000; i++) {
        char word[24], text[64];
        struct sl_route_line line = {0};
        struct sl_prefix prefix;
        int length = snprintf(word, sizeof(word), "%d.%d.%d.0/%d", rand_r(&seed) % 300, rand_r(&seed) % 300,
                              rand_r(&seed) % 300, rand_r(&seed) % 40);

        if (rand_r(&seed) % 2)
            word[rand_r(&seed) % length] = letters[rand_r(&seed) % (sizeof(letters) - 1)];
        if (strpbrk(word, " "))
            continue;
        snprintf(text, sizeof(text), "%s reject", word);
        int read = sl_route_text_read(text, strlen(text), "r", keep_last, &line, NULL);
        int parsed = sl_prefix_parse(word, &prefix);
        assert_int_equal(read == 0, parsed == 0);
        if (read == 0) {
            assert_int_equal(sl_prefix_compare(&line.prefix, &prefix), 0);
            good++;
        }
    }
    assert_true(good > 1000);
}

static int count_lines(void *context, const struct sl_route_line *line)
{
    (*(unsigned *)context)++;
    return 0;
}

// The time is printed, not judged: a noisy machine proves nothing. That every line is read is.
static void a_million_lines_are_read(void **state)
{
    enum { LINES = 1000000 };
    char *text = malloc((size_t)LINES * 48), *at = text;
    struct timespec start, end;
    unsigned lines = 0;

    assert_non_null(text);
    for (unsigned i = 0; i < LINES; i++)
        at += sprintf(at, "%u.%u.%u.%u/32 via 198.51.100.%u\n", 1 + i / 65536, i / 256 % 256, i % 256,
                      i % 251, 2 + i % 200);
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_int_equal(sl_route_text_read(text, (size_t)(at - text), "r", count_lines, &lines, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(lines, LINES);
    print_message("%d lines in %.3f s\n", LINES,
                  (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    free(text);
}

static void a_configs_route_files_are_checked_against_its_ports(void **state)
{
    static const char config_text[] =
        "sluice: 1\nports: [{name: wan, device: 'null:', addresses: [198.51.100.1/24]}]\n"
        "route-files: [r.txt]\n";
    char folder[] = "/tmp/sluice-config-XXXXXX", path[256], said[512];
    struct sl_diagnostics diag;
    struct sl_config *config;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/r.txt", folder);
    FILE *file = fopen(path, "w");
    fputs("10.0.0.0/8 via 198.51.100.2\n10.0.0.0/8 via 203.0.113.1\n11.0.0.0/8 via 198.51.100.2 port van\n",
          file);
    fclose(file);
    sl_diag_init(&diag);
    assert_int_equal(sl_config_load_text(config_text, strlen(config_text), "c", folder, &config, &diag),
                     -EINVAL);
    assert_int_equal(diag.errors, 2);
    sl_diag_format(&diag.list[0], said, sizeof(said));
    assert_non_null(strstr(said, "/r.txt:2:16: the gateway 203.0.113.1 is on no link of ours; "));
    sl_diag_format(&diag.list[1], said, sizeof(said));
    assert_non_null(strstr(said, "/r.txt:3:34: there is no port 'van'; "));
    sl_diag_fini(&diag);
    unlink(path);
    rmdir(folder);
}

static bool all_known(void *context, const struct sl_config *config)
{
    return true;
}

static bool none_known(void *context, const struct sl_config *config, const char *file)
{
    return false;
}

static void a_sets_files_are_read_too_unless_they_are_known(void **state)
{
    static const char config_text[] =
        "sluice: 1\nports: [{name: wan, device: 'null:'}]\nprefilter:\n"
        "  sets: [{name: s, files: [s.txt]}]\n  ports: [{port: wan, rules: [{deny: s}]}]\n";
    const struct sl_config_known known = {.route_file = none_known, .set_files = all_known};
    char folder[] = "/tmp/sluice-config-XXXXXX", path[256], said[512];
    struct sl_diagnostics diag;
    struct sl_config *config;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/s.txt", folder);
    FILE *file = fopen(path, "w");
    fputs("192.0.2.0/24\n# fine\n192.0.2.0/240\n", file);
    fclose(file);
    sl_diag_init(&diag);
    assert_int_equal(sl_config_load_text(config_text, strlen(config_text), "c", folder, &config, &diag),
                     -EINVAL);
    assert_int_equal(diag.errors, 1);
    sl_diag_format(&diag.list[0], said, sizeof(said));
    assert_non_null(strstr(said, "/s.txt:3:1: "));
    sl_diag_fini(&diag);

    assert_int_equal(
        sl_config_load_known("c", config_text, strlen(config_text), folder, &known, &config, &diag), 0);
    sl_config_free(config);
    sl_diag_fini(&diag);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_route_has_a_gateway_a_port_and_a_weight),
        cmocka_unit_test(a_route_may_drop_or_be_on_a_link),
        cmocka_unit_test(each_wrong_line_is_told_with_its_column),
        cmocka_unit_test(the_callback_may_stop_the_reading),
        cmocka_unit_test(the_quick_reader_agrees_with_the_library),
        cmocka_unit_test(a_million_lines_are_read),
        cmocka_unit_test(a_configs_route_files_are_checked_against_its_ports),
        cmocka_unit_test(a_sets_files_are_read_too_unless_they_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
