// SPDX-License-Identifier: Apache-2.0
// Memif ports whose socket is in the way, or not there yet: what is said, what is removed and what never is, and that
// the next attempt works once the cause is gone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <rte_eal.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include "port/device.h"
#include "port/memif.h"

static char root[64], path[96];
static struct device_context context = {.worker_count = 1};

static int eal_start(void **state)
{
    const char *argv[] = {"memif", "--no-huge", "--no-pci",       "--no-shconf", "-m",      "128",
                          "-l",    "0",         "--no-telemetry", "--log-level", "*:error", NULL};
    if (rte_eal_init((int)RTE_DIM(argv) - 1, (char **)argv) < 0)
        return -1;
    rte_log_set_level_pattern("*", RTE_LOG_ALERT); // what the driver says to each refusal
    context.pool = rte_pktmbuf_pool_create("memif", 4095, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
    return context.pool ? 0 : -1;
}

static int eal_stop(void **state)
{
    usleep(200000); // the driver's interrupt thread hears of the last hang-ups first: cleaning up under it fails, or ends
                    // the process
    rte_mempool_free(context.pool);
    rte_eal_cleanup();
    return 0;
}

static int directory_make(void **state)
{
    snprintf(root, sizeof(root), "/tmp/sluice-memif-XXXXXX");
    if (!mkdtemp(root))
        return -1;
    snprintf(path, sizeof(path), "%s/socket", root);
    return 0;
}

static int directory_remove(void **state)
{
    unlink(path);
    return rmdir(root);
}

static int port_open(uint16_t slot, bool server, struct device *device, struct sl_error *error)
{
    struct sl_port port = {.name = "m", .mtu = 1500, .queues = 1};
    snprintf(port.device, sizeof(port.device), "memif:%s,role=%s", path, server ? "server" : "client");
    return device_open(&context, &port, slot, device, error);
}

static void assert_refused(uint16_t slot, bool server, const char *words)
{
    struct device device;
    struct sl_error error = {0};
    assert_int_not_equal(port_open(slot, server, &device, &error), 0);
    if (!strstr(error.text, words))
        fail_msg("'%s' does not say '%s'", error.text, words);
}

static void assert_opens(uint16_t slot, bool server)
{
    struct device device;
    struct sl_error error = {0};
    if (port_open(slot, server, &device, &error) != 0)
        fail_msg("%s", error.text);
    device_close(&device);
}

// A socket that somebody bound; who closes its descriptor leaves the file, as who is killed does.
static int other_program(int type, bool listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    if (listens)
        assert_int_equal(listen(fd, 8), 0);
    return fd;
}

// To be called and left again kills a server that answers (SIGPIPE).
static void assert_not_called(int fd)
{
    struct pollfd call = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&call, 1, 0), 0);
}

static void server_takes_the_place_of_a_killed_one(void **state)
{
    close(other_program(SOCK_SEQPACKET, true));
    assert_int_equal(access(path, F_OK), 0);
    assert_opens(0, true);
    assert_int_equal(access(path, F_OK), -1); // the driver removed its own
}

static void server_leaves_a_living_one_alone(void **state)
{
    static const int type[] = {SOCK_SEQPACKET, SOCK_STREAM, SOCK_DGRAM};
    for (size_t i = 0; i < RTE_DIM(type); i++) {
        int fd = other_program(type[i], type[i] != SOCK_DGRAM);
        assert_refused(0, true, "another program listens");
        assert_int_equal(access(path, F_OK), 0);
        if (type[i] != SOCK_DGRAM)
            assert_not_called(fd);
        close(fd);
        assert_opens(0, true);
    }
}

static void server_never_removes_what_is_no_socket(void **state)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_refused(0, true, "no socket");
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_refused(0, true, "no socket");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(0, true, "no socket");
    assert_int_equal(rmdir(path), 0);
}

static void missing_directory_is_named_and_the_port_opens_when_it_is_there(void **state)
{
    assert_int_equal(rmdir(root), 0);
    for (int i = 0; i < 40; i++) // more often than DPDK has ports
        assert_refused(0, true, root);
    assert_int_equal(mkdir(root, 0700), 0);
    assert_opens(0, true);
}

static void client_says_that_its_server_is_missing(void **state)
{
    assert_refused(0, false, "nobody listens");
    close(other_program(SOCK_SEQPACKET, true));
    assert_refused(0, false, "nobody listens");
    assert_int_equal(access(path, F_OK), 0);
}

// A client needs no right to write, nor to list: another user's server stands in a directory of 0755. Root may write
// anywhere, so the test takes another user's rights for the moment.
static void client_only_passes_through_the_directory(void **state)
{
    struct sl_error error = {0};
    int fd = other_program(SOCK_SEQPACKET, true);
    assert_int_equal(chmod(path, 0777), 0);
    assert_int_equal(chmod(root, 0111), 0);
    bool privileged = geteuid() == 0;
    if (privileged)
        assert_int_equal(setresuid(65534, 65534, 0), 0); // access() asks for the real user
    int client = memif_socket_prepare(path, false, &error);
    int server = memif_socket_prepare(path, true, &error);
    if (privileged)
        assert_int_equal(setresuid(0, 0, 0), 0);
    assert_int_equal(chmod(root, 0700), 0);
    close(fd);
    assert_int_equal(client, 0);
    assert_int_equal(server, -EACCES);
}

// Two clients of one socket: the driver refuses the second after it has made half of its device.
static void port_that_the_driver_refused_opens_once_the_cause_is_gone(void **state)
{
    struct device first;
    struct sl_error error = {0};
    int fd = other_program(SOCK_SEQPACKET, true);
    if (port_open(0, false, &first, &error) != 0)
        fail_msg("%s", error.text);
    for (int i = 0; i < 5; i++)
        assert_refused(1, false, "driver refused");
    device_close(&first);
    assert_opens(1, false);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(server_takes_the_place_of_a_killed_one, directory_make,
                                        directory_remove),
        cmocka_unit_test_setup_teardown(server_leaves_a_living_one_alone, directory_make, directory_remove),
        cmocka_unit_test_setup_teardown(server_never_removes_what_is_no_socket, directory_make,
                                        directory_remove),
        cmocka_unit_test_setup_teardown(missing_directory_is_named_and_the_port_opens_when_it_is_there,
                                        directory_make, directory_remove),
        cmocka_unit_test_setup_teardown(client_says_that_its_server_is_missing, directory_make,
                                        directory_remove),
        cmocka_unit_test_setup_teardown(client_only_passes_through_the_directory, directory_make,
                                        directory_remove),
        cmocka_unit_test_setup_teardown(port_that_the_driver_refused_opens_once_the_cause_is_gone,
                                        directory_make, directory_remove),
    };
    return cmocka_run_group_tests(tests, eal_start, eal_stop);
}
