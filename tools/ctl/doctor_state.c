// SPDX-License-Identifier: Apache-2.0
// The gateway itself: run directory, board, daemons, generation, drops. Read from the board where sluiced is down. One
// thread.
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "doctor.h"
#include "show.h"

#define SAMPLE_MS 1000 // between two looks at the drops

static const char *run_dir_of(const struct doctor *doctor)
{
    const char *told = get_text(json_object_get(doctor->status, "control"), "run_dir");

    return told[0] ? told : doctor->ctl->run_dir;
}

// false where looking further makes no sense.
static bool check_board(struct doctor *doctor)
{
    const char *run_dir = run_dir_of(doctor);
    const struct sl_board *board;
    struct sl_error error = {0};
    struct stat status;

    if (stat(run_dir, &status) != 0) {
        doctor_find(doctor, DOCTOR_BAD, "run dir", "systemctl start sluiced sluice-dp",
                    "%s: %s: no daemon has run yet", run_dir, strerror(errno));
        return false;
    }
    if (sl_board_open_readonly(run_dir, &board, &error) != 0) {
        doctor_find(doctor, DOCTOR_BAD, "contract",
                    "install sluice-dp, sluiced and sluicectl of one version and restart them", "%s",
                    error.text);
        return false;
    }
    doctor_find(doctor, DOCTOR_GOOD, "contract", NULL, "%s/board has version %u.%u, as this tool", run_dir,
                board->segment.major, board->segment.minor);
    sl_board_close(board);
    return true;
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool is_alive(uint32_t pid)
{
    return pid && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static bool check_daemon(struct doctor *doctor, const char *name, uint32_t pid, uint64_t heartbeat_ns)
{
    uint64_t now = now_ns(), age_ms = now > heartbeat_ns ? (now - heartbeat_ns) / 1000000 : 0;
    char mend[64];

    snprintf(mend, sizeof(mend), "systemctl restart %s; journalctl -u %s", name, name);
    if (!is_alive(pid))
        doctor_find(doctor, DOCTOR_BAD, name, mend, "%s does not run%s", name,
                    strcmp(name, "sluiced") == 0 ? ": traffic flows on the last good tables"
                                                 : ": no packet moves");
    else if (age_ms > SL_HEARTBEAT_STALE_NS / 1000000)
        doctor_find(doctor, DOCTOR_BAD, name, mend, "%s (pid %u) is there but silent for %" PRIu64 " ms",
                    name, pid, age_ms);
    else {
        doctor_find(doctor, DOCTOR_GOOD, name, NULL, "%s runs (pid %u), heard of %" PRIu64 " ms ago", name,
                    pid, age_ms);
        return true;
    }
    return false;
}

static void check_socket(struct doctor *doctor)
{
    if (doctor->status)
        doctor_find(doctor, DOCTOR_GOOD, "socket", NULL, "sluiced answers on %s", doctor->ctl->socket);
    else
        doctor_find(doctor, DOCTOR_BAD, "socket", "systemctl start sluiced, or name its socket with -s",
                    "sluiced does not answer on %s", doctor->ctl->socket);
}

static void check_generation(struct doctor *doctor)
{
    const struct sl_board *board = doctor->board;
    uint32_t live = 0;

    for (uint32_t i = 0; i < board->worker_count && i < SL_MAX_WORKERS; i++)
        live += board->worker[i].live_generation == board->published;
    if (!board->published)
        doctor_find(doctor, DOCTOR_BAD, "generation", "sluicectl config apply FILE",
                    "no config was ever applied");
    else if (board->refused == board->published)
        doctor_find(doctor, DOCTOR_BAD, "generation", "sluicectl config apply FILE",
                    "the data plane refused generation %" PRIu64 ": %.255s", board->published,
                    board->refusal);
    else if (live < board->worker_count)
        doctor_find(doctor, DOCTOR_BAD, "generation",
                    "sluicectl worker; systemctl restart sluice-dp where one stands still",
                    "generation %" PRIu64 " is live on %u of %u workers", board->published, live,
                    board->worker_count);
    else
        doctor_find(doctor, DOCTOR_GOOD, "generation", NULL,
                    "generation %" PRIu64 " is live on %u/%u workers", board->published, live,
                    board->worker_count);
}

// The reason that grows fastest, of two looks a second apart.
static void check_drops(struct doctor *doctor)
{
    json_t *before = ctl_ask(doctor->ctl, "drops", NULL), *after, *drop;
    uint64_t most = 0;
    const json_t *worst = NULL;
    size_t i;

    if (!before)
        return;
    poll(NULL, 0, SAMPLE_MS);
    after = ctl_ask(doctor->ctl, "drops", NULL);
    json_array_foreach(json_object_get(after, "drops"), i, drop)
    {
        const json_t *old = show_match(before, "drops", "reason", drop);
        uint64_t was = old ? get_number(old, "packets") : 0, is = get_number(drop, "packets");

        if (is > was && is - was > most) {
            most = is - was;
            worst = drop;
        }
    }
    if (worst)
        doctor_find(doctor, DOCTOR_HINT, "drops", "sluicectl -w drops",
                    "%" PRIu64 " packets a second are dropped as %s: %s", most, get_text(worst, "reason"),
                    get_text(worst, "text"));
    else if (after)
        doctor_find(doctor, DOCTOR_GOOD, "drops", NULL, "nothing was dropped within a second");
    json_decref(before);
    json_decref(after);
}

void doctor_state(struct doctor *doctor)
{
    json_t *warning;
    size_t i;

    check_socket(doctor);
    if (check_board(doctor) && doctor->board) {
        check_daemon(doctor, "sluiced", doctor->board->control_pid, doctor->board->control_heartbeat_ns);
        if (check_daemon(doctor, "sluice-dp", doctor->board->dp_pid, doctor->board->dp_heartbeat_ns))
            check_generation(doctor);
    }
    json_array_foreach(json_object_get(doctor->status, "warnings"), i, warning)
        doctor_find(doctor, DOCTOR_HINT, "status", NULL, "%s", json_string_value(warning));
    check_drops(doctor);
}
