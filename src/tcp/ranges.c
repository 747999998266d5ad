// SPDX-License-Identifier: Apache-2.0
// The ranges of a receive queue out of order, found by sequence number: a treap (Seidel and Aragon, "Randomized search
// trees", 1996) in the pool of items. Heaped by a number that a stranger cannot guess, so whatever order he sends in, a
// segment's way to its range is about 2 ln n long (CVE-2018-5390). Ranges do not overlap and do not touch; one may grow in
// place as long as that holds. Called by reassemble.c alone. Owner's thread.
//
//              [40,50)             higher priority
//             ╱       ╲                  │
//       [10,20)       [70,90)            ▼
//             ╲
//             [25,30)              lower priority
#include "tcp/engine.h"

static union tcp_item *at(const struct sl_tcp_engine *tcp, uint32_t index)
{
    return tcp_item_at(tcp, index);
}

uint32_t tcp_range_find(const struct sl_tcp_engine *tcp, uint32_t root, uint32_t seq)
{
    uint32_t found = TCP_NONE;

    while (root != TCP_NONE) {
        const union tcp_item *range = at(tcp, root);

        if (tcp_seq_ge(range->end, seq)) {
            found = root;
            root = range->left;
        } else {
            root = range->right;
        }
    }
    return found;
}

uint32_t tcp_range_first(const struct sl_tcp_engine *tcp, uint32_t root)
{
    while (root != TCP_NONE && at(tcp, root)->left != TCP_NONE)
        root = at(tcp, root)->left;
    return root;
}

uint32_t tcp_range_last(const struct sl_tcp_engine *tcp, uint32_t root)
{
    while (root != TCP_NONE && at(tcp, root)->right != TCP_NONE)
        root = at(tcp, root)->right;
    return root;
}

// The place where a range with these numbers is, or would be.
static uint32_t *find_link(const struct sl_tcp_engine *tcp, uint32_t *root, uint32_t start, uint32_t priority)
{
    while (*root != TCP_NONE && at(tcp, *root)->start != start && at(tcp, *root)->priority >= priority)
        root = tcp_seq_lt(start, at(tcp, *root)->start) ? &at(tcp, *root)->left : &at(tcp, *root)->right;
    return root;
}

void tcp_range_insert(struct sl_tcp_engine *tcp, uint32_t *root, uint32_t index)
{
    union tcp_item *range = at(tcp, index);
    uint32_t *below = &range->left, *behind = &range->right, rest, *link;

    range->priority = (uint32_t)sl_hash_v4(&tcp->seed, range->start, 0);
    link = find_link(tcp, root, range->start, range->priority);
    rest = *link;
    *link = index;
    while (rest != TCP_NONE) // what stood here comes below it, to its left and right
        if (tcp_seq_lt(at(tcp, rest)->start, range->start)) {
            *below = rest;
            below = &at(tcp, rest)->right;
            rest = *below;
        } else {
            *behind = rest;
            behind = &at(tcp, rest)->left;
            rest = *behind;
        }
    *below = *behind = TCP_NONE;
}

void tcp_range_remove(struct sl_tcp_engine *tcp, uint32_t *root, uint32_t index)
{
    const union tcp_item *range = at(tcp, index);
    uint32_t *link = find_link(tcp, root, range->start, range->priority), left = range->left, right = range->right;

    while (left != TCP_NONE && right != TCP_NONE)
        if (at(tcp, left)->priority >= at(tcp, right)->priority) {
            *link = left;
            link = &at(tcp, left)->right;
            left = *link;
        } else {
            *link = right;
            link = &at(tcp, right)->left;
            right = *link;
        }
    *link = left != TCP_NONE ? left : right;
}
