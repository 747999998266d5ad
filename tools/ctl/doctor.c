// SPDX-License-Identifier: Apache-2.0
// doctor: looks at everything that is known to go wrong, from outside, and prints what mends it. Works when sluiced is
// down. One thread.
#include "doctor.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "commands.h"
#include "config/load.h"
#include "show.h"
#include "table.h"

static const char *const verdicts[] = {"good", "hint", "bad", "skipped"};

void doctor_find(struct doctor *doctor, enum doctor_verdict verdict, const char *check, const char *mend,
                 const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    doctor->bad |= verdict == DOCTOR_BAD;
    json_array_append_new(doctor->findings, json_pack("{s:s, s:s, s:s, s:s?}", "check", check, "verdict",
                                                      verdicts[verdict], "text", text, "mend", mend));
}

const char *doctor_line(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");

    out[0] = '\0';
    if (file) {
        if (!fgets(out, (int)size, file))
            out[0] = '\0';
        fclose(file);
    }
    out[strcspn(out, "\n")] = '\0';
    return out;
}

// Ports from the config where sluiced does not tell them, in the shape of its answer.
static json_t *ports_of_config(struct doctor *doctor)
{
    const char *path = doctor->ctl->config;
    struct sl_diagnostics diag;
    struct sl_config *config;
    json_t *ports = json_array();
    char first[512] = "";

    sl_diag_init(&diag);
    int error = sl_config_load(path, &config, &diag);
    if (diag.errors)
        sl_diag_format(&diag.list[0], first, sizeof(first));
    if (error)
        doctor_find(doctor, DOCTOR_BAD, "config", "sluicectl config check FILE", "%s", first);
    else
        doctor_find(doctor, DOCTOR_GOOD, "config", NULL, "%s loads", path);
    for (unsigned i = 0; config && i < config->ports_count; i++)
        json_array_append_new(ports,
                              json_pack("{s:s, s:s, s:i, s:b}", "port", config->ports[i].name, "device",
                                        config->ports[i].device, "mtu", (int)config->ports[i].mtu, "enabled",
                                        config->ports[i].enabled));
    sl_config_free(config);
    sl_diag_fini(&diag);
    return json_pack("{s:o}", "ports", ports);
}

static void print_findings(struct doctor *doctor)
{
    static const char *const colors[] = {COLOR_GOOD, COLOR_WARN, COLOR_BAD, ""};
    struct ctl *ctl = doctor->ctl;
    unsigned counts[4] = {0};
    json_t *finding;
    size_t i;

    json_array_foreach(doctor->findings, i, finding)
    {
        unsigned verdict = 0;

        while (strcmp(verdicts[verdict], get_text(finding, "verdict")) != 0)
            verdict++;
        counts[verdict]++;
        fprintf(ctl->out, "%s%-7s%s  %-12s  %s\n", ctl->color ? colors[verdict] : "", verdicts[verdict],
                ctl->color ? COLOR_END : "", get_text(finding, "check"), get_text(finding, "text"));
        if (get_text(finding, "mend")[0])
            fprintf(ctl->out, "%23s mend: %s\n", "", get_text(finding, "mend"));
    }
    fprintf(ctl->out, "\n%u good, %u hints, %u bad, %u skipped\n", counts[DOCTOR_GOOD], counts[DOCTOR_HINT],
            counts[DOCTOR_BAD], counts[DOCTOR_SKIPPED]);
}

int run_doctor(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    struct doctor doctor = {.ctl = ctl, .findings = json_array(), .root = geteuid() == 0};
    struct sl_error error = {0};

    doctor.status = ctl_ask(ctl, "status", NULL);
    doctor.ports = ctl_ask(ctl, "port", NULL);
    // sluiced knows where the board really is; without it what the command line says counts.
    const char *run_dir = get_text(json_object_get(doctor.status, "control"), "run_dir");
    sl_board_open_readonly(run_dir[0] ? run_dir : ctl->run_dir, &doctor.board, &error);

    doctor_host(&doctor);
    doctor_state(&doctor);
    if (!doctor.ports)
        doctor.ports = ports_of_config(&doctor);
    doctor_links(&doctor);
    if (ctl->json) {
        json_t *result = json_pack("{s:b, s:O}", "well", !doctor.bad, "findings", doctor.findings);

        ctl_json_print(ctl, result);
        json_decref(result);
    } else {
        print_findings(&doctor);
    }
    sl_board_close(doctor.board);
    json_decref(doctor.ports);
    json_decref(doctor.status);
    json_decref(doctor.findings);
    return doctor.bad ? CTL_FAILED : CTL_OK;
}
