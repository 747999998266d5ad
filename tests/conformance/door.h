// SPDX-License-Identifier: Apache-2.0
// The conformance door's insides: Linux's sockets over src/tcp on virtual time, behind packetdrill's table.
//
//     interface.c  the table: takes the lock, finds the socket, turns -errno into -1 and errno
//     clock.c      virtual time, who waits for what, packets in and out
//     socket.c     socket, bind, listen, accept, connect, shutdown, close       data.c   reading and writing
//     option.c     getsockopt, setsockopt, fcntl, ioctl      tcp_info.c TCP_INFO  poll.c  poll, epoll, splice
//     flags.c      the flags string
//
// One mutex guards all of it; every function here but those of the table is called with it held. Time stands still but
// in usleep, netdev_receive and (by a microsecond, so that who spins gets somewhere) gettimeofday. It moves from one
// timer to the next, and never past a blocked call that could return: what such a call's thread sees as the time is
// then what the wire saw. Functions return -errno.
#ifndef CONFORMANCE_DOOR_H
#define CONFORMANCE_DOOR_H

#include <pthread.h>
#include "interface.h"
#include "tcp/tcp.h"

#define DOOR_NEVER       UINT64_MAX
#define DOOR_BORN_US     1000000000ull // virtual time begins here: 1,000 s
#define DOOR_MS          1000ull
#define DOOR_S           1000000ull
#define DOOR_THREADS_MAX 16u
#define DOOR_PIECE_MAX   65536u // bytes of a buffer

enum door_kind {
    DOOR_FRESH,
    DOOR_LISTENING,
    DOOR_CONNECTING,
    DOOR_CONNECTED,
    DOOR_OVER,   // nothing more can happen; what was received may still be read
    DOOR_FAILED, // the connect has failed
    DOOR_EPOLL,
};

struct door_watch { // of an epoll
    struct door_socket *socket;
    struct epoll_event event;
    uint32_t edge; // the socket's, when it was last told (EPOLLET)
    bool disarmed; // EPOLLONESHOT
};

enum door_doing { DOOR_IDLE, DOOR_BUSY, DOOR_BY_WINDOW, DOOR_BY_BUFFER }; // what holds a sender back

struct door_times { // of TCP_INFO: what the engine does not keep
    enum door_doing doing;
    uint64_t seen_us, spent_us[4]; // by what it was doing
    uint64_t data_in_us, data_out_us, ack_in_us;
    uint64_t bytes_in, bytes_acked;
    uint32_t out_end;
};

struct door_socket {
    struct door_socket
        *next; // all that ever were, freed with the door: a blocked thread may look at a closed one
    struct door *door;
    int fd;         // a real one, since packetdrill closes what a script leaves open by close(2)
    uint64_t inode; // tells whether fd is still ours
    bool closed;
    enum door_kind kind;
    int family, file_flags; // O_NONBLOCK
    struct sl_ip local, remote;
    sl_be16 local_port, remote_port;
    bool bound;
    struct sl_tcp_options options;
    struct sl_tcp_conn *conn;
    struct sl_tcp_listener *listeners[2];   // the second: IPv4 of a dual-stack socket
    struct door_socket *queue, *queue_next; // accepted by the engine, not yet by the program
    uint32_t queued, backlog;
    int error; // errno that the next call is told, and then forgotten
    bool shut_read, shut_write, connect_told;
    uint32_t edge; // counts what happened to it
    bool reuse_address, keepalive, only_v6, quick_ack, linger, cork, tell_unread;
    bool may_fragment; // IP_PMTUDISC_DONT: no DF
    bool out_of_room; // a writer was told so: room is an event then, once (sk_stream_write_space())
    int linger_s, low_water, tos;
    uint16_t port_first, port_last; // IP_LOCAL_PORT_RANGE; 0: Linux's own
    uint32_t keepalive_idle_ms;
    // SO_SNDBUF counts bytes; the engine counts whole buffers until their last byte is acknowledged, so that
    // options.tx_bytes is larger by one.
    uint32_t send_bytes;
    uint32_t unsent_most;                         // TCP_NOTSENT_LOWAT; UINT32_MAX: no bound
    uint64_t receive_timeout_us, send_timeout_us; // 0: none
    struct door_watch *watches;                   // of an epoll
    uint32_t n_watches;
    uint32_t sent_to; // sequence number behind what went out; 0: nothing yet
    struct door_times times;
};

struct door_block { // bytes of the engine, counted
    uint32_t refs;
    uint8_t bytes[];
};

struct door_packet { // that the engine sent
    struct door_packet *next;
    uint64_t at_us;
    size_t len;
    uint8_t bytes[];
};

struct door_waiter { // a blocked call, on its thread's stack
    struct door_waiter *next;
    bool (*ready)(void *argument);
    void *argument;
    uint64_t deadline_us;
};

enum door_ecn { DOOR_ECN_OFF, DOOR_ECN_ON, DOOR_ECN_PASSIVE }; // as Linux's tcp_ecn: 0, 1, 2

