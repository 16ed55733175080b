#include "client/openings.h"

#include <stdio.h>
#include <string.h>

#include "client/seal_tables.h"
#include "client/urls.h"
#include "sluice/error.h"
#include "wire/bundle.h"
#include "wire/opening.h"

void slu_openings_forget(struct slu_openings *openings)
{
    while (openings->count > 0)
        slu_opening_key_free(openings->keys[--openings->count]);
}

static const struct slu_opening_key *find(const struct slu_openings *o, const uint8_t *key_id32)
{
    for (uint16_t i = 0; i < o->count; i++)
        if (!memcmp(slu_opening_key_public(o->keys[i])->key_id, key_id32, 32))
            return o->keys[i];
    return NULL;
}

static int add(struct slu_openings *o, const struct slu_seal_key *key)
{
    struct slu_opening_key *tables = slu_opening_key_new(key);
    if (!tables)
        return SLU_ERR_MEMORY; /* certified, it is an element */
    o->keys[o->count++] = tables;
    return SLU_OK;
}

/* Gets a key that is not known yet. What a node shows under a key, it can show the key of. */
static int fetch(struct slu_openings *o, const char *url, const uint8_t *key_id32,
                 const char **words)
{
    struct slu_session_config config = {.url = url, .timeout_ms = SLU_CONNECT_MS};
    struct slu_session *session;
    struct slu_key_answer answer;
    char why[256];
    *words = "its key cannot be had";
    int rc = o->count == SLU_NODES_MAX ? SLU_ERR_MISMATCH
                                       : slu_session_open(&session, &config, why, sizeof why);
    if (rc)
        return rc;
    rc = slu_committee_key_ask(&answer, session, o->genesis, key_id32);
    slu_session_close(session);
    if (rc == SLU_ERR_NOT_FOUND || slu_committee_key_lied(rc)) {
        *words = rc == SLU_ERR_NOT_FOUND ? "it is under a key that the node does not show"
                                         : "it is under a key that is not the committee's";
        rc = SLU_ERR_MISMATCH;
    }
    return rc ? rc : add(o, &answer.key);
}

static int check_content(const struct slu_opening_key *key, const struct slu_entry *entry,
                         const struct slu_opening *shown)
{
    struct slu_seal_opening opening = {.unlock_kind = (enum slu_unlock)shown->unlock_kind,
                                       .unlock = shown->unlock,
                                       .valid_until_ms = shown->valid_until_ms,
                                       .rollup = entry->rollup,
                                       .payload = shown->payload,
                                       .payload_len = shown->payload_len};
    memcpy(opening.key_id, shown->key_id32, 32);
    memcpy(opening.e, shown->e16, sizeof opening.e);
    memcpy(opening.z, shown->z32, sizeof opening.z);
    memcpy(opening.rho, shown->rho32, sizeof opening.rho);
    return slu_seal_opening_check_by(key, &opening, entry->id32);
}

/* It was due: clause 7.6. */
static bool is_unlocked(const struct slu_heights *heights, const struct slu_opening *shown)
{
    switch (shown->unlock_kind) {
    case SLU_UNLOCK_HEIGHT:
        return heights->height >= shown->unlock;
    case SLU_UNLOCK_TIME:
        return heights->time_ms >= shown->unlock;
    default:
        return true;
    }
}

/* Whether the chain has all rollups that it is for. */
static bool is_known(const struct slu_genesis *genesis, const struct slu_entry *entry)
{
    struct slu_bundle bundle;
    return slu_entry_bundle(&bundle, entry) ? slu_genesis_rollup_known(genesis, entry->rollup)
                                            : slu_bundle_known(genesis, &bundle);
}

static int check_entry(struct slu_openings *o, const struct slu_heights *heights,
                       const struct slu_entry *entry, const char *url, const char **words)
{
    struct slu_opening shown;
    *words = "it is none";
    if (slu_opening_read(&shown, entry->payload, entry->payload_len, true))
        return SLU_ERR_MISMATCH;
    *words = "it is for a rollup that the chain does not have";
    if (!is_known(o->genesis, entry))
        return SLU_ERR_MISMATCH;
    *words = "it is shown before its unlock";
    if (!is_unlocked(heights, &shown))
        return SLU_ERR_MISMATCH;
    int rc = find(o, shown.key_id32) ? SLU_OK : fetch(o, url, shown.key_id32, words);
    if (rc)
        return rc;
    *words = "this is not what was sealed";
    return check_content(find(o, shown.key_id32), entry, &shown);
}

int slu_openings_check(struct slu_openings *openings, const struct slu_heights *heights,
                       const char *url, char why[SLU_OPENINGS_WHY_BYTES])
{
    struct slu_reader reader = slu_reader_of(heights->bytes, heights->len);
    struct slu_entry entry;
    const char *words;
    while (slu_entry_next(&reader, &entry)) {
        if (entry.kind != SLU_ENTRY_OPENED)
            continue;
        int rc = check_entry(openings, heights, &entry, url, &words);
        if (rc) {
            char id[65];
            slu_hex_encode(id, entry.id32, 32);
            snprintf(why, SLU_OPENINGS_WHY_BYTES, "height %llu, entry %u, opening of %.64s: %s",
                     (unsigned long long)heights->height, entry.index, id, words);
            return rc;
        }
    }
    return SLU_OK;
}
