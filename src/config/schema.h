// SPDX-License-Identifier: Apache-2.0
// The schema: a row for each key of the config. Everything that knows the config's shape walks these rows: the
// structure check, libcyaml's own schema (fill.c), defaults, print, diff, free, and the reference in docs/.
// A new key is a field in model.h and a row in schema.c. Pure constant data.
#ifndef SL_CONFIG_SCHEMA_H
#define SL_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/model.h"

enum sl_key_type {
    SL_KEY_TEXT,  // char *
    SL_KEY_TEXTS, // char **, unsigned count
    SL_KEY_UINT,  // uint16_t, uint32_t, uint64_t; may have words besides numbers
    SL_KEY_BOOL,  // bool
    SL_KEY_ENUM,  // int: one of the words
    SL_KEY_MAP,   // struct
    SL_KEY_MAPS,  // struct *, unsigned count
};

enum sl_text_kind { // what a text must be; read by text.h and base/ip.h
    SL_TEXT_NAME,
    SL_TEXT_PORT_NAME, // also a Linux interface name
    SL_TEXT_DEVICE,
    SL_TEXT_INTERFACE, // 10.0.0.1/24
    SL_TEXT_PREFIX,
    SL_TEXT_PREFIX4,
    SL_TEXT_ADDRESS,
    SL_TEXT_ADDRESS4,
    SL_TEXT_STATION, // an address, not loopback, multicast or unspecified
    SL_TEXT_RANGE,
    SL_TEXT_PORTS,   // PORT, FIRST-LAST or any
    SL_TEXT_STATUS,  // of HTTP: 200 or 200-299
    SL_TEXT_BYTES,   // text with \xHH for bytes
    SL_TEXT_OUTSIDE, // ADDRESS:PORT or ADDRESS:FIRST-LAST
    SL_TEXT_INSIDE,  // ADDRESS:PORT
    SL_TEXT_MAC,
    SL_TEXT_FILE,
    SL_TEXT_FREE, // whatever its reader makes of it
    SL_TEXT_KINDS
};

struct sl_word {
    const char *text;
    int value;
};

struct sl_key {
    const char *name; // NULL ends the rows
    enum sl_key_type type;
    enum sl_text_kind text; // of TEXT and TEXTS
    bool required;
    bool identity; // names an element of a list in messages and diffs
    bool ordered;  // of lists: the order means something
    bool compact;  // of lists of maps: printed an element a line where it fits
    uint32_t offset;
    uint32_t size;         // of the field; of lists: of an element
    uint32_t count_offset; // of lists
    uint64_t min, max;     // of numbers: the value; of lists: elements
    uint64_t fallback;     // value of a number, bool or enum that is not written
    const char *unit;      // of numbers, "" where it counts things
    const struct sl_word *words;
    unsigned word_count;
    const struct sl_key *keys; // of MAP and MAPS
    const char *help;          // a sentence or two, markdown
    const char *example;       // a value as one would write it
};

// The rows of the whole file, and those of parts that have a file of their own.
extern const struct sl_key sl_config_keys[];
extern const struct sl_key sl_service_keys[];
extern const struct sl_key sl_server_pool_keys[];
extern const struct sl_key sl_announce_keys[];
extern const struct sl_key sl_endpoint_keys[];
extern const struct sl_key sl_tcp_keys[];

// Where a field lies. The rest of a row is written with designated initialisers, so that it can be read.
#define SL_FIELD(structure, member)                                                                          \
    .offset = offsetof(struct structure, member), .size = sizeof(((struct structure *)0)->member)
#define SL_LIST(structure, member)                                                                           \
    .offset = offsetof(struct structure, member), .size = sizeof(*((struct structure *)0)->member),          \
    .count_offset = offsetof(struct structure, member##_count)
#define SL_WORDS(list) .words = list, .word_count = sizeof(list) / sizeof((list)[0])

// What a kind of text looks like, for the reference and for messages: "an IPv4 prefix like 192.0.2.0/24".
const char *sl_text_kind_says(enum sl_text_kind kind);

const struct sl_key *sl_key_find(const struct sl_key *keys, const char *name, size_t length);

// Fields of a model struct, by row.
static inline void *sl_key_field(const struct sl_key *key, void *base)
{
    return (char *)base + key->offset;
}

static inline const void *sl_key_field_const(const struct sl_key *key, const void *base)
{
    return (const char *)base + key->offset;
}

unsigned sl_key_count(const struct sl_key *key, const void *base);                  // elements of a list
const void *sl_key_element(const struct sl_key *key, const void *base, unsigned i); // of MAPS
const char *sl_key_text(const struct sl_key *key, const void *base, unsigned i);    // of TEXT (i 0) and TEXTS
uint64_t sl_key_number(const struct sl_key *key, const void *base);                 // of UINT, BOOL, ENUM
void sl_key_number_set(const struct sl_key *key, void *base, uint64_t value);
// The word for a value, NULL where there is none.
const char *sl_key_word(const struct sl_key *key, uint64_t value);

#endif
