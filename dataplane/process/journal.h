// SPDX-License-Identifier: Apache-2.0
// What sluice-dp tells the operator, a line an event, on stderr: the service manager's journal, or a terminal. Main
// thread, which is housekeeping's; workers never log, they count.
#ifndef PROCESS_JOURNAL_H
#define PROCESS_JOURNAL_H

enum journal_level { // sd-daemon(3), syslog(3)
    JOURNAL_ERROR = 3,
    JOURNAL_WARNING = 4,
    JOURNAL_NOTICE = 5,
    JOURNAL_INFO = 6,
};

// One line, with its level in front ("<5>") where nobody sits at a terminal. Line feeds in it become blanks.
__attribute__((format(printf, 2, 3))) void journal(enum journal_level level, const char *format, ...);

#endif
