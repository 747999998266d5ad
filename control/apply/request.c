// SPDX-License-Identifier: Apache-2.0
// An apply outlives the call that asked for it: it keeps a request of its own. See apply.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "apply/apply.h"

static bool text_copy(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return !from || *to;
}

int apply_request_copy(struct apply_request *to, const struct apply_request *from)
{
    *to = *from;
    char *text = from->text ? malloc(from->length + 1) : NULL;
    if (text) {
        memcpy(text, from->text, from->length);
        text[from->length] = '\0';
    }
    to->text = text;
    bool whole = text_copy(&to->path, from->path);
    whole &= text_copy(&to->folder, from->folder);
    whole &= text_copy(&to->user, from->user);
    whole &= text_copy(&to->comment, from->comment);
    if (whole && (text || !from->text))
        return 0;
    apply_request_fini(to);
    return -ENOMEM;
}

void apply_request_fini(struct apply_request *request)
{
    free((char *)request->path);
    free((char *)request->text);
    free((char *)request->folder);
    free((char *)request->user);
    free((char *)request->comment);
    memset(request, 0, sizeof(*request));
}
