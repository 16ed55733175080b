/* Small files with secrets, which nobody but their owner may read. Every copy made on the way is
 * zeroed. */
#ifndef SLU_CONFIG_PRIVATE_FILE_H
#define SLU_CONFIG_PRIVATE_FILE_H

#include <stddef.h>

#include "base/check.h"

/** Reads at most `cap` bytes of a file into `text`, their number into `len`; `len` = cap: there may
 * be more. The file must be a regular file of the running user with mode 0600 or stricter. The
 * caller zeroes `text` after use. On failure `why` is one line naming the file.
 * Errors: IO, REFUSED (mode or owner). */
SLU_MUST_USE int slu_private_file_read(char *text, size_t cap, size_t *len, const char *path,
                                       char *why, size_t why_cap);

/** Creates a new file with mode 0600 and syncs it and its directory entry. Errors: EXISTS, IO; then
 * no file that was not there before is left behind. */
SLU_MUST_USE int slu_private_file_create(const char *path, const char *text, size_t len, char *why,
                                         size_t why_cap);

#endif
