/* SLU_CHECK: for what only a bug can break. On in release builds too: a node that finds itself in a
 * state that cannot be must stop with the reason rather than vote from it. Never for input. */
#ifndef SLU_BASE_CHECK_H
#define SLU_BASE_CHECK_H

#include "sluice/error.h" /* SLU_MUST_USE */

#define SLU_CHECK(condition)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            slu_check_failed(__FILE__, __LINE__, #condition);                                      \
    } while (0)

/** Prints `file:line: check failed: condition` to standard error and aborts. */
__attribute__((noreturn)) void slu_check_failed(const char *file, int line, const char *condition);

#endif
