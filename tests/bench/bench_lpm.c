// SPDX-License-Identifier: Apache-2.0
// Cycles per longest-prefix match, alone and in bursts, and the time to sort, plan, build, check and change a table.
// Prints medians over runs; random destinations inside the routes, so nearly every lookup is cold at a million.
// usage: bench_lpm [ROUTES...]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "shm/huge.h"
#include "table/lpm_build.h"
#include "table/lpm_bulk.h"
#include "table/lpm_update.h"

#define ADDRESSES (1u << 20)
#define RUNS      11

static uint64_t random_next(void)
{
    static uint64_t state = 88172645463325252ULL;

    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *value, unsigned count)
{
    qsort(value, count, sizeof(*value), compare_double);
    return value[count / 2];
}

// Lengths about as in the Internet's tables: IPv4 mostly /24, IPv6 /32 to /48.
static unsigned random_length(bool v4)
{
    unsigned dice = (unsigned)(random_next() >> 32) % 100;

    if (v4)
        return dice < 60 ? 24 : dice < 95 ? 16 + dice % 8 : dice < 98 ? 8 + dice % 8 : 25 + dice % 8;
    return dice < 50 ? 48 : dice < 70 ? 32 : dice < 95 ? 33 + dice % 15 : 49 + dice % 16;
}

static struct sl_prefix random_prefix(bool v4)
{
    unsigned len = random_length(v4);
    struct sl_prefix prefix = {.len = (uint8_t)len};

    if (v4) {
        prefix.ip =
            sl_ip_v4(__builtin_bswap32((uint32_t)(random_next() >> 16) & (uint32_t)(~0ULL << (32 - len))));
        return prefix;
    }
    // 2000::/3, its first bytes as concentrated as allocations are
    uint64_t high = 0x2000ULL << 48 | (random_next() >> 52) << 49 | random_next() >> 16;
    prefix.ip.q[0] = __builtin_bswap64(high & (~0ULL << (64 - len)));
    return prefix;
}

static size_t items_make(struct sl_lpm_item *item, size_t count, bool v4)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        item[i] = (struct sl_lpm_item){.prefix = random_prefix(v4), .value = 1 + (uint32_t)i % 64};
    double start = now_ms();
    if (sl_lpm_sort(item, count) != 0)
        exit(1);
    printf("  sort %.1f ms", now_ms() - start);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || sl_prefix_compare(&item[kept - 1].prefix, &item[i].prefix) != 0)
            item[kept++] = item[i];
    return kept;
}

static struct sl_ip random_inside(const struct sl_prefix *prefix)
{
    bool v4 = sl_ip_is_v4(&prefix->ip);
    struct sl_ip ip = prefix->ip;
    uint64_t low = random_next();

    if (v4)
        ip.w[3] |= __builtin_bswap32((uint32_t)(low & ((1ULL << (32 - prefix->len)) - 1)));
    else {
        ip.q[0] |= __builtin_bswap64(random_next() & ~(~0ULL << (64 - prefix->len)));
        ip.q[1] = low;
    }
    return ip;
}

static double lookups_alone(const struct sl_lpm *lpm, const struct sl_ip *ip, bool v4)
{
    uint64_t sum = 0, start = __rdtsc();

    for (unsigned i = 0; i < ADDRESSES; i++) // each waits for the one before
        sum +=
            sl_lpm_lookup(lpm, v4 ? &lpm->v4 : &lpm->v6, ip[(i + (sum & 1)) % ADDRESSES].b + (v4 ? 12 : 0));
    uint64_t end = __rdtsc();
    __asm__ volatile("" ::"r"(sum));
    return (double)(end - start) / ADDRESSES;
}

static double lookups_bulk(const struct sl_lpm *lpm, const struct sl_ip *ip, bool v4, unsigned burst)
{
    uint32_t leaf[SL_LPM_BULK_MAX];
    uint64_t cycles = 0;

    for (unsigned i = 0; i < ADDRESSES; i += burst) {
        const struct sl_ip *v6[SL_LPM_BULK_MAX];
        sl_be32 addr[SL_LPM_BULK_MAX];
        for (unsigned j = 0; j < burst; j++) {
            v6[j] = &ip[i + j];
            addr[j] = ip[i + j].w[3];
        }
        uint64_t start = __rdtsc();
        if (v4)
            sl_lpm_lookup_bulk_v4(lpm, addr, leaf, burst);
        else
            sl_lpm_lookup_bulk_v6(lpm, v6, leaf, burst);
        cycles += __rdtsc() - start;
        __asm__ volatile("" ::"r"(leaf) : "memory");
    }
    return (double)cycles / ADDRESSES;
}

