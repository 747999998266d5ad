// SPDX-License-Identifier: Apache-2.0
// Reading and writing, with the order in which Linux looks at data, end, error and state.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include "door.h"

#define PIECE_MAX DOOR_PIECE_MAX

// A page that is not there, as far as one is to be told from another: NULL.
static bool is_bad(const struct iovec *iov, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (iov[i].iov_base == NULL && iov[i].iov_len)
            return true;
    return false;
}

// ---- reading ----------------------------------------------------------------------------------------------
static uint32_t unread(const struct door_socket *s)
{
    struct sl_tcp_info info;

    if (s->conn == NULL)
        return 0;
    sl_tcp_info(s->conn, &info);
    return info.rcv_unread;
}

bool door_at_end(const struct door_socket *s)
{
    struct sl_tcp_chunk chunk;

    return s->conn && !sl_tcp_peek(s->conn, 0, &chunk) &&
           sl_tcp_read(s->conn, 1, &chunk, s->door->now_us) == 0;
}

bool door_readable(const struct door_socket *s)
{
    if (s->kind == DOOR_CONNECTING)
        return false;
    return s->kind != DOOR_CONNECTED || s->shut_read || s->error || unread(s) >= (uint32_t)s->low_water ||
           door_at_end(s);
}

static bool receive_ready(void *argument)
{
    const struct door_socket *s = argument;

    return s->closed || door_readable(s);
}

struct scatter { // where the next byte of an iovec goes
    const struct iovec *iov;
    size_t n, offset;
};

static void scatter(struct scatter *to, const uint8_t *from, size_t len)
{
    while (len && to->n) {
        size_t room = to->iov->iov_len - to->offset, take = len < room ? len : room;

        if (to->iov->iov_base)
            memcpy((uint8_t *)to->iov->iov_base + to->offset, from, take);
        from += take;
        len -= take;
        to->offset += take;
        if (to->offset == to->iov->iov_len) {
            to->iov++;
            to->n--;
            to->offset = 0;
        }
    }
}

static size_t peek(const struct door_socket *s, struct scatter to, size_t want)
{
    struct sl_tcp_chunk chunk;
    size_t got = 0;

    for (uint32_t i = 0; got < want && s->conn && sl_tcp_peek(s->conn, i, &chunk); i++) {
        size_t take = chunk.len < want - got ? chunk.len : want - got;

        scatter(&to, chunk.data, take);
        got += take;
    }
    return got;
}

static size_t take(struct door_socket *s, struct scatter *to, size_t want, bool throw_away)
{
    struct sl_tcp_chunk chunk;
    size_t got = 0;

    while (got < want && s->conn && unread(s) &&
           sl_tcp_read(s->conn, (uint32_t)(want - got < PIECE_MAX ? want - got : PIECE_MAX), &chunk,
                       s->door->now_us) == 1) {
        if (!throw_away)
            scatter(to, chunk.data, chunk.len);
        got += chunk.len;
        if (chunk.owner)
            door_block_release(chunk.owner);
    }
    return got;
}

// Nothing is there to read: 0 is the end, 1 means that something may come.
static int no_data(struct door_socket *s)
{
    int code;

    if (door_at_end(s))
        return 0;
    code = door_error_take(s);
    if (code)
        return code;
    if (s->shut_read || s->kind == DOOR_OVER || s->kind == DOOR_FAILED)
        return 0;
    return 1;
}

static size_t total(const struct iovec *iov, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += iov[i].iov_len;
    return len;
}

ssize_t door_receive(struct door_socket *s, const struct iovec *iov, size_t n, int flags)
{
    bool patient = !(flags & MSG_DONTWAIT) && !(s->file_flags & O_NONBLOCK);
    uint64_t deadline = door_deadline(s->door, s->receive_timeout_us);
    size_t want = total(iov, n), got = 0;
    struct scatter to = {iov, n, 0};
    int code;

    if (flags & MSG_OOB) // passed in line (RFC 6093)
        return -EINVAL;
    if (s->kind == DOOR_FRESH || s->kind == DOOR_LISTENING)
        return -ENOTCONN;
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    for (;;) {
        if (s->conn && unread(s) && !(flags & MSG_TRUNC) && is_bad(iov, n))
            return -EFAULT;
        if (flags & MSG_PEEK)
            got = peek(s, to, want);
        else
            got += take(s, &to, want - got, flags & MSG_TRUNC);
        if (got == want || (got && !(flags & MSG_WAITALL)))
            return (ssize_t)got;
        if ((code = no_data(s)) <= 0)
            return got ? (ssize_t)got : code;
        if (!patient)
            return got ? (ssize_t)got : -EAGAIN;
        code = door_block_on(s->door, receive_ready, s, deadline);
        if (s->closed)
            return -EBADF;
        if (code)
            return got ? (ssize_t)got : code;
    }
}

// TCP_INQ: what is left to read; 1 where it is the end, so that the reader comes again (tcp_inq_hint()).
static void tell_unread(const struct door_socket *s, struct msghdr *message, size_t room)
{
    int left = (int)unread(s);
    struct cmsghdr *header = message->msg_control;

    if (room < CMSG_SPACE(sizeof(left))) {
        message->msg_flags |= MSG_CTRUNC;
        return;
    }
    if (left == 0 && door_at_end(s))
        left = 1;
    header->cmsg_len = CMSG_LEN(sizeof(left));
    header->cmsg_level = IPPROTO_TCP;
    header->cmsg_type = 36; // TCP_CM_INQ of <linux/tcp.h>
    memcpy(CMSG_DATA(header), &left, sizeof(left));
    message->msg_controllen = CMSG_SPACE(sizeof(left));
}

