// SPDX-License-Identifier: Apache-2.0
// Starting DPDK's environment from the operator's wishes. Called once by the main of sluice-dp or sluice-pktgen, on the
// main thread.
#include "process/eal.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rte_eal.h>
#include <rte_errno.h>

#define ARGUMENTS     64
#define ARGUMENT_TEXT 4096 // of all arguments that are made here

struct arguments {
    int count;
    char *value[ARGUMENTS + 1];
    size_t used;
    char text[ARGUMENT_TEXT];
};

__attribute__((format(printf, 2, 3))) static void argument_add(struct arguments *arguments,
                                                               const char *format, ...)
{
    va_list list;
    size_t room = sizeof(arguments->text) - arguments->used;
    if (arguments->count == ARGUMENTS)
        return;
    va_start(list, format);
    int length = vsnprintf(arguments->text + arguments->used, room, format, list);
    va_end(list);
    if (length < 0 || (size_t)length >= room)
        return;
    arguments->value[arguments->count++] = arguments->text + arguments->used;
    arguments->used += (size_t)length + 1;
}

static int range_parse(const char **text, unsigned long *first, unsigned long *last)
{
    char *end;
    *first = *last = strtoul(*text, &end, 10);
    if (end == *text)
        return -EINVAL;
    if (*end == '-') {
        const char *second = end + 1;
        *last = strtoul(second, &end, 10);
        if (end == second)
            return -EINVAL;
    }
    *text = end;
    return *last < *first || *last >= CPU_SETSIZE ? -EINVAL : 0;
}

int eal_cores_parse(const char *text, uint16_t core[SL_MAX_WORKERS])
{
    int count = 0;
    for (;;) {
        unsigned long first, last;
        if (range_parse(&text, &first, &last) != 0 || last - first >= (unsigned long)(SL_MAX_WORKERS - count))
            return -EINVAL;
        for (unsigned long c = first; c <= last; c++)
            core[count++] = (uint16_t)c;
        if (*text == '\0')
            return count;
        if (*text++ != ',')
            return -EINVAL;
    }
}

static uint32_t cpus_allowed(uint16_t cpu[CPU_SETSIZE])
{
    cpu_set_t set;
    uint32_t count = 0;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 0;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            cpu[count++] = (uint16_t)i;
    return count;
}

static bool listed(const uint16_t *list, uint32_t count, uint16_t cpu)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == cpu)
            return true;
    return false;
}

// Housekeeping runs on what the workers leave, and anywhere where they leave nothing.
static void house_choose(struct placement *placement, const uint16_t *cpu, uint32_t cpus)
{
    size_t used = 0;
    for (int all = 0; all < 2 && used == 0; all++)
        for (uint32_t i = 0; i < cpus && used < sizeof(placement->house) - 8; i++)
            if (all || !listed(placement->cpu, placement->workers, cpu[i]))
                used += (size_t)snprintf(placement->house + used, sizeof(placement->house) - used, "%s%u",
                                         used ? "," : "", cpu[i]);
}

int placement_choose(const struct eal_wish *wish, struct placement *placement, struct sl_error *error)
{
    uint16_t cpu[CPU_SETSIZE];
    uint32_t cpus = cpus_allowed(cpu);
    *placement = (struct placement){.workers = wish->workers};
    if (cpus == 0)
        return sl_error_set(error, -EINVAL, "the kernel does not say which cores this process may use");
    if (placement->workers == 0)
        placement->workers = cpus > 1 ? (cpus - 1 < SL_MAX_WORKERS - 1 ? cpus - 1 : SL_MAX_WORKERS - 1) : 1;
    for (uint32_t i = 0; i < placement->workers; i++) {
        placement->cpu[i] = wish->core_count ? wish->core[i] : cpu[cpus - 1 - i % cpus];
        if (!listed(cpu, cpus, placement->cpu[i]))
            return sl_error_set(error, -EINVAL,
                                "--cores names core %u, which this process may not use; see 'taskset "
                                "-cp $$' for those it may",
                                placement->cpu[i]);
    }
    placement->shared = cpus < placement->workers + 1;
    house_choose(placement, cpu, cpus);
    return 0;
}

