#include "client/load.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "client/hex_lines.h"
#include "sluice/error.h"

#define FILLER_BYTES_MAX (256u * 1024u * 1024u)

static const uint8_t magic[8] = {'s', 'l', 'u', '-', 'l', 'o', 'a', 'd'};

static int add_filler(struct slu_load *load, const uint8_t *bytes, size_t len)
{
    size_t used = load->count ? load->ends[load->count - 1] : 0;
    if (len > FILLER_BYTES_MAX - used)
        return SLU_ERR_LIMIT;
    uint8_t *filler = realloc(load->filler, used + len + 1);
    if (filler)
        load->filler = filler;
    size_t *ends = realloc(load->ends, (load->count + 1) * sizeof *ends);
    if (ends)
        load->ends = ends;
    if (!filler || !ends)
        return SLU_ERR_MEMORY;
    memcpy(load->filler + used, bytes, len);
    load->ends[load->count++] = used + len;
    if (len + SLU_LOAD_TAIL_BYTES > load->payload_bytes_max)
        load->payload_bytes_max = len + SLU_LOAD_TAIL_BYTES;
    return SLU_OK;
}

static void start(struct slu_load *load)
{
    *load = (struct slu_load){0};
    randombytes_buf(&load->run, sizeof load->run);
}

int slu_load_of_size(struct slu_load *load, size_t size)
{
    start(load);
    size_t len = size > SLU_LOAD_TAIL_BYTES ? size - SLU_LOAD_TAIL_BYTES : 0;
    uint8_t *bytes = malloc(len + 1);
    if (!bytes)
        return SLU_ERR_MEMORY;
    randombytes_buf(bytes, len);
    int rc = add_filler(load, bytes, len);
    free(bytes);
    return rc;
}

int slu_load_of_file(struct slu_load *load, const char *path, char *why, size_t why_cap)
{
    static struct slu_hex_lines lines;
    static uint8_t bytes[SLU_TX_BYTES_MAX_CAP];
    char reason[SLU_HEX_REASON_BYTES];
    size_t len;
    int rc;
    start(load);
    lines = (struct slu_hex_lines){.fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (lines.fd < 0) {
        snprintf(why, why_cap, "%s: %s", path, strerror(errno));
        return SLU_ERR_IO;
    }
    snprintf(reason, sizeof reason, "cannot be read");
    while ((rc = slu_hex_lines_next(&lines, bytes, sizeof bytes - 256, &len, reason)) == 1) {
        rc = add_filler(load, bytes, len);
        if (rc)
            break;
    }
    if (rc == 0 && load->count == 0) {
        snprintf(reason, sizeof reason, "no transactions in it");
        rc = SLU_ERR_MALFORMED;
    }
    if (rc)
        snprintf(why, why_cap, "%s: %s", path, reason);
    slu_hex_lines_end(&lines);
    close(lines.fd);
    return rc;
}

void slu_load_free(struct slu_load *load)
{
    free(load->filler);
    free(load->ends);
    *load = (struct slu_load){0};
}

size_t slu_load_size(const struct slu_load *load, uint64_t number)
{
    size_t i = (size_t)(number % load->count);
    return load->ends[i] - (i ? load->ends[i - 1] : 0) + SLU_LOAD_TAIL_BYTES;
}

void slu_load_write(const struct slu_load *load, uint8_t *out, uint64_t number,
                    uint64_t intended_ns)
{
    size_t i = (size_t)(number % load->count);
    size_t from = i ? load->ends[i - 1] : 0;
    size_t len = load->ends[i] - from;
    memcpy(out, load->filler + from, len);
    struct slu_writer w = slu_writer_of(out + len, SLU_LOAD_TAIL_BYTES);
    slu_write_bytes(&w, magic, sizeof magic);
    slu_write_u64(&w, load->run);
    slu_write_u64(&w, number);
    slu_write_u64(&w, intended_ns);
}

bool slu_load_read(const struct slu_load *load, const uint8_t *payload, size_t len,
                   uint64_t *number, uint64_t *intended_ns)
{
    if (len < SLU_LOAD_TAIL_BYTES)
        return false;
    struct slu_reader r = slu_reader_of(payload + len - SLU_LOAD_TAIL_BYTES, SLU_LOAD_TAIL_BYTES);
    const uint8_t *found = slu_read_bytes(&r, sizeof magic);
    uint64_t run = slu_read_u64(&r);
    *number = slu_read_u64(&r);
    *intended_ns = slu_read_u64(&r);
    return !memcmp(found, magic, sizeof magic) && run == load->run;
}
