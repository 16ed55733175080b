/* A growing piece of text, for output lines that are put together fast. Failure (no memory) is
 * sticky: check once, at the end. */
#ifndef SLU_CLIENT_TEXT_H
#define SLU_CLIENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct slu_text {
    char *bytes;
    size_t len;
    size_t cap;
    bool failed;
};

/** Room for `more` characters behind `len`, or NULL; the caller advances `len`. */
char *slu_text_room(struct slu_text *text, size_t more);
void slu_text_add(struct slu_text *text, const char *words);
void slu_text_add_number(struct slu_text *text, uint64_t number);
/** Lower-case hex of `data`. */
void slu_text_add_hex(struct slu_text *text, const uint8_t *data, size_t len);
/** `words` as a JSON string with its quotes; bytes outside printable ASCII become \u00xx. */
void slu_text_add_json(struct slu_text *text, const char *words);
/** Writes the text to `file`, flushes, empties it. False: failed before, or cannot be written. */
bool slu_text_write(struct slu_text *text, FILE *file);
void slu_text_free(struct slu_text *text);

#endif
