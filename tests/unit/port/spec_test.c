// SPDX-License-Identifier: Apache-2.0
// `device:` texts: what DPDK is told, and what the operator is told where it cannot be.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "port/spec.h"
#include "process/options.h"

static int parse(const char *device, struct port_spec *spec, struct sl_error *error)
{
    struct port_wish wish = {.device = device, .slot = 3, .queues = 2, .xdp_prog = "/lib/x.o"};
    return port_spec_parse(&wish, spec, error);
}

static void each_kind_becomes_its_dpdk_device(void **state)
{
    static const struct {
        const char *device, *bus, *name, *args, *interface;
    } row[] = {
        {"af_xdp:eth0", "vdev", "net_af_xdp3", "iface=eth0,queue_count=2,xdp_prog=/lib/x.o", "eth0"},
        {"af_packet:eth0", "vdev", "net_af_packet3", "iface=eth0,qpairs=2", "eth0"},
        {"tap:t0", "vdev", "net_tap3", "iface=t0", "t0"},
        {"pci:0000:03:00.1", "pci", "0000:03:00.1", "", ""},
        {"pci:3:0.1", "pci", "0000:03:00.1", "", ""},
        {"memif:/run/m.sock", "vdev", "net_memif3", "socket=/run/m.sock,role=client,socket-abstract=no", ""},
        {"memif:/run/m,role=server", "vdev", "net_memif3", "socket=/run/m,role=server,socket-abstract=no",
         ""},
        {"pcap:a.pcap,b.pcap", "vdev", "net_pcap3", "rx_pcap=a.pcap,tx_pcap=b.pcap", ""},
        {"null:", "vdev", "net_null3", "size=64", ""},
        {"null:size=1500", "vdev", "net_null3", "size=1500", ""},
        {"ring:r", "vdev", "net_ring3", "", ""},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct port_spec spec;
        struct sl_error error = {0};
        if (parse(row[i].device, &spec, &error) != 0)
            fail_msg("%s: %s", row[i].device, error.text);
        assert_string_equal(spec.bus, row[i].bus);
        assert_string_equal(spec.name, row[i].name);
        assert_string_equal(spec.args, row[i].args);
        assert_string_equal(spec.interface, row[i].interface);
    }
}

static void a_device_that_cannot_be_is_refused_with_its_form(void **state)
{
    static const char *const bad[] = {
        "",
        "eth0",
        "af_xdp",
        "af_xdp:",
        "af_xdp:eth0,shared_umem=1",
        "af_xdp:a/b",
        "af_xdp:a b",
        "xdp:eth0",
        "pci:",
        "pci:0000:03:00",
        "pci:3:0.1x",
        "memif:",
        "memif:/s,id=7",
        "pcap:a",
        "pcap:a,",
        "pcap:,b",
        "pcap:a,b,c",
        "null:size=5000",
        "null:size=64x",
        "null:x",
        "ring:",
        "ring:a,b",
        "af_xdp:abcdefghijklmnop",
        "AF_XDP:eth0",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct port_spec spec;
        struct sl_error error = {0};
        if (parse(bad[i], &spec, &error) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
        assert_non_null(strstr(error.text, bad[i])); // names what is wrong
        assert_non_null(strchr(error.text, ':'));    // and shows how it is written
    }
}

static void a_socket_path_longer_than_a_socket_may_have_is_refused(void **state)
{
    char device[200] = "memif:/";
    struct port_spec spec;
    struct sl_error error;
    memset(device + 7, 'x', 107);
    assert_int_equal(parse(device, &spec, &error), -EINVAL);
    device[6 + 107] = '\0';
    assert_int_equal(parse(device, &spec, &error), 0);
}

static void without_an_xdp_program_the_driver_uses_its_own(void **state)
{
    struct port_wish wish = {.device = "af_xdp:eth0", .slot = 0, .queues = 1};
    struct port_spec spec;
    assert_int_equal(port_spec_parse(&wish, &spec, NULL), 0);
    assert_string_equal(spec.args, "iface=eth0,queue_count=1");
}

static void a_list_of_cores_is_read(void **state)
{
    uint16_t core[SL_MAX_WORKERS];
    assert_int_equal(eal_cores_parse("3", core), 1);
    assert_int_equal(core[0], 3);
    assert_int_equal(eal_cores_parse("1,4-6,2", core), 5);
    static const uint16_t wanted[] = {1, 4, 5, 6, 2};
    assert_memory_equal(core, wanted, sizeof(wanted));
}

static void a_list_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"",   ",",   "1,",  ",1",   "a",       "1-",
                                      "-1", "3-1", "1;2", "0-64", "0-63,64", "99999"};
    uint16_t core[SL_MAX_WORKERS];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (eal_cores_parse(bad[i], core) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_becomes_its_dpdk_device),
        cmocka_unit_test(a_device_that_cannot_be_is_refused_with_its_form),
        cmocka_unit_test(a_socket_path_longer_than_a_socket_may_have_is_refused),
        cmocka_unit_test(without_an_xdp_program_the_driver_uses_its_own),
        cmocka_unit_test(a_list_of_cores_is_read),
        cmocka_unit_test(a_list_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
