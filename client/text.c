#include "client/text.h"

#include <stdlib.h>
#include <string.h>

char *slu_text_room(struct slu_text *text, size_t more)
{
    if (text->failed)
        return NULL;
    if (more > text->cap - text->len) {
        size_t cap = text->cap ? text->cap : 4096;
        bool over = false;
        while (!over && cap - text->len < more)
            over = __builtin_mul_overflow(cap, 2u, &cap);
        char *bytes = over ? NULL : realloc(text->bytes, cap);
        if (!bytes) {
            text->failed = true;
            return NULL;
        }
        text->bytes = bytes;
        text->cap = cap;
    }
    return text->bytes + text->len;
}

void slu_text_add(struct slu_text *text, const char *words)
{
    size_t len = strlen(words);
    char *at = slu_text_room(text, len);
    if (!at)
        return;
    memcpy(at, words, len);
    text->len += len;
}

void slu_text_add_number(struct slu_text *text, uint64_t number)
{
    char digits[20];
    size_t len = 0;
    do {
        digits[len++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    char *at = slu_text_room(text, len);
    if (!at)
        return;
    for (size_t i = 0; i < len; i++)
        at[i] = digits[len - 1 - i];
    text->len += len;
}

void slu_text_add_hex(struct slu_text *text, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *at = slu_text_room(text, 2 * len);
    if (!at)
        return;
    for (size_t i = 0; i < len; i++) {
        at[2 * i] = digits[data[i] >> 4];
        at[2 * i + 1] = digits[data[i] & 15];
    }
    text->len += 2 * len;
}

void slu_text_add_json(struct slu_text *text, const char *words)
{
    slu_text_add(text, "\"");
    for (; *words; words++) {
        unsigned char c = (unsigned char)*words;
        char *at = slu_text_room(text, 8);
        if (!at)
            return;
        if (c == '"' || c == '\\')
            text->len += (size_t)snprintf(at, 8, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            text->len += (size_t)snprintf(at, 8, "\\u%04x", c);
        else
            text->len += (size_t)snprintf(at, 8, "%c", c);
    }
    slu_text_add(text, "\"");
}

bool slu_text_write(struct slu_text *text, FILE *file)
{
    bool ok = !text->failed &&
              (text->len == 0 || fwrite(text->bytes, 1, text->len, file) == text->len) &&
              fflush(file) == 0;
    text->len = 0;
    return ok;
}

void slu_text_free(struct slu_text *text)
{
    free(text->bytes);
    *text = (struct slu_text){0};
}
