// SPDX-License-Identifier: Apache-2.0
// A pool's health check, as the config says it, for one of its members.
#include <string.h>
#include <xxhash.h>
#include "balance/member.h"
#include "config/text.h"

static const enum health_kind kinds[SL_CONFIG_HEALTH_TYPES] = {
    [SL_CONFIG_HEALTH_TCP] = HEALTH_TCP,     [SL_CONFIG_HEALTH_HTTP] = HEALTH_HTTP,
    [SL_CONFIG_HEALTH_HTTPS] = HEALTH_HTTPS, [SL_CONFIG_HEALTH_ICMP] = HEALTH_ICMP,
    [SL_CONFIG_HEALTH_UDP] = HEALTH_UDP,     [SL_CONFIG_HEALTH_SCRIPT] = HEALTH_SCRIPT,
};

uint64_t wish_id(const struct balance_member_key *key)
{
    uint64_t hash = XXH3_64bits(key->pool, strnlen(key->pool, sizeof(key->pool)));

    hash = XXH3_64bits_withSeed(key->ip.b, sizeof(key->ip.b), hash);
    return XXH3_64bits_withSeed(&key->port, sizeof(key->port), hash);
}

// The port of the only service that goes there, as the config's check has it.
static uint16_t service_port(const struct sl_config *config, const char *pool)
{
    const struct sl_config_service *only = NULL;
    struct sl_ports ports = {0, 0};

    for (unsigned i = 0; i < config->services_count; i++) {
        if (strcmp(config->services[i].pool, pool) != 0)
            continue;
        if (only)
            return 0;
        only = &config->services[i];
    }
    if (!only || !only->ports || sl_ports_parse(only->ports, &ports) || ports.first != ports.last)
        return 0;
    return ports.first;
}

static struct health_http_wish http_of(const struct sl_config_health *from)
{
    struct health_http_wish http = {
        .method = from->method,
        .path = from->path,
        .host = from->host,
        .header = from->header,
        .header_text = from->header_text,
        .body = from->body,
        .sni = from->sni,
        .verify = from->verify,
        .ca_file = from->ca_file,
    };

    for (unsigned i = 0; i < from->status_count && i < HEALTH_MOST_STATUS; i++) {
        struct sl_ports range = {0, 0};
        sl_status_parse(from->status[i], &range);
        http.status[i].first = range.first;
        http.status[i].last = range.last;
    }
    return http;
}

static struct health_udp_wish udp_of(const struct sl_config_health *from, struct wish_room *room)
{
    int send = from->send ? sl_bytes_parse(from->send, room->send, sizeof(room->send)) : 0;
    int expect = from->expect ? sl_bytes_parse(from->expect, room->expect, sizeof(room->expect)) : 0;

    return (struct health_udp_wish){
        .send = room->send,
        .send_bytes = send > 0 ? (size_t)send : 0,
        .expect = room->expect,
        .expect_bytes = expect > 0 ? (size_t)expect : 0,
        .silence_is_good = from->silence_is_good,
    };
}

static void pace_of(const struct sl_config_health *from, struct health_wish *wish)
{
    wish->interval_ms = from->interval;
    wish->jitter_percent = from->jitter;
    wish->timeout_ms = from->timeout;
    wish->rise = from->rise;
    wish->fall = from->fall;
    wish->passive = (struct health_passive_wish){
        .failures = from->passive.failures,
        .share_percent = from->passive.share,
        .window_ms = from->passive.window,
        .hold_ms = from->passive.hold,
        .hold_most_ms = from->passive.hold_most,
    };
    wish->damp = (struct health_damp_wish){
        .half_life_ms = from->damping.half_life,
        .suppress = from->damping.suppress,
        .reuse = from->damping.reuse,
        .most_ms = from->damping.most,
    };
}

bool wish_of(const struct sl_config *config, const struct sl_config_server_pool *pool,
             const struct balance_member_key *key, struct wish_room *room)
{
    const struct sl_config_health *from = &pool->health;
    struct health_wish *wish = &room->wish;

    if (from->type == SL_CONFIG_HEALTH_NONE)
        return false;
    *wish = (struct health_wish){
        .address = key->ip,
        .port = from->port  ? from->port
                : key->port ? key->port
                            : service_port(config, pool->name),
        .kind = kinds[from->type],
        .optimistic = from->optimistic,
        .orderly_close = from->orderly_close,
        .http = http_of(from),
        .udp = udp_of(from, room),
        .script = {.path = from->script,
                   .arguments = (const char *const *)from->arguments,
                   .argument_count = from->arguments_count},
    };
    pace_of(from, wish);
    return true;
}
