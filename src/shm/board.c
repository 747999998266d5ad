// SPDX-License-Identifier: Apache-2.0
// The board: made by whoever comes first, heartbeats, and how far a generation is. Called by control and
// housekeeping. Every shared word is loaded and stored atomically; the order that matters is noted at each
// store.
#include "shm/board.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BOARD_OPEN_TRIES 8
#define GONE_AFTER_NS    (3 * SL_HEARTBEAT_EVERY_MS * 1000000ull)
#define START_SLACK_NS   1000000000ull // between the clocks read one after another, and a process's ticks

static uint64_t board_load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void board_store(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

uint64_t sl_board_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// ---- open --------------------------------------------------------------------------------------------------

static int board_make(const char *run_dir, struct sl_segment_map *map, struct sl_error *error)
{
    struct sl_segment_spec spec = {
        .dir = run_dir,
        .name = "board",
        .kind = SL_SEG_BOARD,
        .mode = SL_MODE_READABLE,
        .size = sizeof(struct sl_board),
    };
    struct sl_segment_draft draft;
    int code = sl_segment_create(&spec, &draft, error);

    if (code != 0)
        return code;
    struct sl_board *board = draft.map.base;
    board->next_serial = 1;
    return sl_segment_commit_first(&draft, map, error);
}

static int board_size_check(struct sl_segment_map *map, const char *run_dir, struct sl_error *error)
{
    if (map->size >= sizeof(struct sl_board))
        return 0;
    sl_segment_close(map);
    return sl_error_set(error, -EBADMSG, "%s/board: too short for a board: damaged, remove the run directory",
                        run_dir);
}

int sl_board_open(const char *run_dir, struct sl_board **board, struct sl_error *error)
{
    struct sl_segment_map map = {0};
    int code = sl_run_dir_make(run_dir, error);

    // Open and make take turns: the other daemon may make the board between our look and our link.
    for (int i = 0; code == 0 && !map.base && i < BOARD_OPEN_TRIES; i++) {
        code = sl_segment_open(run_dir, "board", SL_SEG_BOARD, true, &map, error);
        if (code == -ENOENT)
            code = board_make(run_dir, &map, error);
        if (code == -EEXIST)
            code = 0;
    }
    if (code == 0 && !map.base)
        code = sl_error_set(error, -EAGAIN,
                            "%s/board: appears and vanishes: somebody clears the run directory", run_dir);
    if (code == 0)
        code = board_size_check(&map, run_dir, error);
    *board = map.base;
    return code;
}

int sl_board_open_readonly(const char *run_dir, const struct sl_board **board, struct sl_error *error)
{
    struct sl_segment_map map;
    int code = sl_segment_open(run_dir, "board", SL_SEG_BOARD, false, &map, error);

    if (code == 0)
        code = board_size_check(&map, run_dir, error);
    *board = map.base;
    return code;
}

void sl_board_close(const struct sl_board *board)
{
    if (board)
        munmap((void *)(uintptr_t)board, sizeof(*board));
}

// ---- data plane --------------------------------------------------------------------------------------------

void sl_board_dp_start(struct sl_board *board, uint32_t pid, uint32_t worker_count, uint64_t tsc_hz,
                       uint64_t now_ns)
{
    // No heartbeat while the lines change: until the last store control sees a data plane that is not
    // running.
    board_store(&board->dp_heartbeat_ns, 0);
    board_store(&board->loaded, 0);
    board_store(&board->refused, 0);
    for (unsigned i = 0; i < SL_MAX_WORKERS; i++)
        board_store(&board->worker[i].live_generation, 0);
    __atomic_store_n(&board->dp_pid, pid, __ATOMIC_RELAXED);
    __atomic_store_n(&board->worker_count, worker_count, __ATOMIC_RELAXED);
    board_store(&board->tsc_hz, tsc_hz);
    board_store(&board->dp_start_ns, now_ns);
    board_store(&board->incarnation, board_load(&board->incarnation) + 1);
    board_store(&board->dp_heartbeat_ns, now_ns);
}

void sl_board_dp_beat(struct sl_board *board, uint64_t now_ns)
{
    board_store(&board->dp_heartbeat_ns, now_ns);
}

void sl_board_dp_stop(struct sl_board *board)
{
    board_store(&board->dp_heartbeat_ns, 0);
}

void sl_board_dp_loaded(struct sl_board *board, uint64_t generation)
{
    board_store(&board->loaded, generation);
}

void sl_board_dp_refuse(struct sl_board *board, uint64_t generation, const char *text)
{
    // Zero first: whoever reads the text while it changes finds it belongs to no generation (see
    // board_refused).
    board_store(&board->refused, 0);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < sizeof(board->refusal); i++) {
        bool ended = i + 1 == sizeof(board->refusal) || *text == '\0';
        __atomic_store_n(&board->refusal[i], ended ? '\0' : *text++, __ATOMIC_RELAXED);
    }
    board_store(&board->refused, generation);
}

// ---- who is alive ------------------------------------------------------------------------------------------

void sl_board_control_beat(struct sl_board *board, uint32_t pid, uint64_t now_ns)
{
    __atomic_store_n(&board->control_pid, pid, __ATOMIC_RELAXED);
    board_store(&board->control_heartbeat_ns, now_ns);
}

// Compared by signed difference: the beat may be a moment newer than the `now_ns` the caller took.
static bool beat_is_fresh(uint64_t beat_ns, uint64_t now_ns)
{
    return beat_ns != 0 && (int64_t)(now_ns - beat_ns) < (int64_t)SL_HEARTBEAT_STALE_NS;
}

