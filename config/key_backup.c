#include "config/key_backup.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "config/private_file.h"
#include "crypto/hash.h"
#include "sluice/error.h"

#define BACKUP_CHARS 512u /* more than any */

/* The one text of a backup; its length. */
static size_t render(char text[BACKUP_CHARS], const struct slu_key_backup *backup)
{
    char chain[65], sign[65], seal[65], sum[65];
    uint8_t digest[32];
    slu_hex_encode(chain, backup->chain_id, 32);
    slu_hex_encode(sign, backup->seeds.sign32, 32);
    slu_hex_encode(seal, backup->seeds.seal32, 32);
    int head = snprintf(text, BACKUP_CHARS,
                        "sluice-keys 1\nchain_id %s\nnode %u\nnode_key %s\nseal_key %s\n", chain,
                        (unsigned)backup->node, sign, seal);
    SLU_CHECK(head > 0 && (size_t)head < BACKUP_CHARS);
    slu_hash_of(digest, "key-backup", backup->chain_id, text, (size_t)head);
    slu_hex_encode(sum, digest, 32);
    int tail = snprintf(text + head, BACKUP_CHARS - (size_t)head, "checksum %s\n", sum);
    SLU_CHECK(tail > 0 && (size_t)(head + tail) < BACKUP_CHARS);
    sodium_memzero(sign, sizeof sign);
    sodium_memzero(seal, sizeof seal);
    return (size_t)(head + tail);
}

int slu_key_backup_create(const struct slu_key_backup *backup, const char *path, char *why,
                          size_t why_cap)
{
    char text[BACKUP_CHARS];
    size_t len = render(text, backup);
    int rc = slu_private_file_create(path, text, len, why, why_cap);
    sodium_memzero(text, sizeof text);
    return rc;
}

/* Takes `word` off the text. */
static bool skip(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*at, word, len))
        return false;
    *at += len;
    return true;
}

/* The same for 32 bytes as hex with a name before them. */
static bool take(const char **at, const char *name, uint8_t out32[32])
{
    if (!skip(at, name) || strnlen(*at, 64) < 64 || slu_hex_decode(out32, *at, 64))
        return false;
    *at += 64;
    return true;
}

static bool take_node(const char **at, uint16_t *node)
{
    unsigned value = 0, digits = 0;
    if (!skip(at, "\nnode "))
        return false;
    for (; **at >= '0' && **at <= '9' && digits < 3; digits++, (*at)++)
        value = value * 10 + (unsigned)(**at - '0');
    *node = (uint16_t)value;
    return digits > 0;
}

/* NULL, or what is wrong. What was read is written anew and compared, checksum and all. */
static const char *parse(struct slu_key_backup *backup, const char *text, size_t len)
{
    const char *at = text;
    char again[BACKUP_CHARS];
    if (!skip(&at, "sluice-keys 1\n"))
        return "not a file of `sluice backup-keys`, or of another version";
    if (!take(&at, "chain_id ", backup->chain_id) || !take_node(&at, &backup->node) ||
        !take(&at, "\nnode_key ", backup->seeds.sign32) ||
        !take(&at, "\nseal_key ", backup->seeds.seal32))
        return "damaged: a field is missing or is no value";
    bool same = render(again, backup) == len && !memcmp(again, text, len);
    sodium_memzero(again, sizeof again);
    return same ? NULL : "damaged: the checksum does not hold";
}

int slu_key_backup_load(struct slu_key_backup *backup, const char *path, char *why, size_t why_cap)
{
    char text[BACKUP_CHARS] = "";
    size_t len;
    sodium_memzero(backup, sizeof *backup);
    int rc = slu_private_file_read(text, sizeof text - 1, &len, path, why, why_cap);
    if (!rc) {
        text[len] = '\0';
        const char *bad = parse(backup, text, len);
        if (bad) {
            snprintf(why, why_cap, "%s: %s", path, bad);
            rc = SLU_ERR_CONFIG;
        }
    }
    sodium_memzero(text, sizeof text);
    if (rc)
        sodium_memzero(backup, sizeof *backup);
    return rc;
}
