// SPDX-License-Identifier: Apache-2.0
// The tail of DPDK's log. Written by whichever thread logs (never a worker: drivers on the packet path are quiet).
#include "process/log.h"
#include <errno.h>
#include <string.h>
#include <bpf/libbpf.h>
#include <rte_log.h>

static void line_add(struct log_tail *tail, const char *text, size_t length)
{
    char *line = tail->line[tail->next++ % LOG_LINES];
    length = length < LOG_TEXT ? length : LOG_TEXT - 1;
    memcpy(line, text, length);
    line[length] = '\0';
}

static ssize_t tail_write(void *cookie, const char *buffer, size_t size)
{
    struct log_tail *tail = cookie;
    pthread_mutex_lock(&tail->lock);
    for (const char *at = buffer, *end = buffer + size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        if (stop > at)
            line_add(tail, at, (size_t)(stop - at));
        at = stop + 1;
    }
    pthread_mutex_unlock(&tail->lock);
    return (ssize_t)size;
}

// libbpf gives its printer no context, so its words take DPDK's way.
static int libbpf_print(enum libbpf_print_level level, const char *format, va_list list)
{
    return level == LIBBPF_DEBUG ? 0 : rte_vlog(RTE_LOG_NOTICE, RTE_LOGTYPE_USER1, format, list);
}

int log_tail_init(struct log_tail *tail)
{
    *tail = (struct log_tail){.lock = PTHREAD_MUTEX_INITIALIZER};
    tail->stream = fopencookie(tail, "w", (cookie_io_functions_t){.write = tail_write});
    if (!tail->stream)
        return -errno;
    setvbuf(tail->stream, NULL, _IOLBF, 0);
    rte_openlog_stream(tail->stream);
    libbpf_set_print(libbpf_print);
    return 0;
}

void log_tail_show(struct log_tail *tail)
{
    fflush(tail->stream);
    pthread_mutex_lock(&tail->lock);
    unsigned first = tail->next > LOG_LINES ? tail->next - LOG_LINES : 0;
    for (unsigned i = first; i < tail->next; i++)
        fprintf(stderr, "  dpdk: %s\n", tail->line[i % LOG_LINES]);
    tail->next = 0;
    pthread_mutex_unlock(&tail->lock);
}
