// SPDX-License-Identifier: Apache-2.0
// The control socket of a memif port, looked at before the driver does: the driver tells nothing of why it failed, and
// leaves half a device behind where it does. System calls: housekeeping thread alone.
#ifndef PORT_MEMIF_H
#define PORT_MEMIF_H

#include <stdbool.h>
#include "base/error.h"

// The port can be opened over this path. As server: nobody listens there; a socket that a killed process left is
// removed, anything else is kept. As client: somebody listens there. 0, or -errno with a sentence.
int memif_socket_prepare(const char *path, bool server, struct sl_error *error);

#endif
