// SPDX-License-Identifier: Apache-2.0
// Segment files: made aside, checked when opened. Called by control, housekeeping and tests, on threads that
// may make system calls. What each step leaves behind when the process is killed after it stands in
// LAYOUT.md.
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <linux/magic.h>
#include "shm/huge.h"

static const char *const kind_name[SL_SEG_KINDS] = {
    [SL_SEG_BOARD] = "board",       [SL_SEG_GENERATION] = "generation",
    [SL_SEG_PORT] = "port",         [SL_SEG_ROUTE] = "route",
    [SL_SEG_NAT] = "nat",           [SL_SEG_PREFILTER] = "prefilter",
    [SL_SEG_COUNTER] = "counter",   [SL_SEG_FLOW] = "flow",
    [SL_SEG_NEIGHBOR] = "neighbor", [SL_SEG_RING] = "ring",
    [SL_SEG_BALANCE] = "balance",   [SL_SEG_BALANCE_COUNTER] = "balance-counter",
    [SL_SEG_ENDPOINT] = "endpoint",
};

const char *sl_segment_kind_name(enum sl_segment_kind kind)
{
    return (unsigned)kind < SL_SEG_KINDS && kind_name[kind] ? kind_name[kind] : "?";
}

const char *sl_segment_name(enum sl_segment_kind kind, uint64_t number, char out[SL_SEGMENT_NAME])
{
    snprintf(out, SL_SEGMENT_NAME, "%s.%" PRIu64, sl_segment_kind_name(kind), number);
    return out;
}

void sl_segment_fill(struct sl_segment *segment, enum sl_segment_kind kind, uint64_t size, uint64_t serial)
{
    *segment = (struct sl_segment){
        .magic = SL_SHM_MAGIC,
        .major = SL_SHM_MAJOR,
        .minor = SL_SHM_MINOR,
        .kind = kind,
        .layout_hash = sl_layout_hash(kind),
        .size = size,
        .serial = serial,
    };
}

// ---- run directory -----------------------------------------------------------------------------------------

int sl_run_dir_make(const char *run_dir, struct sl_error *error)
{
    if (mkdir(run_dir, 0755) == 0 || errno == EEXIST)
        return 0;
    int code = -errno;
    return sl_error_set(error, code,
                        "cannot make the run directory %s: %s: its parent must exist and be writable",
                        run_dir, strerror(-code));
}

int sl_run_dir_claim(const char *run_dir, const char *role, struct sl_error *error)
{
    char path[SL_SEGMENT_PATH];

    snprintf(path, sizeof(path), "%s/%s.lock", run_dir, role);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        int code = -errno;
        return sl_error_set(error, code, "cannot open %s: %s: run as the user that owns %s", path,
                            strerror(-code), run_dir);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int code = errno == EWOULDBLOCK ? -EBUSY : -errno;
    close(fd);
    return sl_error_set(
        error, code, "%s is held by another process: stop the other %s first, or use another run directory",
        path, role);
}

// ---- making ------------------------------------------------------------------------------------------------

// Kinds with one maker reuse the temporary name, so what a killed process left is replaced by the next one.
// The others carry the process id: board and rings are made by whoever comes first, tables are swept by
// sl_generation_collect().
static void draft_paths(const struct sl_segment_spec *spec, struct sl_segment_draft *draft)
{
    bool one_maker = spec->kind == SL_SEG_FLOW || spec->kind == SL_SEG_COUNTER ||
                     spec->kind == SL_SEG_NEIGHBOR || spec->kind == SL_SEG_BALANCE_COUNTER;

    snprintf(draft->path, sizeof(draft->path), "%s/%s", spec->dir, spec->name);
    if (one_maker)
        snprintf(draft->temporary, sizeof(draft->temporary), "%s/.%s.tmp", spec->dir, spec->name);
    else
        snprintf(draft->temporary, sizeof(draft->temporary), "%s/.%s.%d.tmp", spec->dir, spec->name,
                 getpid());
}

static int size_error(const struct sl_segment_spec *spec, uint64_t size, bool huge, int code,
                      struct sl_error *error)
{
    uint64_t mib = (size + (1 << 20) - 1) >> 20;

