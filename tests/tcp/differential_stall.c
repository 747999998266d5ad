// SPDX-License-Identifier: Apache-2.0
// Who moves nothing for longer than its timers ask for.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "differential.h"
#include "variety.h"

#define STALL_US    150000000ull // at most; see patience_us()
#define SLACK_US    20000000ull
#define UNSEEN_US   14000000u // what a timer of theirs may be of which nobody can ask any more, the socket being closed
#define RESET_US    3000000ull // after which a reset that was lost is made good

// How long a connection may move nothing. Timers double with each loss (RFC 6298 section 5.5), so what they are set to now
// has as long passed already; four times that is more than the next can take.
static uint64_t patience_us(struct pair *pair)
{
    struct sl_tcp_info ours = {0};
    struct their_info theirs;
    uint64_t longest = 0;

    if (pair->conn) {
        sl_tcp_info(pair->conn, &ours);
        longest = (uint64_t)ours.rto_us << (ours.backoff < 8 ? ours.backoff : 8);
    }
    their_info_get(pair->fd, &theirs);
    if (pair->fd < 0 && pair->theirs.over)
        longest = UNSEEN_US;
    if ((uint64_t)theirs.rto_us << (theirs.backoff < 8 ? theirs.backoff : 8) > longest)
        longest = (uint64_t)theirs.rto_us << (theirs.backoff < 8 ? theirs.backoff : 8);
    return tcp_min_u64(SLACK_US + 4 * longest, STALL_US);
}

// Where a reset was lost the other hears of it only when he sends; before the handshake nobody else knows.
static void reset_lost(struct pair *pair)
{
    if (pair->conn) {
        sl_tcp_abort(pair->conn, now_us());
        our_end(pair, 0);
    }
    if (pair->fd >= 0)
        their_end(pair, 0);
    pair->ours.over = pair->theirs.over = true;
    maybe_over(pair);
}

static void tell(struct pair *pair, const char *what)
{
    struct sl_tcp_info info = {0};
    struct their_info theirs;
    char command[96];

    if (pair->conn)
        sl_tcp_info(pair->conn, &info);
    their_info_get(pair->fd, &theirs);
    complain(pair, what);
    fprintf(stderr, "  for %.1f s\n", (double)(now_us() - pair->moved_us) / 1e6);
    fprintf(stderr, "  ours: state %d una %u nxt %u wnd %u queued %u pipe %u cwnd %u mss %u mtu %u rto %u us backoff %u unread %u "
                    "rcv_wnd %u shut %d eof %d\n", info.state, info.snd_una, info.snd_nxt, info.snd_wnd, info.snd_queued,
            info.pipe, info.cwnd, info.snd_mss, info.mtu, info.rto_us, info.backoff, info.rcv_unread, info.rcv_wnd,
            pair->ours.shut, pair->ours.eof);
    fprintf(stderr, "  theirs: state %d unacked %u rto %u us backoff %u probes %u mss %u pmtu %u shut %d eof %d\n",
            theirs.state, theirs.unacked, theirs.rto_us, theirs.backoff, theirs.probes, theirs.mss, theirs.pmtu,
            pair->theirs.shut, pair->theirs.eof);
    snprintf(command, sizeof(command), "ss -tanoi '( sport = :%u or dport = :%u )' >&2", ntohs(pair->port), ntohs(pair->port));
    if (system(command) != 0)
        fprintf(stderr, "  (no ss)\n");
}

static void stalled(struct pair *pair)
{
    tell(pair, "stalled");
    pair->active = false;
    ended++;
}

// Told to end (a time limit): what it was waiting for.
void tell_rest(void)
{
    for (unsigned i = 0; i < n_active && i < 20; i++)
        if (active[i]->active)
            tell(active[i], "not done");
}

void look_for_stalls(void)
{
    uint64_t now = now_us();

    for (unsigned i = 0; i < n_active; i++) {
        struct pair *pair = active[i];
        bool reset = pair->ours.reset || pair->theirs.reset;

        if (!pair->active)
            continue;
        if (reset && now >= pair->moved_us + RESET_US + SLEEP_US)
            reset_lost(pair);
        else if (!reset && now >= pair->moved_us + SLACK_US && now >= pair->moved_us + patience_us(pair))
            stalled(pair);
    }
}
