/* What a file for `sluice verify` or `sluice show` holds, in each of the forms that the command
 * hands such things out in: the bytes themselves, 0x-hex, or a JSON object with the hex as "bytes".
 */
#ifndef SLU_CLIENT_PROOF_FILE_H
#define SLU_CLIENT_PROOF_FILE_H

#include <stddef.h>
#include <stdint.h>

/** Puts the bytes that `text` stands for into `out` (room for `len`) and returns their number. Text
 * that is neither hex nor such an object stands for itself. */
size_t slu_proof_bytes(uint8_t *out, const char *text, size_t len);

/** Reads `path`, "-" being standard input, and gives the bytes that it stands for; free them with
 * free(). NULL after a complaint of `command`'s. */
uint8_t *slu_proof_file_load(const char *command, const char *path, size_t *len);

#endif
