// SPDX-License-Identifier: Apache-2.0
// The interactive shell: lines with editing, history and completion, each run as a command. One thread.
#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include "command.h"

#define WORDS_MOST 64

struct shell {
    struct ctl *ctl;
    EditLine *edit;
    History *history;
};

static char *prompt(EditLine *edit)
{
    static char text[] = "sluice> ";

    return text;
}

// Cuts a line into words in place; quotes keep spaces. The last word may be empty: it is about to begin.
static int words_cut(char *line, char *words[WORDS_MOST])
{
    int count = 0;
    char *at = line;

    for (;;) {
        at += strspn(at, " \t\n");
        if (!*at || count == WORDS_MOST)
            return count;
        char quote = *at == '"' || *at == '\'' ? *at++ : 0;
        words[count++] = at;
        at += quote ? strcspn(at, quote == '"' ? "\"" : "'") : strcspn(at, " \t\n");
        if (*at)
            *at++ = '\0';
    }
}

// What all candidates (a line each) begin with.
static size_t common_length(const char *candidates)
{
    size_t common = strcspn(candidates, "\n");

    for (const char *at = candidates; *at; at += strcspn(at, "\n") + 1) {
        size_t same = 0;

        while (same < common && at[same] == candidates[same])
            same++;
        common = same;
    }
    return common;
}

static unsigned char complete(EditLine *edit, int key)
{
    const LineInfo *info = el_line(edit);
    char line[1024], *words[WORDS_MOST + 1], *candidates = NULL, end[] = "";
    size_t length = (size_t)(info->cursor - info->buffer), size;
    struct shell *shell;

    if (length >= sizeof(line) || el_get(edit, EL_CLIENTDATA, &shell) != 0)
        return CC_ERROR;
    memcpy(line, info->buffer, length);
    line[length] = '\0';
    bool fresh = length == 0 || line[length - 1] == ' ';
    int count = words_cut(line, words);
    if (fresh)
        words[count++] = end;

    FILE *out = open_memstream(&candidates, &size);
    ctl_complete(shell->ctl, count, words, out);
    fclose(out);
    unsigned char answer = CC_ERROR;
    if (size) {
        size_t begun = strlen(words[count - 1]), common = common_length(candidates);
        bool only = candidates[common] == '\n' && candidates[common + 1] == '\0';

        candidates[common] = '\0';
        if (common > begun && el_insertstr(edit, candidates + begun) == 0)
            answer = CC_REFRESH;
        if (only && el_insertstr(edit, " ") == 0)
            answer = CC_REFRESH;
        if (answer == CC_ERROR) { // nothing to add: show what there is
            candidates[common] = '\n';
            printf("\n%s%s", common ? "" : "", candidates);
            answer = CC_REDISPLAY;
        }
    }
    free(candidates);
    return answer;
}

static bool shell_start(struct shell *shell)
{
    HistEvent event;

    shell->edit = el_init("sluicectl", stdin, stdout, stderr);
    shell->history = history_init();
    if (!shell->edit || !shell->history)
        return false;
    history(shell->history, &event, H_SETSIZE, 500);
    el_set(shell->edit, EL_PROMPT, prompt);
    el_set(shell->edit, EL_EDITOR, "emacs");
    el_set(shell->edit, EL_SIGNAL, 1);
    el_set(shell->edit, EL_HIST, history, shell->history);
    el_set(shell->edit, EL_CLIENTDATA, shell);
    el_set(shell->edit, EL_ADDFN, "complete", "complete a word", complete);
    el_set(shell->edit, EL_BIND, "^I", "complete", NULL);
    return true;
}

// Runs a line; false where it ends the shell.
static bool shell_line(struct shell *shell, const char *text, int *code)
{
    char line[1024], *words[WORDS_MOST + 1];
    HistEvent event;

    snprintf(line, sizeof(line), "%s", text);
    int count = words_cut(line, words);
    if (count == 0)
        return true;
    history(shell->history, &event, H_ENTER, text);
    if (strcmp(words[0], "exit") == 0 || strcmp(words[0], "quit") == 0)
        return false;
    *code = ctl_run(shell->ctl, count, words);
    return true;
}

int ctl_shell(struct ctl *ctl)
{
    struct shell shell = {.ctl = ctl};
    int code = CTL_OK, length;
    const char *text;

    if (!shell_start(&shell)) {
        fprintf(stderr, "sluicectl: no interactive shell on this terminal: give a command\n");
        code = CTL_FAILED;
    } else {
        printf("Tab completes, 'help' lists the commands, 'exit' or Ctrl-D leaves.\n");
        while ((text = el_gets(shell.edit, &length)) && length > 0 && shell_line(&shell, text, &code))
            ;
    }
    if (shell.history)
        history_end(shell.history);
    if (shell.edit)
        el_end(shell.edit);
    return code;
}
