// SPDX-License-Identifier: Apache-2.0
// The event loop: heartbeats, the data plane's comings and goings, signals, confirm deadlines. See daemon.h.
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "announce/announce.h"
#include "config/load.h"
#include "daemon.h"
#include "journal.h"
#include "log.h"
#include "netlink/twins.h"
#include "notify.h"
#include "serve/metrics.h"
#include "state/stored.h"

#define QUICK_MS 1

uint64_t daemon_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t clock_hook(void *context)
{
    return daemon_now_ns();
}

const struct sl_counter_segment *daemon_counters(struct daemon *daemon)
{
    if (!daemon->counters)
        sl_counters_open(daemon->options.run_dir, &daemon->counters, NULL);
    return daemon->counters;
}

// ---- outcomes of applies nobody at the socket asked for ---------------------------------------------------------

static void report(const char *what, const struct apply_outcome *outcome)
{
    journal_diagnostics(&outcome->diag);
    journal_apply(what, "sluiced", outcome);
}

static void applied_at_hangup(void *context, const struct apply_outcome *outcome)
{
    report("apply", outcome);
}

static void gone_back(void *context, const struct apply_outcome *outcome)
{
    report("revert", outcome);
}

static void healed(void *context, const struct apply_outcome *outcome)
{
    report("rebuild", outcome);
}

static void applied_at_start(void *context, const struct apply_outcome *outcome)
{
    struct daemon *daemon = context;

    report("start", outcome);
    daemon->first_failed = outcome->status != APPLY_OK;
}

static struct apply_request own_request(const struct daemon *daemon, const char *comment)
{
    return (struct apply_request){
        .path = daemon->options.config_path, .uid = getuid(), .user = "sluiced", .comment = comment};
}

// ---- timers -----------------------------------------------------------------------------------------------------

void daemon_hurry(struct daemon *daemon)
{
    struct timeval soon = {.tv_usec = QUICK_MS * 1000};

    evtimer_add(daemon->poll, &soon);
}

static void poll_tick(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;
    uint64_t now_ns = daemon_now_ns();

    apply_tick(&daemon->applier, now_ns);
    forward_poll(daemon, now_ns);
    if (apply_busy(&daemon->applier) || forward_waiting(daemon))
        daemon_hurry(daemon);
}

static void watch_data_plane(struct daemon *daemon)
{
    uint64_t incarnation = __atomic_load_n(&daemon->board->incarnation, __ATOMIC_ACQUIRE);
    uint64_t loaded = __atomic_load_n(&daemon->board->loaded, __ATOMIC_ACQUIRE);

    // Its ports, and with them taps and XDP programs, are there once it has loaded the first generation.
    if (incarnation == daemon->incarnation || loaded == 0 ||
        !sl_board_dp_alive(daemon->board, sl_board_now_ns()))
        return;
    log_notice("the data plane (pid %u, start %" PRIu64 ") took generation %" PRIu64, daemon->board->dp_pid,
               incarnation, loaded);
    daemon->incarnation = incarnation;
    sl_counters_close(daemon->counters);
    daemon->counters = NULL;
    balance_counters_anew(daemon->balance);
    prepare_again(daemon);
}

// A data plane that starts looks at every byte of the tables. One that was damaged since it was written is refused,
// and no config change would mend it: the same tables are built anew, once for each start of a data plane.
static void watch_refusal(struct daemon *daemon, uint64_t now_ns)
{
    const struct sl_board *board = daemon->board;
    uint64_t incarnation = __atomic_load_n(&board->incarnation, __ATOMIC_ACQUIRE);
    struct applier *applier = &daemon->applier;
    struct apply_request who = own_request(daemon, NULL);
    char why[256];

    if (!applier->running || apply_busy(applier) || incarnation == daemon->healed ||
        sl_board_live(board, applier->running->generation, sl_board_now_ns()).state != SL_LIVE_REFUSED)
        return;
    daemon->healed = incarnation;
    sl_board_refusal(board, why);
    log_warning("the data plane refused generation %" PRIu64 ": %s; building all tables anew",
                applier->running->generation, why);
    if (apply_heal(applier, &who, now_ns, healed, daemon) == 0)
        daemon_hurry(daemon);
}

static void came_late(void *context, const struct apply_outcome *outcome)
{
    report("retry by the data plane", outcome);
}

