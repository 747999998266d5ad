// SPDX-License-Identifier: Apache-2.0
// MSS clamping: see mss.h.
#include "neighbor/mss.h"
#include "wire/checksum.h"
#include "wire/l4.h"

void mss_clamp(struct worker *worker, struct packet *packet, uint16_t limit)
{
    struct sl_tcp *tcp = rte_pktmbuf_mtod_offset(packet->m, struct sl_tcp *, packet->l4_off);
    size_t have = rte_pktmbuf_data_len(packet->m) - packet->l4_off;
    size_t header = sl_tcp_header_len(tcp, have);
    size_t at = header ? sl_tcp_find_mss(tcp, header) : 0;
    struct sl_csum_diff diff = {0};
    sl_be16 before, after = sl_be16_of(limit);

    if (at == 0)
        return;
    uint8_t *value = (uint8_t *)tcp + at;
    memcpy(&before, value, sizeof(before));
    if (sl_host16(before) <= limit)
        return;
    memcpy(value, &after, sizeof(after));
    sl_csum_diff_bytes(&diff, at, &before, &after, sizeof(after));
    sl_csum_patch(&tcp->checksum, diff);
    worker_count(worker, SL_COUNTER_mss_clamped, 1);
}