struct door {
    pthread_mutex_t lock;
    pthread_cond_t happened; // for those who are blocked
    pthread_cond_t returned; // for whoever moves time
    uint64_t now_us;
    uint64_t calls; // counts entries: whether anybody is alive
    struct sl_tcp_engine *tcp;
    struct door_socket *sockets;
    struct door_packet *first, *last;
    struct door_waiter *waiters;
    pthread_t woken[DOOR_THREADS_MAX]; // that left a wait and have not called again
    unsigned n_woken;
    uint16_t ip_id, next_port;
    struct sl_ip local_v4, local_v6;
    struct sl_tcp_options options; // what sockets begin with
    enum door_ecn ecn;
    bool short_table; // the caller has no room for epoll_create and what follows
    uint64_t seed;
    bool push_bursts;
    struct door_packet *burst; // the last of segments that follow each other, and how many
    unsigned burst_segments;
};

// ---- flags.c ----------------------------------------------------------------------------------------------
// "name=value" separated by commas or spaces. 0; -EINVAL: *word is the word that is not understood, static.
int door_flags_read(struct door *door, const char *flags, char word[64]);

// ---- clock.c ----------------------------------------------------------------------------------------------
int door_engine_start(struct door *door);
void door_enter(struct door *door);  // locks
void door_leave(struct door *door);  // what is to be sent goes out, who waits is told; unlocks
void door_settle(struct door *door); // the first half of it
void door_sleep(struct door *door, uint64_t us);
void door_tick(struct door *door); // a microsecond
int door_packet_in(struct door *door, const void *packet, size_t len);
int door_packet_out(struct door *door, void *packet, size_t *len, long long *time_us);
// Until ready(argument), at the latest at deadline_us (DOOR_NEVER: none). 0; -EAGAIN: the time is over; -EINTR: nobody
// has called for 5 s of real time, so that nothing can happen any more.
int door_block_on(struct door *door, bool (*ready)(void *), void *argument, uint64_t deadline_us);
struct door_block *door_block_new(size_t len);
void door_block_release(void *block);

// ---- icmp.c -----------------------------------------------------------------------------------------------
void door_icmp_in(struct door *door, const uint8_t *packet, size_t len);

// ---- socket.c ---------------------------------------------------------------------------------------------
struct door_socket *door_find(struct door *door, int fd);
struct door_socket *door_socket_new(struct door *door, int family, enum door_kind kind);
int door_socket_open(struct door *door, int domain, int type, int protocol);
int door_bind(struct door_socket *s, const struct sockaddr *addr, socklen_t len);
int door_listen(struct door_socket *s, int backlog);
void door_listen_again(struct door_socket *s); // with what its options are now, where it listens
int door_accept(struct door_socket *s, struct sockaddr *addr, socklen_t *len);
int door_connect(struct door_socket *s, const struct sockaddr *addr, socklen_t len);
int door_shutdown(struct door_socket *s, int how);
int door_close(struct door_socket *s);
void door_event(struct door *door, const struct sl_tcp_event *event);
void door_address_write(const struct door_socket *s, const struct sl_ip *ip, sl_be16 port,
                        struct sockaddr *addr, socklen_t *len);
int door_error_take(struct door_socket *s); // -errno, 0: none
static inline uint64_t door_deadline(const struct door *door, uint64_t timeout_us)
{
    return timeout_us ? door->now_us + timeout_us : DOOR_NEVER;
}

// ---- data.c -----------------------------------------------------------------------------------------------
ssize_t door_receive(struct door_socket *s, const struct iovec *iov, size_t n, int flags);
ssize_t door_receive_message(struct door_socket *s, struct msghdr *message, int flags);
void door_more(struct door_socket *s, bool more); // MSG_MORE
ssize_t door_send(struct door_socket *s, const struct iovec *iov, size_t n, int flags);
bool door_readable(const struct door_socket *s); // a read would not block
bool door_writable(const struct door_socket *s);
bool door_at_end(const struct door_socket *s); // the peer's FIN has been reached

// ---- option.c, tcp_info.c ---------------------------------------------------------------------------------
int door_option_get(struct door_socket *s, int level, int name, void *value, socklen_t *len);
int door_option_set(struct door_socket *s, int level, int name, const void *value, socklen_t len);
int door_fcntl(struct door_socket *s, int command, long argument);
int door_ioctl(struct door_socket *s, unsigned long request, int *value);
void door_times_note(struct door_socket *s);
void door_tcp_info(const struct door_socket *s, void *to, socklen_t *len);

// ---- poll.c -----------------------------------------------------------------------------------------------
int door_poll(struct door *door, struct pollfd *fds, nfds_t n, int timeout_ms);
int door_epoll_ctl(struct door_socket *epoll, int op, struct door_socket *s, const struct epoll_event *event);
int door_epoll_wait(struct door_socket *epoll, struct epoll_event *events, int max, int timeout_ms);
int door_splice(struct door *door, int fd_in, int fd_out, size_t len, unsigned flags);

#endif
