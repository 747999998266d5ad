// SPDX-License-Identifier: Apache-2.0
// A whole file into memory: not mapped, since a file that shrinks while it is read would kill a daemon that maps it.
// Inside src/config.
#ifndef SL_CONFIG_FILE_H
#define SL_CONFIG_FILE_H

#include <stddef.h>

// 0, and *text (NUL behind its end, to be freed by free()) of *length bytes; -errno: -EISDIR, and -EINVAL for what is
// neither file nor folder.
int file_read(const char *path, char **text, size_t *length);

#endif
