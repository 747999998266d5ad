// SPDX-License-Identifier: Apache-2.0
// Reaching model fields through schema rows. Called by everything that walks the schema. Pure.
#include "config/schema.h"

#include <string.h>

static const char *const kind_says[SL_TEXT_KINDS] = {
    [SL_TEXT_NAME] = "a name: up to 31 letters, digits, '-', '_' and '.', a letter or digit first",
    [SL_TEXT_PORT_NAME] =
        "a port's name: up to 15 letters, digits, '-', '_' and '.', a letter or digit first",
    [SL_TEXT_DEVICE] = "a device like af_xdp:eth1 or pci:0000:03:00.0",
    [SL_TEXT_INTERFACE] = "an address with its link's prefix length, like 192.0.2.1/24 or 2001:db8::1/64",
    [SL_TEXT_PREFIX] = "a prefix like 192.0.2.0/24 or 2001:db8::/32",
    [SL_TEXT_PREFIX4] = "an IPv4 prefix like 192.0.2.0/24",
    [SL_TEXT_ADDRESS] = "an address like 192.0.2.1 or 2001:db8::1",
    [SL_TEXT_ADDRESS4] = "an IPv4 address like 192.0.2.1",
    [SL_TEXT_STATION] = "a station's address like 192.0.2.1 or 2001:db8::1",
    [SL_TEXT_PORTS] = "a port like 80, ports like 8000-8099, or any",
    [SL_TEXT_STATUS] = "an HTTP status like 200, or a range like 200-299",
    [SL_TEXT_BYTES] = "a text, in which \\x00 is a byte and \\\\ a backslash",
    [SL_TEXT_RANGE] = "an IPv4 address, a range like 192.0.2.10-192.0.2.19, or a prefix like 192.0.2.16/28",
    [SL_TEXT_OUTSIDE] = "an IPv4 address and a port or ports, like 192.0.2.1:8080 or 192.0.2.1:8000-8099",
    [SL_TEXT_INSIDE] = "an IPv4 address and a port, like 10.0.0.11:80",
    [SL_TEXT_MAC] = "a station's Ethernet address like \"02:00:00:00:00:01\"",
    [SL_TEXT_FILE] = "a file's name",
    [SL_TEXT_FREE] = "a text",
};

const char *sl_text_kind_says(enum sl_text_kind kind)
{
    return kind_says[kind];
}

const struct sl_key *sl_key_find(const struct sl_key *keys, const char *name, size_t length)
{
    for (; keys->name; keys++)
        if (strlen(keys->name) == length && memcmp(keys->name, name, length) == 0)
            return keys;
    return NULL;
}

unsigned sl_key_count(const struct sl_key *key, const void *base)
{
    return *(const unsigned *)((const char *)base + key->count_offset);
}

const void *sl_key_element(const struct sl_key *key, const void *base, unsigned i)
{
    return *(const char *const *)sl_key_field_const(key, base) + (size_t)i * key->size;
}

const char *sl_key_text(const struct sl_key *key, const void *base, unsigned i)
{
    if (key->type == SL_KEY_TEXT)
        return *(const char *const *)sl_key_field_const(key, base);
    return (*(const char *const *const *)sl_key_field_const(key, base))[i];
}

uint64_t sl_key_number(const struct sl_key *key, const void *base)
{
    const void *field = sl_key_field_const(key, base);

    switch (key->size) {
    case 1:
        return *(const uint8_t *)field;
    case 2:
        return *(const uint16_t *)field;
    case 4:
        return *(const uint32_t *)field;
    default:
        return *(const uint64_t *)field;
    }
}

void sl_key_number_set(const struct sl_key *key, void *base, uint64_t value)
{
    void *field = sl_key_field(key, base);

    switch (key->size) {
    case 1:
        *(uint8_t *)field = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)field = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)field = (uint32_t)value;
        break;
    default:
        *(uint64_t *)field = value;
    }
}

const char *sl_key_word(const struct sl_key *key, uint64_t value)
{
    for (unsigned i = 0; i < key->word_count; i++)
        if ((uint64_t)key->words[i].value == value)
            return key->words[i].text;
    return NULL;
}
