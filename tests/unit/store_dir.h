/* A data directory of a test's own, and its records in few words. set_up and tear_down are
 * cmocka's, of each test. */
#ifndef SLU_TESTS_UNIT_STORE_DIR_H
#define SLU_TESTS_UNIT_STORE_DIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store.h"
#include "sluice/error.h"

#define WHY 512

static char root[64];
static const struct slu_disk_identity identity = {.chain_id = {7, 7}, .node = 2};

/* Runs `verb` on one or two paths with the shell. */
static inline void run(const char *verb, const char *a, const char *b)
{
    char command[640];
    int len = snprintf(command, sizeof command, "%s %s %s", verb, a, b);
    assert_true(len > 0 && (size_t)len < sizeof command);
    assert_int_equal(system(command), 0);
}

static inline void path_of(char path[256], const char *name)
{
    snprintf(path, 256, "%s/%s", root, name);
}

static inline int set_up(void **state)
{
    (void)state;
    strcpy(root, "/tmp/slu_store_XXXXXX");
    return mkdtemp(root) == NULL;
}

static inline int tear_down(void **state)
{
    (void)state;
    run("rm -rf", root, "");
    return 0;
}

static inline struct slu_disk *open_ok(const char *dir)
{
    struct slu_disk *disk = NULL;
    char why[WHY];
    int error = slu_disk_open(&disk, dir, &identity, why, sizeof why);
    if (error != 0)
        print_message("open: %s\n", why);
    assert_int_equal(error, 0);
    return disk;
}

static inline struct slu_record_key key_of(enum slu_record_kind kind, uint64_t a, uint64_t b)
{
    struct slu_record_key key = {.kind = kind, .a = a, .b = b};
    if (kind == SLU_REC_BATCH)
        memset(key.digest, (int)(a + b), 32);
    return key;
}

static inline void put_text(struct slu_disk *disk, enum slu_record_kind kind, uint64_t a,
                            uint64_t b, const char *text)
{
    struct slu_record_key key = key_of(kind, a, b);
    slu_disk_begin(disk);
    slu_disk_put(disk, &key, text, strlen(text), NULL, 0);
    assert_int_equal(slu_disk_commit(disk), 0);
}

static inline int count_visit(void *visitor, const struct slu_record_key *key, const uint8_t *value,
                              size_t value_len)
{
    (void)key;
    (void)value;
    (void)value_len;
    (*(unsigned *)visitor)++;
    return 0;
}

static inline unsigned count(struct slu_disk *disk, struct slu_record_key from,
                             struct slu_record_key to)
{
    unsigned found = 0;
    struct slu_disk_view *view = slu_disk_view_new(disk);
    const struct slu_store *store = slu_disk_view_store(view);
    assert_int_equal(store->scan(store->context, &from, &to, count_visit, &found), 0);
    slu_disk_view_free(view);
    return found;
}

#endif