// Reported as refused when sluiced started, taken after all: an interface came. It is the running config from then on.
static void watch_late(struct daemon *daemon, uint64_t now_ns)
{
    struct sl_error notes = {{0}};

    if (apply_came_late(&daemon->applier, now_ns, came_late, daemon, &notes)) {
        log_notice("generation %" PRIu64 ", which was refused, is live now: what it needs has come",
                   daemon->applier.outcome.generation);
        daemon->first_failed = false;
        daemon_hurry(daemon);
    }
    if (notes.text[0])
        log_warning("%s", notes.text);
}

static void watch_confirm(struct daemon *daemon, uint64_t now_ns)
{
    struct applier *applier = &daemon->applier;

    if (!applier->confirm_deadline_ns || now_ns < applier->confirm_deadline_ns || apply_busy(applier))
        return;
    log_warning("the config was not confirmed in time: going back");
    struct apply_request who = own_request(daemon, NULL);
    if (apply_revert_unconfirmed(applier, &who, now_ns, gone_back, daemon) == 0)
        daemon_hurry(daemon);
    else
        log_error("there is nothing to go back to: %s/%s cannot be read", daemon->options.state_dir,
                  STORED_CONFIRM);
}

static void beat_tick(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;
    uint64_t now_ns = daemon_now_ns();

    sl_board_control_beat(daemon->board, (uint32_t)getpid(), sl_board_now_ns());
    watch_confirm(daemon, now_ns);
    if (!apply_busy(&daemon->applier))
        apply_tick(&daemon->applier, now_ns); // lets memory of the route table be used again
    watch_refusal(daemon, now_ns);
    watch_late(daemon, now_ns);
    watch_data_plane(daemon);
    prepare_due(daemon);
    announce_tick(daemon->announce);
    if (daemon->watchdog_every_ms && now_ns - daemon->watchdog_ns > daemon->watchdog_every_ms * 1000000ull) {
        notify_send("WATCHDOG=1");
        daemon->watchdog_ns = now_ns;
    }
}

static void on_hangup(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;
    struct apply_request request = own_request(daemon, "SIGHUP");

    log_notice("SIGHUP: applying %s", request.path);
    if (apply_start(&daemon->applier, &request, daemon_now_ns(), applied_at_hangup, daemon) == -EBUSY)
        log_warning("SIGHUP: another apply is under way: send it again");
    daemon_hurry(daemon);
}

static void on_end(evutil_socket_t fd, short what, void *context)
{
    struct daemon *daemon = context;

    log_notice("ending; the data plane goes on with generation %" PRIu64, daemon->board->published);
    notify_send("STOPPING=1");
    event_base_loopbreak(daemon->base);
}

