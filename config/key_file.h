/* A key of a node on disk: one line with its 32-byte seed as 64 hex digits, in a file that nobody
 * else can read (config/private_file.h). */
#ifndef SLU_CONFIG_KEY_FILE_H
#define SLU_CONFIG_KEY_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

/** Reads the seed. The caller zeroes `seed32` after use; on failure it is zero and `why` is one line
 * naming the file. Errors: IO, REFUSED (mode or owner), CONFIG (not 64 hex digits). */
SLU_MUST_USE int slu_key_file_load(uint8_t seed32[32], const char *path, char *why, size_t why_cap);

/** Creates a new file with mode 0600 and syncs it and its directory entry. Errors: EXISTS, IO. */
SLU_MUST_USE int slu_key_file_create(const char *path, const uint8_t seed32[32], char *why,
                                     size_t why_cap);

#endif