static uint64_t huge_free_mb(void)
{
    static const struct {
        const char *file;
        uint64_t page_mb;
    } pool[] = {{"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", 2},
                {"/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", 1024}};
    uint64_t most = 0;
    for (unsigned i = 0; i < sizeof(pool) / sizeof(pool[0]); i++) {
        unsigned long long pages = 0;
        FILE *file = fopen(pool[i].file, "re");
        if (!file)
            continue;
        if (fscanf(file, "%llu", &pages) == 1 && pages * pool[i].page_mb > most)
            most = pages * pool[i].page_mb;
        fclose(file);
    }
    return most;
}

static int huge_choose(const struct eal_wish *wish, bool *huge, struct sl_error *error)
{
    uint64_t free_mb = huge_free_mb();
    *huge = wish->huge == HUGE_ON || (wish->huge == HUGE_AUTO && free_mb >= wish->memory_mb);
    if (wish->huge == HUGE_ON && free_mb < wish->memory_mb)
        return sl_error_set(
            error, -ENOMEM,
            "--huge on: %llu MB of huge pages are free, %u MB are needed; reserve them with 'sysctl "
            "vm.nr_hugepages=%u', or use --huge auto",
            (unsigned long long)free_mb, wish->memory_mb, wish->memory_mb / 2 + 1);
    return 0;
}

static void lcores_add(struct arguments *arguments, const struct placement *placement)
{
    char text[ARGUMENT_TEXT / 2];
    size_t used = (size_t)snprintf(text, sizeof(text), "0@(%s)", placement->house);
    for (uint32_t i = 0; i < placement->workers && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, ",%u@%u", i + 1, placement->cpu[i]);
    argument_add(arguments, "--lcores=%s", text);
}

// No files of its own (--in-memory, which without huge pages is --no-shconf), so two data planes on one machine do not meet; no PCI device but those that ports name: an
// allow-list with an address that no network device has.
static void arguments_make(struct arguments *arguments, const struct eal_wish *wish,
                           const struct placement *placement, bool huge)
{
    argument_add(arguments, "%s", wish->program);
    lcores_add(arguments, placement);
    argument_add(arguments, huge ? "--in-memory" : "--no-shconf");
    argument_add(arguments, "--file-prefix=sluice-%d", (int)getpid());
    argument_add(arguments, "--no-telemetry");
    argument_add(arguments, "--single-file-segments"); // memif shares them by descriptor
    argument_add(arguments, "--iova-mode=va");         // see pool.c
    argument_add(arguments, "--log-level=*:warning");
    argument_add(arguments, "--allow=0000:00:00.0");
    if (!huge)
        argument_add(arguments, "--no-huge");
    argument_add(arguments, "-m");
    argument_add(arguments, "%u", wish->memory_mb);
    for (int i = 0; i < wish->eal_argc && arguments->count < ARGUMENTS; i++)
        arguments->value[arguments->count++] = wish->eal_argv[i];
    arguments->value[arguments->count] = NULL;
}

// On an argument it does not like DPDK prints its whole usage to stdout, which is not our operator's language.
static int eal_init_quietly(struct arguments *arguments)
{
    fflush(stdout);
    int kept = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDOUT_FILENO);
    int rc = rte_eal_init(arguments->count, arguments->value);
    fflush(stdout);
    if (kept >= 0)
        dup2(kept, STDOUT_FILENO);
    close(kept);
    close(null);
    return rc;
}

int eal_start(const struct eal_wish *wish, const struct placement *placement, struct sl_error *error)
{
    struct arguments arguments = {0};
    bool huge;
    int rc = huge_choose(wish, &huge, error);
    if (rc != 0)
        return rc;
    arguments_make(&arguments, wish, placement, huge);
    if (eal_init_quietly(&arguments) < 0)
        return sl_error_set(error, -rte_errno,
                            "DPDK does not start (%s) with %u MB%s; try a smaller --memory, or --huge off",
                            rte_strerror(rte_errno), wish->memory_mb, huge ? " of huge pages" : "");
    return 0;
}
