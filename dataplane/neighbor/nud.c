// SPDX-License-Identifier: Apache-2.0
// The state machine of nud.h: pure, one function per event, the order of RFC 4861's sections.
#include "neighbor/nud.h"
#include "neighbor/table.h"

const struct nud_times nud_times_default = {
    .reachable_ms = 30000,
    .retransmit_ms = 1000,
    .delay_ms = 5000,
    .stale_poll_ms = 1000,
    .stale_forget_ms = 20 * 60 * 1000,
    .failed_ms = 3000,
};

static void nud_enter(struct nud *nud, enum sl_neighbor_state state, uint32_t wait_ms)
{
    nud->word = (nud->word & 0xffffffffffffULL) | (uint64_t)state << 48;
    nud->asked = 0;
    nud->wait_ms = wait_ms;
}

static void nud_ask(struct nud *nud, const struct nud_times *times, enum nud_action how)
{
    nud->asked++;
    nud->actions |= how;
    nud->wait_ms = times->retransmit_ms;
}

static void nud_ask_all(struct nud *nud, const struct nud_times *times)
{
    nud->word = 0; // whoever answers may have another MAC
    nud_enter(nud, SL_NEIGHBOR_INCOMPLETE, 0);
    nud_ask(nud, times, NUD_ASK_ALL);
}

static void nud_probe(struct nud *nud, const struct nud_times *times)
{
    nud_enter(nud, SL_NEIGHBOR_PROBE, 0);
    nud_ask(nud, times, NUD_ASK_ONE);
}

void nud_start(struct nud *nud, const struct nud_times *times)
{
    nud->actions = 0;
    nud_ask_all(nud, times);
}

static void nud_expire_stale(struct nud *nud, const struct nud_times *times, bool used, uint32_t idle_ms)
{
    if (used)
        nud_enter(nud, SL_NEIGHBOR_DELAY, times->delay_ms);
    else if (idle_ms >= times->stale_forget_ms)
        nud->actions |= NUD_FORGET;
    else
        nud->wait_ms = times->stale_poll_ms;
}

static void nud_expire_incomplete(struct nud *nud, const struct nud_times *times)
{
    if (nud->asked < NUD_ASKS) {
        nud_ask(nud, times, NUD_ASK_ALL);
        return;
    }
    nud_enter(nud, SL_NEIGHBOR_FAILED, times->failed_ms);
    nud->actions |= NUD_FAIL;
}

void nud_expire(struct nud *nud, const struct nud_times *times, bool used, uint32_t idle_ms)
{
    nud->actions = 0;
    nud->wait_ms = 0;
    switch (neighbor_state(nud->word)) {
    case SL_NEIGHBOR_INCOMPLETE:
        nud_expire_incomplete(nud, times);
        break;
    case SL_NEIGHBOR_REACHABLE:
        if (used)
            nud_probe(nud, times);
        else
            nud_enter(nud, SL_NEIGHBOR_STALE, times->stale_poll_ms);
        break;
    case SL_NEIGHBOR_STALE:
        nud_expire_stale(nud, times, used, idle_ms);
        break;
    case SL_NEIGHBOR_DELAY:
        nud_probe(nud, times);
        break;
    case SL_NEIGHBOR_PROBE:
        if (nud->asked < NUD_ASKS)
            nud_ask(nud, times, NUD_ASK_ONE);
        else
            nud_ask_all(nud, times);
        break;
    case SL_NEIGHBOR_FAILED:
        nud->actions |= NUD_FORGET;
        break;
    default: // STATIC has no time, FREE is no entry
        break;
    }
}

static bool nud_has_mac(const struct nud *nud)
{
    return neighbor_usable(nud->word);
}

static bool nud_same_mac(const struct nud *nud, const uint8_t mac[6])
{
    return memcmp(&nud->word, mac, 6) == 0;
}

// Takes over a MAC; from `state` it depends whether the neighbor is known to hear us.
static void nud_learn(struct nud *nud, const uint8_t mac[6], enum sl_neighbor_state state, uint32_t wait_ms)
{
    memcpy(&nud->word, mac, 6);
    nud_enter(nud, state, wait_ms);
    nud->actions |= NUD_RELEASE;
}

static uint32_t nud_reachable_ms(const struct nud_times *times, uint32_t random)
{
    return times->reachable_ms / 2 + (uint32_t)((uint64_t)times->reachable_ms * random >> 32);
}

void nud_answer(struct nud *nud, const struct nud_times *times, const struct nud_answer *answer,
                uint32_t random)
{
    uint32_t reachable_ms = nud_reachable_ms(times, random);

    nud->actions = 0;
    nud->wait_ms = 0;
    if (neighbor_state(nud->word) == SL_NEIGHBOR_STATIC)
        return;
    if (!nud_has_mac(nud)) { // INCOMPLETE, and FAILED: late is better than never
        if (!answer->mac)
            return;
        if (answer->solicited)
            nud_learn(nud, answer->mac, SL_NEIGHBOR_REACHABLE, reachable_ms);
        else
            nud_learn(nud, answer->mac, SL_NEIGHBOR_STALE, times->stale_poll_ms);
        return;
    }
    bool other = answer->mac && !nud_same_mac(nud, answer->mac);
    if (other && !answer->override) { // two claim the address: keep the old one, but ask it (7.2.5, I)
        if (neighbor_state(nud->word) == SL_NEIGHBOR_REACHABLE)
            nud_enter(nud, SL_NEIGHBOR_STALE, times->stale_poll_ms);
        return;
    }
    if (other)
        nud_learn(nud, answer->mac, SL_NEIGHBOR_STALE, times->stale_poll_ms);
    if (answer->solicited)
        nud_enter(nud, SL_NEIGHBOR_REACHABLE, reachable_ms);
}

void nud_claim(struct nud *nud, const struct nud_times *times, const uint8_t mac[6])
{
    nud->actions = 0;
    nud->wait_ms = 0;
    if (neighbor_state(nud->word) == SL_NEIGHBOR_STATIC)
        return;
    if (!nud_has_mac(nud) || !nud_same_mac(nud, mac))
        nud_learn(nud, mac, SL_NEIGHBOR_STALE, times->stale_poll_ms);
}