ssize_t door_receive_message(struct door_socket *s, struct msghdr *message, int flags)
{
    size_t room = message->msg_control ? message->msg_controllen : 0;
    ssize_t got = door_receive(s, message->msg_iov, message->msg_iovlen, flags);

    message->msg_namelen = 0; // a stream has no address of sender
    message->msg_controllen = 0;
    message->msg_flags = 0;
    if (got >= 0 && s->tell_unread)
        tell_unread(s, message, room);
    return got;
}

// ---- writing ----------------------------------------------------------------------------------------------
static uint32_t send_room(const struct door_socket *s)
{
    struct sl_tcp_info info;
    uint32_t used, room, unsent;

    sl_tcp_info(s->conn, &info);
    used = info.snd_nxt - info.snd_una + info.snd_queued;
    room = used < s->send_bytes ? s->send_bytes - used : 0;
    unsent = info.snd_queued < s->unsent_most ? s->unsent_most - info.snd_queued : 0;
    return room < unsent ? room : unsent;
}

// A third must be free, so that a writer is not woken for every acknowledgement (sk_stream_is_writeable()).
bool door_writable(const struct door_socket *s)
{
    uint32_t third = s->send_bytes / 3, least = third < s->unsent_most ? third : 1;

    if (s->kind == DOOR_CONNECTING)
        return false;
    return s->kind != DOOR_CONNECTED || s->shut_write || s->error || send_room(s) >= least;
}

static bool send_ready(void *argument)
{
    const struct door_socket *s = argument;

    return s->closed || door_writable(s);
}

static void gather(const struct iovec *iov, size_t n, size_t from, uint8_t *to, size_t len)
{
    for (size_t i = 0; i < n && len; i++) {
        size_t here = from < iov[i].iov_len ? iov[i].iov_len - from : 0, part = here < len ? here : len;

        if (part)
            memcpy(to, (const uint8_t *)iov[i].iov_base + from, part);
        to += part;
        len -= part;
        from -= from < iov[i].iov_len ? from : iov[i].iov_len;
    }
}

static int send_piece(struct door_socket *s, const struct iovec *iov, size_t n, size_t from, uint32_t len)
{
    struct door_block *block = door_block_new(len);
    struct sl_tcp_chunk chunk;
    int code;

    if (block == NULL)
        return -ENOBUFS;
    gather(iov, n, from, block->bytes, len);
    chunk = (struct sl_tcp_chunk){block->bytes, len, len, block};
    code = sl_tcp_send(s->conn, &chunk, s->door->now_us);
    if (code)
        door_block_release(block);
    return code;
}

// Bytes queued, of at most `len`; 0: there is no room.
static ssize_t send_some(struct door_socket *s, const struct iovec *iov, size_t n, size_t from, size_t len)
{
    uint32_t room = send_room(s);
    uint32_t piece = (uint32_t)(len < PIECE_MAX ? len : PIECE_MAX);
    int code;

    if (room == 0)
        return 0;
    if (is_bad(iov, n))
        return -EFAULT;
    piece = piece < room ? piece : room;
    code = send_piece(s, iov, n, from, piece);
    return code ? code : (ssize_t)piece;
}

static int not_sendable(struct door_socket *s)
{
    int code;

    if (s->kind == DOOR_FRESH || s->kind == DOOR_LISTENING)
        return -EPIPE;
    code = door_error_take(s);
    if (code)
        return code;
    return s->shut_write || s->kind == DOOR_OVER || s->kind == DOOR_FAILED ? -EPIPE : 0;
}

// MSG_MORE is a cork until the next call that does not have it, or the next segment that comes.
void door_more(struct door_socket *s, bool more)
{
    if (s->conn == NULL || s->options.cork == (s->cork || more))
        return;
    s->options.cork = s->cork || more;
    sl_tcp_options_set(s->conn, &s->options, s->door->now_us);
}

// TCP_NOTSENT_LOWAT: what can go goes at once, in full segments while there is more, and is unsent no longer.
static void let_go(struct door_socket *s, bool more)
{
    door_more(s, more);
    door_settle(s->door);
}

ssize_t door_send(struct door_socket *s, const struct iovec *iov, size_t n, int flags)
{
    bool patient = !(flags & MSG_DONTWAIT) && !(s->file_flags & O_NONBLOCK);
    uint64_t deadline = door_deadline(s->door, s->send_timeout_us);
    size_t want = total(iov, n), sent = 0;
    ssize_t code;

    if (flags & MSG_FASTOPEN)
        return -EOPNOTSUPP;
    door_more(s, flags & MSG_MORE);
    for (;;) {
        code = s->closed ? -EBADF : not_sendable(s);
        if (code == 0 && s->kind == DOOR_CONNECTED && want > sent)
            code = send_some(s, iov, n, sent, want - sent);
        if (code < 0)
            return sent ? (ssize_t)sent : code;
        sent += (size_t)code;
        if (s->unsent_most != UINT32_MAX)
            let_go(s, flags & MSG_MORE || sent < want);
        if (sent == want && s->kind == DOOR_CONNECTED)
            break;
        if (code > 0)
            continue;
        s->out_of_room = true;
        if (!patient)
            return sent ? (ssize_t)sent : -EAGAIN;
        code = door_block_on(s->door, send_ready, s, deadline);
        if (code)
            return sent ? (ssize_t)sent : code;
    }
    if (flags & MSG_OOB && sent)
        sl_tcp_urgent(s->conn);
    return (ssize_t)sent;
}
