// SPDX-License-Identifier: Apache-2.0
// Virtual time, the threads that wait in it, and packets.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "door.h"

#define WOKEN_MS   250                         // real time that a thread which left a wait has to call again
#define SILENCE_S  5                           // real time without a call after which a blocked one gives up
#define LONGEST_US (7ull * 24 * 3600 * DOOR_S) // netdev_receive waits no longer, of virtual time

// ---- buffers ----------------------------------------------------------------------------------------------
struct door_block *door_block_new(size_t len)
{
    struct door_block *block = malloc(sizeof(*block) + len);

    if (block)
        block->refs = 1;
    return block;
}

static void block_hold(void *owner)
{
    ((struct door_block *)owner)->refs++;
}

void door_block_release(void *owner)
{
    struct door_block *block = owner;

    if (--block->refs == 0)
        free(block);
}

static const struct sl_tcp_buffers buffers = {block_hold, door_block_release};

// ---- packets out ------------------------------------------------------------------------------------------
// RFC 1624: `more` is added to a word that the checksum covers; 0xffff - n takes n off.
static void checksum_add(uint8_t *checksum, uint32_t more)
{
    uint32_t sum = (uint32_t)(uint8_t)~checksum[0] << 8 | (uint8_t)~checksum[1];

    sum += more;
    sum = (sum & 0xffff) + (sum >> 16);
    checksum[0] = (uint8_t)(~sum >> 8);
    checksum[1] = (uint8_t)~sum;
}

static void df_clear(uint8_t *ip)
{
    if (ip[6] & 0x40)
        checksum_add(ip + 10, 0xffff - 0x4000);
    ip[6] &= (uint8_t)~0x40;
}

// Linux sets PSH in new data that is of several segments as it goes down to the device: on the wire, in the last.
static void burst_end(struct door *door)
{
    uint8_t *tcp = door->burst ? door->burst->bytes + (door->burst->bytes[0] >> 4 == 4 ? 20 : 40) : NULL;

    if (door->burst_segments > 1 && !(tcp[13] & SL_TCP_PSH)) {
        tcp[13] |= SL_TCP_PSH;
        checksum_add(tcp + 16, SL_TCP_PSH);
    }
    door->burst = NULL;
    door->burst_segments = 0;
}

static void burst_note(struct door *door, struct door_packet *packet, const struct sl_tcp_out *out)
{
    struct door_socket *s = out->user;
    bool fresh = s && out->len && (s->sent_to == 0 || (int32_t)(out->seq - s->sent_to) >= 0);

    if (!door->push_bursts)
        return;
    if (!fresh || out->seq != s->sent_to)
        burst_end(door);
    if (!fresh)
        return;
    door->burst = packet;
    door->burst_segments++;
    s->sent_to = out->seq + out->len;
}

static bool packet_send(void *context, const struct sl_tcp_out *out)
{
    struct door *door = context;
    struct door_packet *packet = malloc(sizeof(*packet) + SL_TCP_HEADERS_MAX + out->len);

    if (packet == NULL)
        return false;
    packet->next = NULL;
    packet->at_us = door->now_us;
    packet->len = sl_tcp_write_headers(out, ++door->ip_id, packet->bytes);
    if (sl_ip_is_v4(&out->src) && out->user && ((struct door_socket *)out->user)->may_fragment)
        df_clear(packet->bytes);
    for (unsigned i = 0; i < out->n_pieces; i++) {
        memcpy(packet->bytes + packet->len, out->pieces[i].data, out->pieces[i].len);
        packet->len += out->pieces[i].len;
    }
    burst_note(door, packet, out);
    if (door->last)
        door->last->next = packet;
    else
        door->first = packet;
    door->last = packet;
    return true;
}

int door_engine_start(struct door *door)
{
    struct sl_tcp_config config = {.connections = 1024,
                                   .time_waits = 1024,
                                   .listeners = 64,
                                   .buffers_held = 1u << 17,
                                   .segments_held = 1u << 17,
                                   .rx_bytes = 1u << 28,
                                   .tx_bytes = 1u << 28,
                                   .entropy = {door->seed, ~door->seed},
                                   .buffers = &buffers,
                                   .send = packet_send,
                                   .context = door,
                                   .now_us = door->now_us};

    door->tcp = sl_tcp_new(&config);
    return door->tcp ? 0 : -ENOMEM;
}

// ---- coming and going -------------------------------------------------------------------------------------
static void woken_forget(struct door *door, pthread_t thread)
{
    for (unsigned i = 0; i < door->n_woken; i++)
        if (pthread_equal(door->woken[i], thread)) {
            door->woken[i] = door->woken[--door->n_woken];
            pthread_cond_broadcast(&door->returned);
            return;
        }
}

void door_enter(struct door *door)
{
    pthread_mutex_lock(&door->lock);
    door->calls++;
    woken_forget(door, pthread_self());
}

void door_settle(struct door *door)
{
    struct sl_tcp_event event;

    sl_tcp_output(door->tcp, door->now_us);
    burst_end(door);
    while (sl_tcp_event(door->tcp, &event))
        door_event(door, &event);
    sl_tcp_output(door->tcp, door->now_us);
    burst_end(door);
    for (struct door_socket *s = door->sockets; s; s = s->next) {
        if (s->out_of_room && door_writable(s)) {
            s->out_of_room = false;
            s->edge++;
        }
        door_times_note(s);
    }
}

