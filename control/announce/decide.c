// SPDX-License-Identifier: Apache-2.0
// See decide.h. Pure.
#include "announce/decide.h"

static enum announce_why obstacle(const struct announce_facts *facts)
{
    return !facts->enabled                  ? ANNOUNCE_OFF
           : !facts->data_plane             ? ANNOUNCE_NO_DATA_PLANE
           : facts->eligible < facts->least ? ANNOUNCE_NO_MEMBER
                                            : ANNOUNCE_YES;
}

// It serves: at once where it is announced already, else when the delay is over.
static enum announce_why permitted(struct announce_service *service, const struct announce_facts *facts,
                                   uint32_t delay_ms, uint64_t now_ms)
{
    if (service->known ? service->why == ANNOUNCE_YES : facts->found)
        return ANNOUNCE_YES;
    if (!service->known || service->why != ANNOUNCE_DELAY)
        service->serves_since_ms = now_ms;
    return now_ms - service->serves_since_ms >= delay_ms ? ANNOUNCE_YES : ANNOUNCE_DELAY;
}

bool announce_decide(struct announce_service *service, const struct announce_facts *facts, uint32_t delay_ms,
                     uint64_t now_ms)
{
    enum announce_why why = obstacle(facts);
    bool was = service->known && service->why == ANNOUNCE_YES;

    if (why == ANNOUNCE_YES)
        why = permitted(service, facts, delay_ms, now_ms);
    bool is = why == ANNOUNCE_YES;
    if (!service->known || was != is)
        service->since_ms = now_ms;
    service->known = true;
    service->why = why;
    return was != is;
}

bool announce_data_plane(bool alive, uint32_t dead_after_ms, uint64_t now_ms, bool *seen,
                         uint64_t *missing_since_ms)
{
    if (alive) {
        *seen = true;
        *missing_since_ms = 0;
        return true;
    }
    if (*seen && *missing_since_ms == 0)
        *missing_since_ms = now_ms;
    *seen = *seen && now_ms - *missing_since_ms < dead_after_ms;
    return *seen;
}

const char *announce_why_text(enum announce_why why)
{
    static const char *const text[] = {
        [ANNOUNCE_YES] = "announced",
        [ANNOUNCE_OFF] = "withdrawn: 'announce.enabled' is false",
        [ANNOUNCE_NO_DATA_PLANE] = "withdrawn: no data plane forwards",
        [ANNOUNCE_NO_MEMBER] = "withdrawn: too few members of its pool get new flows",
        [ANNOUNCE_DELAY] = "withdrawn: its pool serves again, 'announce.delay' is not over",
    };

    return text[why];
}
