// SPDX-License-Identifier: Apache-2.0
// sluiced's words: a line each to stderr, behind a journal level ("<3>") where stderr is the journal's pipe or file,
// behind a time where it is a terminal. Only control/ logs; src/ never does. Main thread.
#ifndef CONTROL_LOG_H
#define CONTROL_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6 };

void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)

#endif
