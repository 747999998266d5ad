// SPDX-License-Identifier: Apache-2.0
// A run directory for a test, and publishing into it. Test programs only.
#include "fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(bool right, const char *what, const struct sl_error *error)
{
    if (right)
        return;
    fprintf(stderr, "fixture: %s: %s\n", what, error ? error->text : "");
    abort();
}

void fixture_init(struct fixture *fixture)
{
    struct sl_error error = {0};

    strcpy(fixture->run_dir, "/dev/shm/sluice-test-XXXXXX");
    must(mkdtemp(fixture->run_dir) != NULL, "cannot make a run directory in /dev/shm", NULL);
    must(sl_board_open(fixture->run_dir, &fixture->board, &error) == 0, "cannot open the board", &error);
}

void fixture_fini(struct fixture *fixture)
{
    DIR *dir = opendir(fixture->run_dir);

    sl_board_close(fixture->board);
    must(dir != NULL, "the run directory is gone", NULL);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(fixture->run_dir);
}

int fixture_files(const struct fixture *fixture, const char *stem)
{
    DIR *dir = opendir(fixture->run_dir);
    int count = 0;

    must(dir != NULL, "the run directory is gone", NULL);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += strncmp(entry->d_name, stem, strlen(stem)) == 0;
    closedir(dir);
    return count;
}

void fixture_patch(const struct fixture *fixture, const char *name, uint64_t offset, const void *bytes,
                   uint64_t len_bytes)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", fixture->run_dir, name);
    int fd = open(path, O_WRONLY);
    must(fd >= 0 && pwrite(fd, bytes, len_bytes, (off_t)offset) == (ssize_t)len_bytes, "cannot patch a file",
         NULL);
    close(fd);
}

struct sl_table_ref fixture_table(struct fixture *fixture, enum sl_segment_kind kind, uint32_t marker)
{
    struct sl_error error = {0};
    struct sl_table_ref ref = {0};
    uint64_t size;
    void *image = fixture_image(kind, marker, &size);
    int code = sl_table_write(fixture->run_dir, fixture->board, kind, image, size, &ref, &error);

    must(code == 0, "cannot write a table", &error);
    free(image);
    return ref;
}

uint64_t fixture_publish(struct fixture *fixture, uint32_t marker)
{
    struct sl_table_ref ref[FIXTURE_KINDS];
    struct sl_error error = {0};
    uint64_t number = 0;

    for (unsigned i = 0; i < FIXTURE_KINDS; i++)
        ref[i] = fixture_table(fixture, fixture_kind[i], marker);
    int code = sl_generation_publish(fixture->run_dir, fixture->board, ref, FIXTURE_KINDS, marker, &number, &error);
    must(code == 0, "cannot publish", &error);
    return number;
}
