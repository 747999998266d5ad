// SPDX-License-Identifier: Apache-2.0
// version, help, completion: commands about the tool itself. One thread.
#include "commands.h"
#include "show.h"
#include "shm/layout.h"

int run_version(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    json_t *status = ctl_ask(ctl, "status", NULL);
    const char *theirs = status ? get_text(status, "version") : NULL;

    if (ctl->json) {
        json_t *result = json_pack("{s:s, s:s?, s:{s:i, s:i}}", "sluicectl", SLUICE_VERSION, "sluiced",
                                   theirs, "contract", "major", SL_SHM_MAJOR, "minor", SL_SHM_MINOR);

        ctl_json_print(ctl, result);
        json_decref(result);
    } else {
        fprintf(ctl->out, "sluicectl %s (contract %d.%d)\n", SLUICE_VERSION, SL_SHM_MAJOR, SL_SHM_MINOR);
        fprintf(ctl->out, "sluiced   %s\n", theirs ? theirs : "does not answer");
    }
    json_decref(status);
    return CTL_OK;
}

int run_completion(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    ctl_completion_script(ctl->out);
    return CTL_OK;
}

int run_help(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    ctl_help(ctl->out);
    return CTL_OK;
}