void door_leave(struct door *door)
{
    door_settle(door);
    pthread_cond_broadcast(&door->happened);
    pthread_mutex_unlock(&door->lock);
}

// ---- waiting ----------------------------------------------------------------------------------------------
static struct timespec real_in(uint64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    at.tv_sec += (time_t)(ms / 1000) + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static bool may_return(const struct door *door, const struct door_waiter *waiter)
{
    return waiter->ready(waiter->argument) || waiter->deadline_us <= door->now_us;
}

static void waiter_remove(struct door *door, struct door_waiter *waiter)
{
    struct door_waiter **at = &door->waiters;

    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    if (door->n_woken < DOOR_THREADS_MAX)
        door->woken[door->n_woken++] = pthread_self();
    pthread_cond_broadcast(&door->returned);
}

int door_block_on(struct door *door, bool (*ready)(void *), void *argument, uint64_t deadline_us)
{
    struct door_waiter waiter = {door->waiters, ready, argument, deadline_us};
    bool silent = false;

    door_settle(door);
    if (ready(argument))
        return 0;
    if (deadline_us <= door->now_us)
        return -EAGAIN;
    pthread_cond_broadcast(&door->happened); // what was done before the wait may let others go on
    woken_forget(door, pthread_self());      // who waits again, within one call, has not returned
    waiter.next = door->waiters;
    door->waiters = &waiter;
    while (!may_return(door, &waiter) && !silent) {
        struct timespec until = real_in(SILENCE_S * 1000);
        uint64_t calls = door->calls;

        silent =
            pthread_cond_timedwait(&door->happened, &door->lock, &until) == ETIMEDOUT && calls == door->calls;
    }
    waiter_remove(door, &waiter);
    return ready(argument) ? 0 : deadline_us <= door->now_us ? -EAGAIN : -EINTR;
}

// ---- time -------------------------------------------------------------------------------------------------
static bool somebody_returns(const struct door *door)
{
    for (const struct door_waiter *waiter = door->waiters; waiter; waiter = waiter->next)
        if (may_return(door, waiter))
            return true;
    return false;
}

// A thread that was let go reads the clock next (so packetdrill's does), and must read the time at which it was. One
// that does not call in a while is not going to.
static void let_return(struct door *door)
{
    struct timespec until = real_in(SILENCE_S * 1000);

    while (somebody_returns(door)) {
        pthread_cond_broadcast(&door->happened);
        if (pthread_cond_timedwait(&door->returned, &door->lock, &until) == ETIMEDOUT)
            break;
    }
    until = real_in(WOKEN_MS);
    while (door->n_woken && pthread_cond_timedwait(&door->returned, &door->lock, &until) == 0)
        ;
    door->n_woken = 0;
}

static uint64_t next_us(const struct door *door)
{
    uint64_t next = sl_tcp_deadline(door->tcp);

    for (const struct door_waiter *waiter = door->waiters; waiter; waiter = waiter->next)
        if (waiter->deadline_us < next)
            next = waiter->deadline_us;
    return next > door->now_us ? next : door->now_us + 1;
}

static void move_to(struct door *door, uint64_t to_us)
{
    door->now_us = to_us;
    sl_tcp_tick(door->tcp, to_us);
    door_settle(door);
    let_return(door);
}

void door_sleep(struct door *door, uint64_t us)
{
    uint64_t until = door->now_us + us, next;

    door_settle(door);
    let_return(door);
    while ((next = next_us(door)) < until)
        move_to(door, next);
    if (until > door->now_us)
        move_to(door, until);
}

void door_tick(struct door *door)
{
    door->now_us++;
    sl_tcp_tick(door->tcp, door->now_us);
}

// ---- packets ----------------------------------------------------------------------------------------------
// Linux keeps data back in the call itself; what an acknowledgement lets go, it lets go.
static void uncork(struct door *door)
{
    for (struct door_socket *s = door->sockets; s; s = s->next)
        if (!s->closed)
            door_more(s, false);
}

int door_packet_in(struct door *door, const void *packet, size_t len)
{
    struct door_block *block = door_block_new(len);
    struct sl_tcp_in in;

    if (block == NULL)
        return -ENOMEM;
    memcpy(block->bytes, packet, len);
    if (sl_tcp_read_packet(&in, block->bytes, len, false) == 0) {
        in.payload.owner = block;
        bool taken = sl_tcp_input(door->tcp, &in, door->now_us);

        uncork(door);
        if (taken)
            return 0;
    } else {
        door_icmp_in(door, block->bytes, len);
    }
    door_block_release(block);
    return 0;
}

int door_packet_out(struct door *door, void *to, size_t *len, long long *time_us)
{
    uint64_t until = door->now_us + LONGEST_US;
    struct door_packet *packet;

    door_settle(door);
    while (door->first == NULL) {
        let_return(door);
        if (door->first)
            break;
        if (next_us(door) >= until) { // DOOR_NEVER among them
            *len = 0;
            *time_us = (long long)door->now_us;
            return 0;
        }
        move_to(door, next_us(door));
    }
    packet = door->first;
    door->first = packet->next;
    if (door->first == NULL)
        door->last = NULL;
    if (*len > packet->len)
        *len = packet->len;
    memcpy(to, packet->bytes, *len);
    *time_us = (long long)packet->at_us;
    free(packet);
    return 0;
}
