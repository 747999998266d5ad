// SPDX-License-Identifier: Apache-2.0
// The board: the one small file both daemons write (each its own lines) and anyone reads. Who is alive, what
// is published, what is live, what was refused. Called by control and housekeeping; workers store their own
// line only.
#ifndef SL_SHM_BOARD_H
#define SL_SHM_BOARD_H

#include <stdbool.h>
#include "shm/segment.h"

#define SL_HEARTBEAT_EVERY_MS 100u        // how often each daemon writes its heartbeat
#define SL_HEARTBEAT_STALE_NS 5000000000u // older than this: the writer is taken for dead

// Opens the board, making it where it is missing; either daemon may come first, both may come at once.
int sl_board_open(const char *run_dir, struct sl_board **board, struct sl_error *error);
// For those who only look. -ENOENT where neither daemon has run.
int sl_board_open_readonly(const char *run_dir, const struct sl_board **board, struct sl_error *error);
void sl_board_close(const struct sl_board *board); // NULL is harmless

// CLOCK_MONOTONIC in ns, the clock of every heartbeat.
uint64_t sl_board_now_ns(void);

// Data plane, housekeeping thread. Start: counts the incarnation, empties the workers' lines of the last one
// (their generations are not live any more), then beats. Every loop pass: beat. At a clean end: stop.
void sl_board_dp_start(struct sl_board *board, uint32_t pid, uint32_t worker_count, uint64_t tsc_hz,
                       uint64_t now_ns);
void sl_board_dp_beat(struct sl_board *board, uint64_t now_ns);
void sl_board_dp_stop(struct sl_board *board);
// Says that `generation` passed its checks and was handed to the workers.
void sl_board_dp_loaded(struct sl_board *board, uint64_t generation);
// Says that `generation` was refused: the text is whole before the number is seen.
void sl_board_dp_refuse(struct sl_board *board, uint64_t generation, const char *text);

// Control.
void sl_board_control_beat(struct sl_board *board, uint32_t pid, uint64_t now_ns);

// A process that was killed does not say so, and its last heartbeat looks good for a while. It beats every
// SL_HEARTBEAT_EVERY_MS: one that missed three and has no process, or whose pid is another's now, is gone.
bool sl_board_dp_gone(const struct sl_board *board, uint64_t now_ns);
// Its heartbeat is fresh and it is not gone.
bool sl_board_dp_alive(const struct sl_board *board, uint64_t now_ns);
bool sl_board_control_alive(const struct sl_board *board, uint64_t now_ns);

// Worker: echoes the generation whose tables it now uses, after its last use of the older ones.
static inline void sl_board_worker_live(struct sl_board_worker *worker, uint64_t generation)
{
    __atomic_store_n(&worker->live_generation, generation, __ATOMIC_RELEASE);
}

enum sl_live_state {
    SL_LIVE_PENDING, // the data plane runs, not every worker has taken it yet
    SL_LIVE_YES,     // every worker uses this generation or a newer one
    SL_LIVE_REFUSED, // its tables did not pass the checks; the text is sl_board.refusal
    SL_LIVE_STOPPED, // no data plane runs; it will take the generation when it starts
};

struct sl_live {
    enum sl_live_state state;
    uint32_t workers_live; // of
    uint32_t workers;
};

// How far a published generation is. Never waits: for event loops.
struct sl_live sl_board_live(const struct sl_board *board, uint64_t generation, uint64_t now_ns);

// Waits for it, looking every millisecond. 0 once live on all workers; -EBADMSG refused (the text is the data
// plane's sentence); -ENOTCONN no data plane; -ETIMEDOUT not all in `timeout_ms` (the text says how many).
int sl_board_wait_live(const struct sl_board *board, uint64_t generation, uint32_t timeout_ms,
                       struct sl_error *error);

// Copies the refusal sentence, whatever bytes are there, NUL-terminated and printable.
void sl_board_refusal(const struct sl_board *board, char out[256]);

#endif
