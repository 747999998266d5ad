// SPDX-License-Identifier: Apache-2.0
// Framing of the control socket: bytes to messages and back. Pure; called by sluiced's event loop for each
// connection and by the client below it. What the peer announces is never believed before it has arrived.
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rpc/rpc.h"

#define FIRST_ROOM 4096u

void sl_rpc_reader_init(struct sl_rpc_reader *reader)
{
    memset(reader, 0, sizeof(*reader));
}

void sl_rpc_reader_fini(struct sl_rpc_reader *reader)
{
    free(reader->body);
    sl_rpc_reader_init(reader);
}

bool sl_rpc_reader_partial(const struct sl_rpc_reader *reader)
{
    return reader->head_have > 0;
}

static uint32_t smaller(size_t a, size_t b)
{
    return (uint32_t)(a < b ? a : b);
}

static int reader_feed_head(struct sl_rpc_reader *reader, const uint8_t *bytes, size_t len, size_t *taken)
{
    uint32_t n = smaller(len, sizeof(reader->head) - reader->head_have);

    memcpy(reader->head + reader->head_have, bytes, n);
    reader->head_have += n;
    *taken = n;
    if (reader->head_have < sizeof(reader->head))
        return 0;
    uint32_t announced;
    memcpy(&announced, reader->head, sizeof(announced));
    reader->body_len = ntohl(announced);
    return reader->body_len == 0 || reader->body_len > SL_RPC_MAX_BYTES ? -EMSGSIZE : 0;
}

// Room for what arrives now. Doubles, so that a peer who announces 64 MB must send them before we hold them.
static int reader_grow(struct sl_rpc_reader *reader, uint32_t need)
{
    if (need <= reader->body_room)
        return 0;
    uint32_t room = reader->body_room ? reader->body_room : FIRST_ROOM;
    while (room < need)
        room *= 2;
    room = smaller(room, reader->body_len);
    char *body = realloc(reader->body, room);
    if (!body)
        return -ENOMEM;
    reader->body = body;
    reader->body_room = room;
    return 0;
}

static bool reader_whole(const struct sl_rpc_reader *reader)
{
    return reader->head_have == sizeof(reader->head) && reader->body_have == reader->body_len;
}

int sl_rpc_reader_feed(struct sl_rpc_reader *reader, const void *bytes, size_t len, size_t *taken)
{
    *taken = 0;
    if (reader->head_have < sizeof(reader->head)) {
        int rc = reader_feed_head(reader, bytes, len, taken);
        if (rc)
            return rc;
        if (reader->head_have < sizeof(reader->head))
            return 0;
    }
    uint32_t n = smaller(len - *taken, reader->body_len - reader->body_have);
    if (n > 0) {
        int rc = reader_grow(reader, reader->body_have + n);
        if (rc)
            return rc;
        memcpy(reader->body + reader->body_have, (const uint8_t *)bytes + *taken, n);
        reader->body_have += n;
        *taken += n;
    }
    return reader_whole(reader) ? 1 : 0;
}

// A nest deeper than this is a stack-eater, not a request. jansson bounds it at 2048 of its own; ours is
// tighter, and counted on the text so that nothing is built for it.
static bool too_deep(const char *text, size_t len)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > SL_RPC_MAX_DEPTH)
                return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static void explain(json_error_t *why, const char *text)
{
    memset(why, 0, sizeof(*why));
    why->line = why->column = -1;
    snprintf(why->text, sizeof(why->text), "%s", text);
}

int sl_rpc_reader_take(struct sl_rpc_reader *reader, json_t **message, json_error_t *why)
{
    json_error_t unused;

    *message = NULL;
    if (!reader_whole(reader))
        return -EAGAIN;
    if (!why)
        why = &unused;
    json_t *value = NULL;
    if (too_deep(reader->body, reader->body_len))
        explain(why, "nested too deeply");
    else if (!(value = json_loadb(reader->body, reader->body_len, JSON_REJECT_DUPLICATES, why)))
        ; // jansson has explained
    else if (!json_is_object(value))
        explain(why, "the message is not a JSON object");
    sl_rpc_reader_fini(reader); // also gives a large message's memory back between requests
    if (!json_is_object(value)) {
        json_decref(value);
        return -EBADMSG;
    }
    *message = value;
    return 0;
}

int sl_rpc_encode(const json_t *message, char **frame, size_t *len)
{
    *frame = NULL;
    if (!json_is_object(message))
        return -EINVAL;
    size_t body = json_dumpb(message, NULL, 0, JSON_COMPACT);
    if (body == 0)
        return -EINVAL;
    if (body > SL_RPC_MAX_BYTES)
        return -EMSGSIZE;
    char *out = malloc(sizeof(uint32_t) + body);
    if (!out)
        return -ENOMEM;
    uint32_t announced = htonl((uint32_t)body);
    memcpy(out, &announced, sizeof(announced));
    if (json_dumpb(message, out + sizeof(announced), body, JSON_COMPACT) != body) {
        free(out);
        return -ENOMEM;
    }
    *frame = out;
    *len = sizeof(announced) + body;
    return 0;
}

json_t *sl_rpc_result(json_t *result)
{
    return json_pack("{s:o}", "result", result);
}

json_t *sl_rpc_error(const char *code, json_t *details, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_t *shown = json_string(text); // NULL where a name in it is not UTF-8
    if (!shown)
        shown = json_string("the message is not valid UTF-8");
    if (!details)
        details = json_array();
    return json_pack("{s:{s:s, s:o, s:o}}", "error", "code", code, "text", shown, "details", details);
}