// When a process started, CLOCK_BOOTTIME in ns; 0: it is no more, or a zombie; UINT64_MAX: cannot be told.
static uint64_t process_start_ns(uint32_t pid)
{
    char path[32], line[1024], state = 'Z';
    unsigned long long ticks = 0;

    snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return kill((pid_t)pid, 0) == 0 || errno == EPERM ? UINT64_MAX : 0;
    size_t got = fread(line, 1, sizeof(line) - 1, file);
    fclose(file);
    line[got] = '\0';
    char *behind =
        strrchr(line, ')'); // the name before it may hold anything; proc(5): state is field 3, start 22
    if (!behind ||
        sscanf(behind + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &state, &ticks) != 2)
        return got ? UINT64_MAX : 0;
    return state == 'Z' || state == 'X' ? 0 : ticks * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK)) + 1;
}

bool sl_board_dp_gone(const struct sl_board *board, uint64_t now_ns)
{
    uint64_t beat_ns = board_load(&board->dp_heartbeat_ns), start_ns = board_load(&board->dp_start_ns);
    uint32_t pid = __atomic_load_n(&board->dp_pid, __ATOMIC_RELAXED);
    struct timespec boot;

    if (beat_ns == 0 || pid == 0)
        return true;
    if ((int64_t)(now_ns - beat_ns) <= (int64_t)GONE_AFTER_NS)
        return false;
    uint64_t process_ns = process_start_ns(pid);
    if (process_ns == 0 || process_ns == UINT64_MAX)
        return process_ns == 0;
    // The board's clock stands still while the machine sleeps, a process's start is told by one that does not.
    clock_gettime(CLOCK_BOOTTIME, &boot);
    uint64_t slept_ns = (uint64_t)boot.tv_sec * 1000000000u + (uint64_t)boot.tv_nsec - sl_board_now_ns();
    return process_ns > start_ns + slept_ns + START_SLACK_NS;
}

bool sl_board_dp_alive(const struct sl_board *board, uint64_t now_ns)
{
    return beat_is_fresh(board_load(&board->dp_heartbeat_ns), now_ns) && !sl_board_dp_gone(board, now_ns);
}

bool sl_board_control_alive(const struct sl_board *board, uint64_t now_ns)
{
    return beat_is_fresh(board_load(&board->control_heartbeat_ns), now_ns);
}

// ---- how far a generation is -------------------------------------------------------------------------------

// The count is another process's word: never index by more than there are lines.
static uint32_t board_workers(const struct sl_board *board)
{
    uint32_t count = __atomic_load_n(&board->worker_count, __ATOMIC_RELAXED);

    return count < SL_MAX_WORKERS ? count : SL_MAX_WORKERS;
}

struct sl_live sl_board_live(const struct sl_board *board, uint64_t generation, uint64_t now_ns)
{
    struct sl_live live = {.state = SL_LIVE_PENDING, .workers = board_workers(board)};

    for (uint32_t i = 0; i < live.workers; i++)
        live.workers_live += board_load(&board->worker[i].live_generation) >= generation;
    if (!sl_board_dp_alive(board, now_ns))
        live.state = SL_LIVE_STOPPED;
    else if (board_load(&board->refused) >= generation && board_load(&board->loaded) < generation)
        live.state = SL_LIVE_REFUSED;
    else if (live.workers > 0 && live.workers_live == live.workers)
        live.state = SL_LIVE_YES;
    return live;
}

void sl_board_refusal(const struct sl_board *board, char out[256])
{
    static_assert(sizeof(board->refusal) == 256, "the caller's room");
    for (unsigned i = 0; i < 256; i++) {
        char c = __atomic_load_n(&board->refusal[i], __ATOMIC_RELAXED);
        out[i] = i == 255 ? '\0' : c == '\0' || isprint((unsigned char)c) ? c : '?';
        if (out[i] == '\0')
            return;
    }
}

static int live_error(const struct sl_board *board, uint64_t generation, struct sl_live live,
                      uint32_t timeout_ms, struct sl_error *error)
{
    char text[256];

    switch (live.state) {
    case SL_LIVE_YES:
        return 0;
    case SL_LIVE_REFUSED:
        sl_board_refusal(board, text);
        return sl_error_set(error, -EBADMSG, "%s", text);
    case SL_LIVE_STOPPED:
        return sl_error_set(error, -ENOTCONN,
                            "generation %" PRIu64 " is published, but no data plane runs: it takes "
                            "it when started (systemctl start sluice-dp)",
                            generation);
    case SL_LIVE_PENDING:
        break;
    }
    return sl_error_set(error, -ETIMEDOUT,
                        "generation %" PRIu64 " is live on %u of %u workers after %u ms: see "
                        "'sluicectl worker' for one that hangs",
                        generation, live.workers_live, live.workers, timeout_ms);
}

int sl_board_wait_live(const struct sl_board *board, uint64_t generation, uint32_t timeout_ms,
                       struct sl_error *error)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    uint64_t now_ns = sl_board_now_ns();
    uint64_t end_ns = now_ns + timeout_ms * 1000000ull;
    struct sl_live live = sl_board_live(board, generation, now_ns);

    while (live.state == SL_LIVE_PENDING && now_ns < end_ns) {
        nanosleep(&pause, NULL);
        now_ns = sl_board_now_ns();
        live = sl_board_live(board, generation, now_ns);
    }
    return live_error(board, generation, live, timeout_ms, error);
}
