// SPDX-License-Identifier: Apache-2.0
// A member is well where a program says so by ending with 0. Run without a shell, in a process group of its own, with
// nothing of ours but a pipe it may say a line on. Its end is an event on a pidfd, so nobody else's children are
// touched. At the timeout the whole group is killed; until it is reaped the member has no other run.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "health/engine.h"

#define ARGUMENTS_MOST 32
#define WORDS_BYTES    64

struct script_run {
    struct watch watch; // of pidfd
    TAILQ_ENTRY(script_run) run;
    struct target *owner; // NULL: nobody waits for its verdict any more
    uint64_t id;          // of the target
    pid_t pid;
    int pidfd, output;
};

struct script_check {
    struct script_run *run;
};

static int accept_wish(const struct health_wish *wish, struct sl_error *error)
{
    const struct health_script_wish *script = &wish->script;

    if (!script->path || script->path[0] != '/')
        return sl_error_set(error, -EINVAL, "a script check needs the absolute path of a program");
    if (script->argument_count > ARGUMENTS_MOST)
        return sl_error_set(error, -EINVAL, "%s: at most %u arguments", script->path, ARGUMENTS_MOST);
    if (access(script->path, X_OK) < 0)
        return sl_error_set(error, -EINVAL, "%s: cannot be run: %s", script->path, strerror(errno));
    return 0;
}

static void last_run_gone(struct health *health, uint64_t id);

// ---- its end ----------------------------------------------------------------------------------------------------

static void run_free(struct health *health, struct script_run *run)
{
    TAILQ_REMOVE(&health->scripts, run, run);
    if (run->owner)
        ((struct script_check *)run->owner->room)->run = NULL;
    if (run->pidfd >= 0)
        close(run->pidfd);
    if (run->output >= 0)
        close(run->output);
    free(run);
}