    if (huge)
        return sl_error_set(error, code,
                            "%s: %s needs %" PRIu64 " MiB of huge pages: %s: reserve more in "
                            "/proc/sys/vm/nr_hugepages, or lower flow.capacity",
                            spec->dir, spec->name, mib, strerror(-code));
    return sl_error_set(error, code,
                        "%s: no room for %s (%" PRIu64 " MiB): %s: enlarge it (mount -o remount,size=), "
                        "or lower the capacities in the config",
                        spec->dir, spec->name, mib, strerror(-code));
}

// Gives the file its memory now: a full file system is an error here and would be SIGBUS later.
static int draft_allocate(int fd, const struct sl_segment_spec *spec, uint64_t *size, struct sl_error *error)
{
    struct statfs fs;
    bool huge = fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;

    *size = huge ? (spec->size + (uint64_t)fs.f_bsize - 1) / (uint64_t)fs.f_bsize * (uint64_t)fs.f_bsize
                 : spec->size;
    if (ftruncate(fd, (off_t)*size) != 0)
        return size_error(spec, *size, huge, -errno, error);
    if (fallocate(fd, 0, 0, (off_t)*size) != 0 && errno != EOPNOTSUPP)
        return size_error(spec, *size, huge, -errno, error);
    return 0;
}

static int draft_map(int fd, const struct sl_segment_spec *spec, struct sl_segment_draft *draft,
                     struct sl_error *error)
{
    uint64_t size;
    int code = draft_allocate(fd, spec, &size, error);

    if (code != 0)
        return code;
    // Not by open(): the umask would take away the readers of the board and the counters.
    if (fchmod(fd, spec->mode) != 0)
        return sl_error_set(error, -errno, "cannot set the mode of %s: %s", draft->temporary,
                            strerror(errno));
    void *base = sl_huge_map(fd, size, PROT_READ | PROT_WRITE);
    if (base == MAP_FAILED)
        return sl_error_set(error, -errno, "cannot map %s (%" PRIu64 " bytes): %s", draft->temporary, size,
                            strerror(errno));
    draft->map = (struct sl_segment_map){base, size};
    sl_segment_fill(base, spec->kind, size, spec->serial);
    return 0;
}

int sl_segment_create(const struct sl_segment_spec *spec, struct sl_segment_draft *draft,
                      struct sl_error *error)
{
    draft->map = (struct sl_segment_map){0};
    if (spec->size < sizeof(struct sl_segment) || spec->size > INT64_MAX / 2)
        return sl_error_set(error, -EINVAL, "%s: a segment of %" PRIu64 " bytes cannot be", spec->name,
                            spec->size);
    draft_paths(spec, draft);
    unlink(draft->temporary);
    int fd = open(draft->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        int code = -errno;
        return sl_error_set(error, code, "cannot make %s: %s: the run directory must exist and be writable",
                            draft->temporary, strerror(-code));
    }
    int code = draft_map(fd, spec, draft, error);
    close(fd);
    if (code != 0)
        unlink(draft->temporary);
    return code;
}

void sl_segment_abort(struct sl_segment_draft *draft)
{
    if (!draft->map.base)
        return;
    unlink(draft->temporary);
    sl_segment_close(&draft->map);
}

// Hands the draft's mapping to whoever committed it.
static void draft_release(struct sl_segment_draft *draft, struct sl_segment_map *map)
{
    if (map)
        *map = draft->map;
    else
        sl_segment_close(&draft->map);
    draft->map = (struct sl_segment_map){0};
}

int sl_segment_commit(struct sl_segment_draft *draft, struct sl_segment_map *map, struct sl_error *error)
{
    if (rename(draft->temporary, draft->path) != 0) {
        int code = -errno;
        sl_segment_abort(draft);
        return sl_error_set(error, code, "cannot put %s in place: %s", draft->path, strerror(-code));
    }
    draft_release(draft, map);
    return 0;
}

