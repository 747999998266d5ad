// SPDX-License-Identifier: Apache-2.0
// Wishes: refused, copied, compared. See health.h for what they mean.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "health/engine.h"

// The texts in a wish. Whoever adds one adds a line.
static const size_t texts[] = {
    offsetof(struct health_wish, device),       offsetof(struct health_wish, http.method),
    offsetof(struct health_wish, http.path),    offsetof(struct health_wish, http.host),
    offsetof(struct health_wish, http.header),  offsetof(struct health_wish, http.header_text),
    offsetof(struct health_wish, http.body),    offsetof(struct health_wish, http.sni),
    offsetof(struct health_wish, http.ca_file), offsetof(struct health_wish, script.path),
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

static const char **text_at(struct health_wish *wish, unsigned i)
{
    return (const char **)(void *)((char *)wish + texts[i]);
}

static const char *text_of(const struct health_wish *wish, unsigned i)
{
    return *(const char *const *)(const void *)((const char *)wish + texts[i]);
}

int wish_accept(const struct health_wish *wish, struct sl_error *error)
{
    if (wish->kind >= HEALTH_KINDS)
        return sl_error_set(error, -EINVAL, "no kind of check %u", (unsigned)wish->kind);
    if (wish->interval_ms < 10 || wish->interval_ms > 86400000)
        return sl_error_set(error, -EINVAL, "interval of %u ms: 10 ms to a day", wish->interval_ms);
    if (wish->timeout_ms > wish->interval_ms)
        return sl_error_set(error, -EINVAL, "timeout of %u ms: at most the interval, %u ms", wish->timeout_ms,
                            wish->interval_ms);
    if (wish->jitter_percent > 50)
        return sl_error_set(error, -EINVAL, "jitter of %u %%: at most 50 %%", wish->jitter_percent);
    if (wish->damp.half_life_ms && wish->damp.suppress &&
        wish->damp.suppress <= (wish->damp.reuse ? wish->damp.reuse : 1000))
        return sl_error_set(error, -EINVAL, "damping: suppress must be above reuse");
    if (sl_ip_is_zero(&wish->address))
        return sl_error_set(error, -EINVAL, "no address to check");
    if (!sl_ip_is_zero(&wish->source) && sl_ip_is_v4(&wish->source) != sl_ip_is_v4(&wish->address))
        return sl_error_set(error, -EINVAL, "source and member are of different families");
    return check_kind_of(wish->kind)->accept(wish, error);
}

// ---- copies -----------------------------------------------------------------------------------------------------

static int bytes_copy(const void **at, size_t len)
{
    void *copy = len ? malloc(len) : NULL;

    if (copy)
        memcpy(copy, *at, len);
    *at = copy;
    return len && !copy ? -ENOMEM : 0;
}

static int arguments_copy(struct health_script_wish *to, const struct health_script_wish *from)
{
    const char **list = calloc(from->argument_count + 1, sizeof(*list));

    to->arguments = list;
    to->argument_count = 0;
    for (unsigned i = 0; list && i < from->argument_count; i++) {
        list[i] = strdup(from->arguments[i]);
        if (!list[i])
            return -ENOMEM;
        to->argument_count++;
    }
    return list ? 0 : -ENOMEM;
}

int wish_copy(struct health_wish *to, const struct health_wish *from)
{
    *to = *from;
    int rc = arguments_copy(&to->script, &from->script);
    for (unsigned i = 0; i < TEXTS; i++) {
        const char **text = text_at(to, i);
        *text = *text ? strdup(*text) : NULL;
        if (text_of(from, i) && !*text)
            rc = -ENOMEM;
    }
    if (bytes_copy(&to->udp.send, to->udp.send_bytes) || bytes_copy(&to->udp.expect, to->udp.expect_bytes))
        rc = -ENOMEM;
    if (rc)
        wish_fini(to);
    return rc;
}

void wish_fini(struct health_wish *wish)
{
    for (unsigned i = 0; i < TEXTS; i++)
        free((void *)(uintptr_t)text_of(wish, i));
    for (unsigned i = 0; i < wish->script.argument_count; i++)
        free((void *)(uintptr_t)wish->script.arguments[i]);
    free((void *)(uintptr_t)wish->script.arguments);
    free((void *)(uintptr_t)wish->udp.send);
    free((void *)(uintptr_t)wish->udp.expect);
    memset(wish, 0, sizeof(*wish));
}

// ---- comparisons ------------------------------------------------------------------------------------------------

bool wish_same_member(const struct health_wish *a, const struct health_wish *b)
{
    return sl_ip_equal(&a->address, &b->address) && a->port == b->port;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_bytes(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    return a_bytes == b_bytes && (a_bytes == 0 || memcmp(a, b, a_bytes) == 0);
}

static bool same_arguments(const struct health_script_wish *a, const struct health_script_wish *b)
{
    if (a->argument_count != b->argument_count)
        return false;
    for (unsigned i = 0; i < a->argument_count; i++)
        if (strcmp(a->arguments[i], b->arguments[i]) != 0)
            return false;
    return true;
}

bool wish_same_check(const struct health_wish *a, const struct health_wish *b)
{
    for (unsigned i = 0; i < TEXTS; i++)
        if (!same_text(text_of(a, i), text_of(b, i)))
            return false;
    return wish_same_member(a, b) && a->kind == b->kind && a->orderly_close == b->orderly_close &&
           sl_ip_equal(&a->source, &b->source) && a->http.verify == b->http.verify &&
           a->http.body_most_bytes == b->http.body_most_bytes &&
           memcmp(a->http.status, b->http.status, sizeof(a->http.status)) == 0 &&
           a->udp.silence_is_good == b->udp.silence_is_good &&
           same_bytes(a->udp.send, a->udp.send_bytes, b->udp.send, b->udp.send_bytes) &&
           same_bytes(a->udp.expect, a->udp.expect_bytes, b->udp.expect, b->udp.expect_bytes) &&
           same_arguments(&a->script, &b->script);
}

bool wish_same_pace(const struct health_wish *a, const struct health_wish *b)
{
    return a->interval_ms == b->interval_ms && a->timeout_ms == b->timeout_ms && a->fall == b->fall;
}