static void lookups_measure(const struct sl_lpm *lpm, const struct sl_lpm_item *item, size_t count, bool v4)
{
    struct sl_ip *ip = malloc(ADDRESSES * sizeof(*ip));
    double alone[RUNS], burst32[RUNS], burst64[RUNS];

    if (!ip)
        exit(1);
    for (unsigned i = 0; i < ADDRESSES; i++)
        ip[i] = random_inside(&item[random_next() % count].prefix);
    for (unsigned run = 0; run < RUNS; run++) {
        alone[run] = lookups_alone(lpm, ip, v4);
        burst32[run] = lookups_bulk(lpm, ip, v4, 32);
        burst64[run] = lookups_bulk(lpm, ip, v4, 64);
    }
    printf("  cycles: alone %.1f, bursts of 32 %.1f, of 64 %.1f\n", median(alone, RUNS),
           median(burst32, RUNS), median(burst64, RUNS));
    free(ip);
}

static void updates_measure(struct sl_lpm *lpm, uint64_t size, bool v4)
{
    struct sl_lpm_writer writer;
    double cost[1000];

    if (sl_lpm_writer_init(&writer, lpm, size) != 0)
        exit(1);
    for (unsigned i = 0; i < 1000; i++) {
        struct sl_prefix prefix = random_prefix(v4);
        double start = now_ms();
        if (sl_lpm_set(&writer, &prefix, 7) != 0)
            exit(1);
        cost[i] = now_ms() - start;
    }
    double middle = median(cost, 1000);
    printf("  one prefix set: median %.2f us, worst of 1000 %.1f us\n", middle * 1e3, cost[999] * 1e3);
    sl_lpm_writer_fini(&writer);
}

// A file as the run directory has them: tables live in such.
static void *file_map(uint64_t size)
{
    char path[] = "/dev/shm/sluice-bench-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || unlink(path) != 0 || ftruncate(fd, (off_t)size) != 0)
        exit(1);
    void *base = sl_huge_map(fd, size, PROT_READ | PROT_WRITE);
    if (base == MAP_FAILED)
        exit(1);
    close(fd);
    return base;
}

static void table_measure(size_t count, bool v4)
{
    struct sl_lpm_item *item = calloc(count, sizeof(*item));
    struct sl_lpm_plan plan;

    if (!item)
        exit(1);
    printf("%s, %zu prefixes:\n", v4 ? "IPv4" : "IPv6", count);
    count = items_make(item, count, v4);
    double start = now_ms();
    sl_lpm_plan(item, count, true, &plan);
    double planned = now_ms();
    uint64_t size = (plan.blocks + 100000) * SL_LPM_BLOCK;
    void *blob = file_map(size);
    double mapped = now_ms();
    if (sl_lpm_build(item, count, &plan, blob, size) != 0)
        exit(1);
    double built = now_ms();
    if (sl_lpm_check(blob, size, SL_LPM_VALUE_MASK) != 0)
        exit(1);
    printf(", plan %.1f ms, build %.1f ms, check %.1f ms, %.1f MiB\n", planned - start, built - mapped,
           now_ms() - built, (double)plan.blocks * SL_LPM_BLOCK / (1 << 20));
    printf("  %.0f MiB in huge pages\n", (double)sl_huge_collapse(blob, size) / (1 << 20));
    lookups_measure(blob, item, count, v4);
    updates_measure(blob, size, v4);
    munmap(blob, size);
    free(item);
}

int main(int argc, char **argv)
{
    const size_t usual[] = {1, 10000, 1000000};

    for (unsigned family = 0; family < 2; family++) {
        for (int i = 1; i < argc; i++)
            table_measure(strtoul(argv[i], NULL, 0), family == 0);
        for (unsigned i = 0; argc == 1 && i < 3; i++)
            table_measure(usual[i], family == 0);
    }
    return 0;
}
