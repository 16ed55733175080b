#include "config/key_file.h"

#include <sodium.h>
#include <stdio.h>

#include "base/bytes.h"
#include "config/private_file.h"
#include "sluice/error.h"

#define KEY_HEX_CHARS 64u

int slu_key_file_load(uint8_t seed32[32], const char *path, char *why, size_t why_cap)
{
    char text[KEY_HEX_CHARS + 8];
    size_t len;
    sodium_memzero(seed32, 32);
    int rc = slu_private_file_read(text, sizeof text, &len, path, why, why_cap);
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r' || text[len - 1] == ' '))
        len--;
    if (!rc && (len != KEY_HEX_CHARS || slu_hex_decode(seed32, text, len))) {
        snprintf(why, why_cap, "%s: a key is one line of 64 hex digits", path);
        rc = SLU_ERR_CONFIG;
    }
    sodium_memzero(text, sizeof text);
    if (rc)
        sodium_memzero(seed32, 32);
    return rc;
}

int slu_key_file_create(const char *path, const uint8_t seed32[32], char *why, size_t why_cap)
{
    char text[KEY_HEX_CHARS + 1];
    slu_hex_encode(text, seed32, 32);
    text[KEY_HEX_CHARS] = '\n';
    int rc = slu_private_file_create(path, text, sizeof text, why, why_cap);
    sodium_memzero(text, sizeof text);
    return rc;
}
