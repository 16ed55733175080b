#include "client/proof_file.h"

#include <jansson.h>
#include <string.h>

#include "base/bytes.h"

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
