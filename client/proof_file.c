#include "client/proof_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "client/command.h"
#include "wire/evidence.h"
#include "wire/proof.h"

/* Hex of the longest, in a JSON object. */
#define FILE_BYTES_MAX (2u * SLU_PROOF_BYTES_MAX + 1024u)
_Static_assert(SLU_EVIDENCE_BYTES_MAX <= SLU_PROOF_BYTES_MAX, "evidence is shorter than proofs");

/* The bytes that 0x-hex stands for; 0: it is none. */
static size_t from_hex(uint8_t *out, const char *text, size_t len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    if (len <= 2 || text[0] != '0' || text[1] != 'x' || slu_hex_decode(out, text + 2, len - 2))
        return 0;
    return (len - 2) / 2;
}

size_t slu_proof_bytes(uint8_t *out, const char *text, size_t len)
{
    json_t *object = text[0] == '{' ? json_loadb(text, len, 0, NULL) : NULL;
    json_t *field = json_object_get(object, "bytes");
    size_t got = field && json_is_string(field)
                     ? from_hex(out, json_string_value(field), json_string_length(field))
                     : from_hex(out, text, len);
    json_decref(object);
    if (got > 0)
        return got;
    memcpy(out, text, len);
    return len;
}

uint8_t *slu_proof_file_load(const char *command, const char *path, size_t *len)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    char *text = malloc(FILE_BYTES_MAX + 1u);
    uint8_t *bytes = NULL;
    size_t got = file && text ? fread(text, 1, FILE_BYTES_MAX + 1u, file) : 0;
    if (!file || !text || ferror(file))
        slu_complain(command, 0, "%s: %s", path, strerror(errno));
    else if (got == 0 || got > FILE_BYTES_MAX)
        slu_complain(command, 0, "%s: %s", path, got ? "too long" : "empty");
    else if (!(bytes = malloc(got)))
        slu_complain(command, 0, "%s: no memory", path);
    else
        *len = slu_proof_bytes(bytes, text, got);
    if (file && file != stdin)
        fclose(file);
    free(text);
    return bytes;
}
