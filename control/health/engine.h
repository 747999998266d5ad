// SPDX-License-Identifier: Apache-2.0
// The engine's inside, shared by control/health alone: targets, the interface of a kind of check, the schedule.
//
// All sockets hang on one epoll descriptor of the engine's own, which is the only thing libevent sees: a check costs
// one EPOLL_CTL_ADD (closing takes it out again), nothing is allocated for it, and one timerfd beside them wakes us
// for what is due.
//
// A target is in the heap exactly once, under the next moment at which something is to be done for it: begin a check,
// give one up, or let the state machine look at the clock. Main thread.
#ifndef HEALTH_ENGINE_H
#define HEALTH_ENGINE_H

#include <sys/queue.h>
#include <sys/socket.h>
#include "health/health.h"
#include "health/state.h"

#define SAID_BYTES  128
#define NOT_IN_HEAP UINT32_MAX
#define SLACK_NS    1000000ull // what is due within it is done in one go
#define START_BURST 128        // checks begun before the loop gets a turn: about 3 ms
#define READY_BURST 256
#define TURN_NS                                                                                              \
    4000000ull // answers are looked at so long before the loop gets a turn: TLS handshakes compute

struct target;

// What an epoll event points to.
struct watch {
    void (*ready)(struct health *health, struct watch *watch, uint32_t events);
};

enum lane { LANE_CHECK, LANE_SCRIPT, LANES }; // each with its limit

// A kind of check: a const table each. `room_bytes` of zeroed memory are kept with each target.
struct check_kind {
    const char *name;
    enum lane lane;
    size_t room_bytes;
    int (*accept)(const struct health_wish *wish, struct sl_error *error); // may it be wished? 0 or -EINVAL
    int (*prepare)(struct health *health, struct target *target,
                   struct sl_error *error);                       // once per wish; or NULL
    void (*forget)(struct health *health, struct target *target); // undoes prepare; or NULL
    void (*start)(struct health *health, struct target *target);
    void (*ready)(struct health *health, struct target *target, uint32_t events);
    void (*late)(struct health *health,
                 struct target *target); // the timeout is over: say what was waited for
    void (*stop)(struct health *health, struct target *target); // lets go of what a check holds, done or not
};

extern const struct check_kind check_tcp, check_http, check_https, check_icmp, check_udp, check_script;
const struct check_kind *check_kind_of(enum health_kind kind);

struct target {
    struct watch watch; // of `fd`
    uint64_t id;
    struct target *same_hash; // next in the bucket
    uint32_t place;           // in health->target
    uint32_t heap_at;
    uint64_t key_ns; // in the heap
    struct health_wish wish;
    struct health_rules rules;
    struct health_pace pace;
    struct health_machine machine;
    const struct check_kind *kind;
    void *room; // the kind's
    int fd;
    bool running, queued, dead, first, hurried;
    TAILQ_ENTRY(target) queue; // due, but the lane is full; or dead, to be freed
    uint64_t planned_ns;       // start of the check under way, as planned; next one's where none is
    uint64_t started_ns, deadline_ns;
    uint64_t since_ms, last_at_ms; // Unix time
    uint32_t last_us;
    enum health_verdict last_verdict;
    const char *said; // last result: text that lives for ever, or said_text
    char said_text[SAID_BYTES];
    uint64_t good, bad, not_checked;
};

TAILQ_HEAD(target_queue, target);

struct health {
    struct event_base *base;
    struct health_hooks hooks;
    struct event *readable; // the epoll descriptor, in libevent
    int epoll_fd, timer_fd;
    struct watch timer;
    uint64_t armed_ns; // UINT64_MAX: not
    uint64_t now_ns;   // CLOCK_MONOTONIC, as of this turn
    uint64_t random;
    bool in_turn;
    struct target **target; // all of them, in no order
    uint32_t targets, target_room;
    struct target **bucket;
    uint32_t buckets; // a power of two
    struct target **heap;
    uint32_t heaped;
    uint32_t running[LANES], most[LANES], waiting;
    struct target_queue queue[LANES], dead;
    uint64_t checks, verdicts[3];
    uint64_t late_ns, late_before_ns,
        late_window_ns; // most that a check began late: this window's, the last one's
    char environment[160];
    struct icmp *icmp;                // check_icmp.c
    struct tls *tls;                  // tls.c
    TAILQ_HEAD(, script_run) scripts; // check_script.c
    struct store *store;              // store.c
};

// ---- table.c ----
struct target *target_find(const struct health *health, uint64_t id);
int target_insert(struct health *health, struct target *target); // 0 or -ENOMEM
void target_extract(struct health *health, struct target *target);
uint64_t target_hash(uint64_t id);

// ---- wish.c ----
int wish_accept(const struct health_wish *wish, struct sl_error *error);
int wish_copy(struct health_wish *to, const struct health_wish *from); // 0 or -ENOMEM
void wish_fini(struct health_wish *wish);
bool wish_same_member(const struct health_wish *a, const struct health_wish *b);
bool wish_same_check(const struct health_wish *a,
                     const struct health_wish *b); // what start() and prepare() look at
bool wish_same_pace(const struct health_wish *a, const struct health_wish *b);

// ---- health.c ----
void targets_bury(struct health *health); // frees what was removed within the turn

// ---- schedule.c ----
void schedule_first(struct health *health, struct target *target);
void schedule_again(struct health *health, struct target *target); // wish or due time of the machine changed
void schedule_now(struct health *health, struct target *target);
void schedule_next(struct health *health, struct target *target); // its check has ended
void schedule_dequeue(struct health *health, struct target *target);
void schedule_forget(struct health *health, struct target *target);
void schedule_arm(struct health *health);
void schedule_turn(struct health *health); // all that is ready or due
uint64_t clock_ns(void);
uint64_t clock_unix_ms(void);

// ---- verdict.c: how a check ends. The target may be gone after these: the hook may remove it. ----
void check_good(struct health *health, struct target *target, const char *lasting_text);
void check_bad(struct health *health, struct target *target, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// The member is not to blame: a sentence what is, for the report of this target and for the totals.
void check_not_checked(struct health *health, struct target *target, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// By errno: our own lack (files, rights, memory) is not checked, all else is bad. "what: why".
void check_failed(struct health *health, struct target *target, const char *what, int error);
void check_abandon(struct health *health, struct target *target);  // ends without a verdict
void target_publish(struct health *health, struct target *target); // since and the hook

// ---- socket.c ----
// A non-blocking socket for this target, bound as wished, in target->fd, and connecting. 0 (also: under way); or
// errno, with `*what` what failed.
int socket_connect(struct target *target, int type, const char **what);
int socket_watch(struct health *health, struct watch *watch, int fd, uint32_t events); // 0 or errno
int target_watch(struct health *health, struct target *target, uint32_t events); // its fd, for kind->ready
int socket_rewatch(struct health *health, struct watch *watch, int fd, uint32_t events);
void socket_close(struct target *target);
int socket_error(int fd);                                                                     // SO_ERROR
uint32_t socket_address(const struct sl_ip *ip, uint16_t port, struct sockaddr_storage *out); // its length
const char *error_word(int error); // "refused", "no route", or strerror
bool error_is_ours(int error);

// ---- the parts that have a state of their own ----
void icmp_fini(struct health *health);
void tls_fini(struct health *health);
void scripts_fini(struct health *health);
void store_fini(struct health *health);
void store_dirty(struct health *health);
// What was stored of this member: true and put into the machine.
bool store_recall(struct health *health, struct target *target);

#endif