// The first line it wrote, without what would disturb a terminal.
static void first_line(int fd, char words[WORDS_BYTES])
{
    ssize_t len = read(fd, words, WORDS_BYTES - 1);

    words[len > 0 ? len : 0] = '\0';
    words[strcspn(words, "\r\n")] = '\0';
    for (char *at = words; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
}

static void run_verdict(struct health *health, struct target *target, const siginfo_t *end, const char *words)
{
    const char *between = words[0] ? ": " : "";

    if (end->si_code == CLD_EXITED && end->si_status == 0)
        check_good(health, target, "script: exit 0");
    else if (end->si_code == CLD_EXITED)
        check_bad(health, target, "script: exit %d%s%s", end->si_status, between, words);
    else
        check_bad(health, target, "script: killed by signal %d%s%s", end->si_status, between, words);
}

static void on_exit_of(struct health *health, struct watch *watch, uint32_t events)
{
    struct script_run *run = (struct script_run *)watch;
    struct target *owner = run->owner;
    siginfo_t end = {0};
    char words[WORDS_BYTES];

    if (waitid(P_PIDFD, (id_t)run->pidfd, &end, WEXITED | WNOHANG) == 0 && end.si_pid == 0)
        return;
    kill(-run->pid, SIGKILL); // what it left running in its group
    first_line(run->output, words);
    uint64_t id = run->id;
    run_free(health, run);
    if (owner)
        run_verdict(health, owner, &end, words);
    else
        last_run_gone(health, id);
}

// Not reaped, so the pid cannot be another's. Its end comes as an event.
static void disown(struct script_run *run)
{
    kill(-run->pid, SIGKILL);
    ((struct script_check *)run->owner->room)->run = NULL;
    run->owner = NULL;
}

void scripts_fini(struct health *health)
{
    struct script_run *run;

    while ((run = TAILQ_FIRST(&health->scripts))) {
        kill(-run->pid, SIGKILL);
        waitid(P_PID, (id_t)run->pid, &(siginfo_t){0}, WEXITED);
        run_free(health, run);
    }
}

// ---- its start --------------------------------------------------------------------------------------------------

struct words {
    char address[SL_IP_TEXT], port[8];
    char environment[2][80];
    const char *argument[ARGUMENTS_MOST + 2];
    const char *environ[4];
};

static const char *stands_for(const struct words *words, const char *argument)
{
    if (strcmp(argument, "{address}") == 0)
        return words->address;
    return strcmp(argument, "{port}") == 0 ? words->port : argument;
}

static void words_make(const struct health_wish *wish, struct words *words)
{
    unsigned n = 0;

    sl_ip_format(&wish->address, words->address);
    snprintf(words->port, sizeof(words->port), "%u", wish->port);
    snprintf(words->environment[0], 80, "SLUICE_ADDRESS=%s", words->address);
    snprintf(words->environment[1], 80, "SLUICE_PORT=%s", words->port);
    words->environ[0] = words->environment[0];
    words->environ[1] = words->environment[1];
    words->environ[2] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    words->environ[3] = NULL;
    words->argument[n++] = wish->script.path;
    for (unsigned i = 0; i < wish->script.argument_count; i++)
        words->argument[n++] = stands_for(words, wish->script.arguments[i]);
    words->argument[n] = NULL;
}

static int spawn(const struct health_wish *wish, int output, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    struct words words;
    sigset_t none, defaults;

    words_make(wish, &words);
    sigemptyset(&none);
    sigfillset(&defaults); // we ignore SIGPIPE; it need not
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_adddup2(&files, output, 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &defaults);
    int error = posix_spawn(pid, wish->script.path, &files, &how, (char *const *)(uintptr_t)words.argument,
                            (char *const *)(uintptr_t)words.environ);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static int run_spawn(struct health *health, struct script_run *run, const struct health_wish *wish)
{
    int pipes[2];

    if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
        return errno;
    run->output = pipes[0];
    int error = spawn(wish, pipes[1], &run->pid);
    close(pipes[1]);
    if (error)
        return error;
    run->pidfd = pidfd_open(run->pid, 0);
    error = run->pidfd < 0 ? errno : socket_watch(health, &run->watch, run->pidfd, EPOLLIN);
    if (error) {
        kill(-run->pid, SIGKILL);
        waitid(P_PID, (id_t)run->pid, &(siginfo_t){0}, WEXITED);
    }
    return error;
}

static void begin_run(struct health *health, struct target *target)
{
    struct script_run *run = calloc(1, sizeof(*run));

    if (!run) {
        check_failed(health, target, "script", ENOMEM);
        return;
    }
    *run = (struct script_run){
        .watch.ready = on_exit_of, .owner = target, .id = target->id, .pidfd = -1, .output = -1};
    TAILQ_INSERT_TAIL(&health->scripts, run, run);
    ((struct script_check *)target->room)->run = run;
    int error = run_spawn(health, run, &target->wish);
    if (error == 0)
        return;
    run_free(health, run);
    // A program that is gone or broken since it was wished speaks of us, not of the member.
    check_not_checked(health, target, "not checked: %.60s: %s", target->wish.script.path, error_word(error));
}

static bool still_running(const struct health *health, uint64_t id)
{
    const struct script_run *run;

    TAILQ_FOREACH(run, &health->scripts, run)
    if (run->id == id)
        return true;
    return false;
}

// One that was killed takes a moment to end: the new run begins with that event.
static void start(struct health *health, struct target *target)
{
    if (!still_running(health, target->id))
        begin_run(health, target);
}

static void last_run_gone(struct health *health, uint64_t id)
{
    struct target *target = target_find(health, id);

    if (target && target->running && target->kind == &check_script &&
        !((struct script_check *)target->room)->run)
        begin_run(health, target);
}

static void late(struct health *health, struct target *target)
{
    const struct script_check *check = target->room;

    if (check->run)
        check_bad(health, target, "script: killed, not done within %u ms",
                  (unsigned)(target->pace.timeout_ns / 1000000));
    else
        check_not_checked(health, target, "not checked: the last run of %.60s was killed and has not ended",
                          target->wish.script.path);
}

static void stop(struct health *health, struct target *target)
{
    struct script_check *check = target->room;

    if (check->run)
        disown(check->run);
}

const struct check_kind check_script = {
    .name = "script",
    .lane = LANE_SCRIPT,
    .room_bytes = sizeof(struct script_check),
    .accept = accept_wish,
    .start = start,
    .late = late,
    .stop = stop,
};