static int add_events(struct daemon *daemon)
{
    struct timeval every = {.tv_usec = SL_HEARTBEAT_EVERY_MS * 1000};

    daemon->base = event_base_new();
    if (!daemon->base)
        return -ENOMEM;
    daemon->beat = event_new(daemon->base, -1, EV_PERSIST, beat_tick, daemon);
    daemon->poll = evtimer_new(daemon->base, poll_tick, daemon);
    daemon->signals[0] = evsignal_new(daemon->base, SIGHUP, on_hangup, daemon);
    daemon->signals[1] = evsignal_new(daemon->base, SIGTERM, on_end, daemon);
    daemon->signals[2] = evsignal_new(daemon->base, SIGINT, on_end, daemon);
    if (!daemon->beat || !daemon->poll || event_add(daemon->beat, &every))
        return -ENOMEM;
    for (int i = 0; i < 3; i++)
        if (!daemon->signals[i] || event_add(daemon->signals[i], NULL))
            return -ENOMEM;
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

// ---- start ------------------------------------------------------------------------------------------------------

// Waits for an apply at start outside of the event loop: until then there is nothing to serve.
static void finish_apply(struct daemon *daemon)
{
    while (apply_busy(&daemon->applier)) {
        usleep(QUICK_MS * 1000);
        sl_board_control_beat(daemon->board, (uint32_t)getpid(), sl_board_now_ns());
        apply_tick(&daemon->applier, daemon_now_ns());
    }
}

static void apply_first_text(struct daemon *daemon, const char *name, const char *comment, bool rebuild)
{
    struct stored stored;
    struct apply_request request = own_request(daemon, comment);

    if (stored_read(daemon->options.state_dir, name, &stored, NULL))
        return;
    request.path = "the stored config";
    request.text = stored.text;
    request.length = stored.length;
    request.rebuild = rebuild;
    apply_start(&daemon->applier, &request, daemon_now_ns(), applied_at_start, daemon);
    finish_apply(daemon);
    stored_fini(&stored);
}

static void apply_first(struct daemon *daemon)
{
    struct apply_request request = own_request(daemon, "start");

    // Killed, or the machine lost, while an unconfirmed config ran: it has had its chance.
    if (daemon->applier.confirm_deadline_ns) {
        log_warning("the last config was never confirmed: starting with the one before it");
        apply_first_text(daemon, STORED_CONFIRM, "not confirmed: reverted", false);
        if (!daemon->first_failed) {
            apply_confirm(&daemon->applier);
            return;
        }
    }
    apply_start(&daemon->applier, &request, daemon_now_ns(), applied_at_start, daemon);
    finish_apply(daemon);
    if (!daemon->first_failed)
        return;
    apply_first_text(daemon, STORED_RUNNING, "start: the config file is broken", false);
    if (!daemon->first_failed)
        log_warning(
            "%s could not be applied: started with the config that ran last; mend it and run 'sluicectl "
            "config apply'",
            daemon->options.config_path);
}

static int take_up(struct daemon *daemon, struct sl_error *error)
{
    struct sl_error notes;
    enum take_up what = apply_take_up(&daemon->applier, daemon_now_ns(), &notes);

    if (notes.text[0])
        log_warning("%s", notes.text);
    memcpy(daemon->take_up_note, notes.text, sizeof(notes.text));
    switch (what) {
    case TAKE_UP_RUNNING:
        log_notice("took up generation %" PRIu64 ", nothing published", daemon->applier.running->generation);
        break;
    case TAKE_UP_PENDING:
        log_notice("generation %" PRIu64 " was published when the last sluiced ended: waiting for it",
                   daemon->applier.outcome.generation);
        daemon->applier.done = applied_at_start;
        daemon->applier.done_context = daemon;
        finish_apply(daemon);
        if (daemon->first_failed && !daemon->applier.running)
            apply_first_text(daemon, STORED_RUNNING, "the one after it was refused", true);
        if (daemon->first_failed && !daemon->applier.running)
            apply_first(daemon); // the file may have been mended
        daemon->first_failed = false;
        break;
    case TAKE_UP_REBUILD:
        log_notice("the last sluiced ended while it changed routes: building the route table anew");
        apply_first_text(daemon, STORED_RUNNING, "routes built anew", true);
        daemon->first_failed = false;
        break;
    case TAKE_UP_NOTHING:
        apply_first(daemon);
        break;
    }
    if (daemon->first_failed && daemon->board->published == 0)
        return sl_error_set(error, -EINVAL, "no config could be applied: mend %s and start again",
                            daemon->options.config_path);
    return 0;
}

static int open_shared(struct daemon *daemon, struct sl_error *error)
{
    const char *run_dir = daemon->options.run_dir;

    int rc = sl_run_dir_make(run_dir, error);
    if (rc)
        return rc;
    daemon->claim = sl_run_dir_claim(run_dir, "control", error);
    if (daemon->claim < 0)
        return daemon->claim;
    rc = state_dir_make(daemon->options.state_dir, error);
    if (rc == 0)
        rc = sl_board_open(run_dir, &daemon->board, error);
    if (rc == 0)
        rc = sl_ring_open_producer(run_dir, SL_RING_COMMAND, SL_RING_DEFAULT, &daemon->command, error);
    if (rc == 0)
        rc = sl_ring_open_consumer(run_dir, SL_RING_EVENT, SL_RING_DEFAULT, &daemon->event, error);
    return rc;
}

static void links_changed(void *context)
{
    struct daemon *daemon = context;
    struct sl_error error;

    if (daemon->applier.running && twins_sync(daemon->twins, daemon->applier.running, &error))
        log_warning("twins: %s", error.text);
}

static void on_netlink(evutil_socket_t fd, short what, void *context)
{
    twins_read(((struct daemon *)context)->twins);
}

// Without the right to configure links all else still works: say so and go on.
static void open_twins(struct daemon *daemon)
{
    struct sl_error error;

    if (twins_new(links_changed, daemon, &daemon->twins, &error)) {
        memcpy(daemon->twins_why, error.text, sizeof(daemon->twins_why));
        log_warning("kernel twins are not configured: %s", error.text);
        return;
    }
    struct event *readable =
        event_new(daemon->base, twins_fd(daemon->twins), EV_READ | EV_PERSIST, on_netlink, daemon);
    daemon->netlink = readable;
    if (readable)
        event_add(readable, NULL);
}

static void open_announce(struct daemon *daemon)
{
    struct sl_error error;

    if (announce_new(daemon, &daemon->announce, &error))
        log_warning("services are not announced: %s", error.text);
}

static void say(void *context, const char *text)
{
    log_notice("%s", text);
}

static int open_balance(struct daemon *daemon)
{
    daemon->balance = balance_new(daemon->base, &daemon->applier, &(struct balance_say){.say = say});
    return daemon->balance ? 0 : -ENOMEM;
}

// Tables are compiled with what is known of their members.
static void member_state(void *context, const struct sl_config_server_pool *pool,
                         const struct sl_config_member *member, const struct balance_member_key *key,
                         struct member_state *state)
{
    balance_member_state(((struct daemon *)context)->balance, pool, member, key, state);
}

static void foresee(void *context, const struct snapshot *snapshot)
{
    balance_foresee(((struct daemon *)context)->balance, snapshot);
}

int daemon_init(struct daemon *daemon, const struct options *options, struct sl_error *error)
{
    struct apply_hooks hooks = {
        .context = daemon,
        .prepare = prepare_xdp,
        .foresee = foresee,
        .live = prepare_live,
        .member_state = member_state,
        .clock_ns = clock_hook,
    };

    memset(daemon, 0, sizeof(*daemon));
    daemon->options = *options;
    daemon->claim = -1;
    daemon->next_command = 1;
    daemon->start_ns = daemon_now_ns();
    daemon->watchdog_every_ms = notify_watchdog_every_ms();
    int rc = open_shared(daemon, error);
    if (rc)
        return rc;
    if (add_events(daemon))
        return sl_error_set(error, -ENOMEM, "out of memory");
    rc = server_new(daemon->base, options->socket_path, options->socket_group, command_request, daemon,
                    &daemon->server, error);
    if (rc)
        return rc;
    if (options->metrics) {
        rc = metrics_new(daemon, options->metrics, &daemon->metrics, error);
        if (rc)
            return rc;
    }
    open_twins(daemon);
    open_announce(daemon);
    sl_board_control_beat(daemon->board, (uint32_t)getpid(), sl_board_now_ns());
    apply_init(&daemon->applier, options->run_dir, options->state_dir, daemon->board, &hooks);
    daemon->applier.aside = true;
    if (open_balance(daemon))
        return sl_error_set(error, -ENOMEM, "out of memory");
    rc = take_up(daemon, error);
    if (rc == 0)
        balance_sync(daemon->balance);
    return rc;
}

int daemon_run(struct daemon *daemon)
{
    watch_data_plane(daemon);
    notify_send("READY=1");
    return event_base_dispatch(daemon->base) < 0 ? 1 : 0;
}

void daemon_fini(struct daemon *daemon)
{
    server_free(daemon->server);
    work_end(&daemon->applier.work); // it may be with the balance
    metrics_free(daemon->metrics);
    forward_fini(daemon);
    balance_free(daemon->balance);
    apply_fini(&daemon->applier);
    announce_free(daemon->announce);
    if (daemon->netlink)
        event_free(daemon->netlink);
    twins_free(daemon->twins);
    if (daemon->xdp)
        prefilter_xdp_close(daemon->xdp);
    for (int i = 0; i < 3; i++)
        if (daemon->signals[i])
            event_free(daemon->signals[i]);
    if (daemon->beat)
        event_free(daemon->beat);
    if (daemon->poll)
        event_free(daemon->poll);
    if (daemon->base)
        event_base_free(daemon->base);
    sl_ring_close(&daemon->command);
    sl_ring_close(&daemon->event);
    sl_counters_close(daemon->counters);
    sl_board_close(daemon->board);
    if (daemon->claim >= 0)
        close(daemon->claim);
}