int sl_segment_commit_first(struct sl_segment_draft *draft, struct sl_segment_map *map,
                            struct sl_error *error)
{
    if (link(draft->temporary, draft->path) != 0) {
        int code = -errno;
        sl_segment_abort(draft);
        return sl_error_set(error, code, "cannot put %s in place: %s", draft->path, strerror(-code));
    }
    unlink(draft->temporary);
    draft_release(draft, map);
    return 0;
}

// ---- opening -----------------------------------------------------------------------------------------------

int sl_segment_check(const struct sl_segment *segment, uint64_t file_size, enum sl_segment_kind kind,
                     const char *name, struct sl_error *error)
{
    if (file_size < sizeof(*segment))
        return sl_error_set(error, -EBADMSG,
                            "%s: %" PRIu64 " bytes are too few for a segment: remove the file", name,
                            file_size);
    if (segment->magic != SL_SHM_MAGIC)
        return sl_error_set(error, -EBADMSG,
                            "%s: not a segment of Sluice (magic %" PRIx64 "): remove the file", name,
                            segment->magic);
    if (segment->major != SL_SHM_MAJOR)
        return sl_error_set(error, -EPROTO,
                            "%s: written for contract %u.%u, this program speaks %d.%d: stop all of "
                            "Sluice, remove the run directory, start programs of one release",
                            name, segment->major, segment->minor, SL_SHM_MAJOR, SL_SHM_MINOR);
    if (segment->kind != kind)
        return sl_error_set(error, -EBADMSG, "%s: kind %u (%s) where %d (%s) belongs: remove the file", name,
                            segment->kind, sl_segment_kind_name(segment->kind), kind,
                            sl_segment_kind_name(kind));
    if (segment->minor == SL_SHM_MINOR && segment->layout_hash != sl_layout_hash(kind))
        return sl_error_set(error, -EPROTO,
                            "%s: contract %u.%u like this program's, but layout %016" PRIx64
                            " and not %016" PRIx64 ": start sluiced and sluice-dp of one build",
                            name, segment->major, segment->minor, segment->layout_hash, sl_layout_hash(kind));
    if (segment->size != file_size)
        return sl_error_set(error, -EBADMSG,
                            "%s: the header says %" PRIu64 " bytes, the file has %" PRIu64
                            ": damaged, remove the file",
                            name, segment->size, file_size);
    return 0;
}

// Size of the file behind fd, or -errno where it is none that can be mapped.
static int64_t file_size(int fd, const char *path, struct sl_error *error)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return sl_error_set(error, -errno, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(struct sl_segment))
        return sl_error_set(error, -EBADMSG, "%s: %jd bytes are too few for a segment: remove the file", path,
                            (intmax_t)status.st_size);
    return status.st_size;
}

static int fd_map(int fd, const char *path, bool writable, struct sl_segment_map *map, struct sl_error *error)
{
    int64_t size = file_size(fd, path, error);

    if (size < 0)
        return (int)size;
    void *base = sl_huge_map(fd, (uint64_t)size, PROT_READ | (writable ? PROT_WRITE : 0));
    if (base == MAP_FAILED)
        return sl_error_set(error, -errno, "cannot map %s (%jd bytes): %s", path, (intmax_t)size,
                            strerror(errno));
    *map = (struct sl_segment_map){base, (uint64_t)size};
    return 0;
}

int sl_segment_open(const char *dir, const char *name, enum sl_segment_kind kind, bool writable,
                    struct sl_segment_map *map, struct sl_error *error)
{
    char path[SL_SEGMENT_PATH];

    *map = (struct sl_segment_map){0};
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        int code = -errno;
        return sl_error_set(error, code, "cannot open %s: %s%s", path, strerror(-code),
                            code == -EACCES ? ": run as a user of its group" : "");
    }
    int code = fd_map(fd, path, writable, map, error);
    close(fd);
    if (code == 0)
        code = sl_segment_check(map->base, map->size, kind, path, error);
    if (code != 0)
        sl_segment_close(map);
    return code;
}

void sl_segment_close(struct sl_segment_map *map)
{
    if (map->base)
        munmap(map->base, map->size);
    *map = (struct sl_segment_map){0};
}

int sl_segment_unlink(const char *dir, const char *name)
{
    char path[SL_SEGMENT_PATH];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}
