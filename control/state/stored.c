// SPDX-License-Identifier: Apache-2.0
// See stored.h.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "state/stored.h"

#define PATH_BYTES 4096
#define MOST_BYTES (64u << 20)

void stored_fini(struct stored *stored)
{
    free(stored->text);
    memset(stored, 0, sizeof(*stored));
}

int stored_copy(struct stored *to, const struct stored *from)
{
    *to = *from;
    to->text = from->text ? strdup(from->text) : NULL;
    return from->text && !to->text ? -ENOMEM : 0;
}

int state_dir_make(const char *dir, struct sl_error *error)
{
    char path[PATH_BYTES];

    if (mkdir(dir, 0755) < 0 && errno != EEXIST)
        return sl_error_set(error, -errno,
                            "%s: cannot be made: %s; make it, or name another with --state-dir", dir,
                            strerror(errno));
    if (access(dir, W_OK | X_OK) < 0)
        return sl_error_set(error, -errno,
                            "%s: %s; run sluiced as its owner, or name another with --state-dir", dir,
                            strerror(errno));
    snprintf(path, sizeof(path), "%s/history", dir);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return sl_error_set(error, -errno, "%s: cannot be made: %s", path, strerror(errno));
    return 0;
}

// Hashes as text: JSON integers are signed.
static json_t *hex(uint64_t hash)
{
    return json_sprintf("%016" PRIx64, hash);
}

static uint64_t from_hex(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? strtoull(text, NULL, 16) : 0;
}

static char *stored_head(const struct stored *stored)
{
    json_t *head = json_pack(
        "{s:I, s:o, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:b, s:I, s:I, s:s}", "id", (json_int_t)stored->id,
        "hash", hex(stored->hash), "applied_at", (json_int_t)stored->applied_at, "uid",
        (json_int_t)stored->uid, "user", stored->user, "comment", stored->comment, "prefilter_hash",
        hex(stored->prefilter_hash), "route_hash", hex(stored->route_hash), "balance_hash",
        hex(stored->balance_hash), "in_place", stored->in_place, "confirm_s", (json_int_t)stored->confirm_s,
        "confirm_deadline_ns", (json_int_t)stored->confirm_deadline_ns, "boot", stored->boot);
    char *text = head ? json_dumps(head, JSON_COMPACT) : NULL;

    json_decref(head);
    return text;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static void sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

static int write_parts(const char *path, const char *head, const struct stored *stored, bool sync)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return -errno;
    int rc = write_all(fd, "# ", 2);
    if (rc == 0)
        rc = write_all(fd, head, strlen(head));
    if (rc == 0)
        rc = write_all(fd, "\n", 1);
    if (rc == 0)
        rc = write_all(fd, stored->text ? stored->text : "", stored->length);
    if (rc == 0 && sync && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

int stored_write(const char *dir, const char *name, const struct stored *stored, bool sync,
                 struct sl_error *error)
{
    char path[PATH_BYTES], temporary[PATH_BYTES + 8];
    char *head = stored_head(stored);

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    int rc = head ? write_parts(temporary, head, stored, sync) : -ENOMEM;
    free(head);
    if (rc == 0 && rename(temporary, path) < 0)
        rc = -errno;
    if (rc) {
        unlink(temporary);
        return sl_error_set(error, rc, "%s: cannot be written: %s", path, strerror(-rc));
    }
    if (sync)
        sync_dir(dir);
    return 0;
}

static void take_text(const json_t *head, const char *key, char *out, size_t room)
{
    const char *text = json_string_value(json_object_get(head, key));

    snprintf(out, room, "%s", text ? text : "");
}

static int parse_head(const char *line, size_t len, struct stored *stored)
{
    json_t *head = len > 2 && line[0] == '#' ? json_loadb(line + 1, len - 1, 0, NULL) : NULL;

    if (!json_is_object(head)) {
        json_decref(head);
        return -EBADMSG;
    }
    stored->id = (uint64_t)json_integer_value(json_object_get(head, "id"));
    stored->hash = from_hex(head, "hash");
    stored->prefilter_hash = from_hex(head, "prefilter_hash");
    stored->route_hash = from_hex(head, "route_hash");
    stored->balance_hash = from_hex(head, "balance_hash");
    stored->applied_at = json_integer_value(json_object_get(head, "applied_at"));
    stored->uid = (uint32_t)json_integer_value(json_object_get(head, "uid"));
    stored->in_place = json_is_true(json_object_get(head, "in_place"));
    stored->confirm_s = (uint32_t)json_integer_value(json_object_get(head, "confirm_s"));
    stored->confirm_deadline_ns = (uint64_t)json_integer_value(json_object_get(head, "confirm_deadline_ns"));
    take_text(head, "user", stored->user, sizeof(stored->user));
    take_text(head, "comment", stored->comment, sizeof(stored->comment));
    take_text(head, "boot", stored->boot, sizeof(stored->boot));
    json_decref(head);
    return 0;
}

static int read_whole(const char *path, char **bytes, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int rc = fstat(fd, &st) < 0 ? -errno : st.st_size > (off_t)MOST_BYTES ? -EFBIG : 0;
    char *buffer = rc == 0 ? malloc((size_t)st.st_size + 1) : NULL;
    if (rc == 0 && !buffer)
        rc = -ENOMEM;
    size_t have = 0;
    while (rc == 0 && have < (size_t)st.st_size) {
        ssize_t n = read(fd, buffer + have, (size_t)st.st_size - have);
        if (n < 0 && errno != EINTR)
            rc = -errno;
        if (n == 0)
            break;
        have += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (rc) {
        free(buffer);
        return rc;
    }
    buffer[have] = '\0';
    *bytes = buffer;
    *len = have;
    return 0;
}

int stored_read(const char *dir, const char *name, struct stored *stored, struct sl_error *error)
{
    char path[PATH_BYTES], *bytes = NULL;
    size_t len = 0;

    memset(stored, 0, sizeof(*stored));
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int rc = read_whole(path, &bytes, &len);
    if (rc)
        return sl_error_set(error, rc, "%s: cannot be read: %s", path, strerror(-rc));
    char *end = memchr(bytes, '\n', len);
    rc = end ? parse_head(bytes, (size_t)(end - bytes), stored) : -EBADMSG;
    if (rc == 0) {
        stored->length = len - (size_t)(end + 1 - bytes);
        stored->text = strdup(end + 1);
        rc = stored->text ? 0 : -ENOMEM;
    }
    free(bytes);
    if (rc) {
        stored_fini(stored);
        return sl_error_set(error, rc, "%s: not written by sluiced, or damaged: remove it", path);
    }
    return 0;
}

void stored_remove(const char *dir, const char *name)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    unlink(path);
}
