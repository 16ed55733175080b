#include "wire/inbox.h"

#include <sodium.h>
#include <string.h>

#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "sluice/error.h"
#include "wire/evidence.h"
#include "wire/keygen.h"
#include "wire/tx.h"

#define ID_PREFIX_BYTES 16u /* clause 4.2: ids are told apart by these */

/* ---- tuples ---- */

void slu_inbox_tuple_write(struct slu_writer *w, const struct slu_inbox_tuple *t)
{
    slu_write_bytes(w, t->id, 32);
    slu_write_u8(w, t->kind);
    slu_write_u8(w, t->offence);
    slu_write_u16(w, t->offender);
    slu_write_u32(w, t->bytes);
    slu_write_u64(w, t->valid_until_ms);
}

static void read_tuple(struct slu_reader *r, struct slu_inbox_tuple *t)
{
    slu_read_copy(r, t->id, 32);
    t->kind = slu_read_u8(r);
    t->offence = slu_read_u8(r);
    t->offender = slu_read_u16(r);
    t->bytes = slu_read_u32(r);
    t->valid_until_ms = slu_read_u64(r);
}

int slu_inbox_tuple_read(struct slu_reader *r, const struct slu_genesis *g,
                         struct slu_inbox_tuple *t)
{
    read_tuple(r, t);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (t->kind == SLU_INBOX_FORCED) {
        uint8_t last = g->params.sealing ? SLU_FORCED_LOCKED : SLU_FORCED_PLAIN;
        bool ok = t->offence <= last && t->offender == 0 && t->bytes > SLU_TX_HEAD_BYTES &&
                  t->bytes <= g->params.tx_bytes_max && t->valid_until_ms != SLU_VALID_FOR_EVER;
        return ok ? SLU_OK : SLU_ERR_MALFORMED;
    }
    if (t->kind == SLU_INBOX_KEYGEN) {
        if (t->offence >= SLU_KEYGEN_PHASES || t->bytes <= SLU_TX_HEAD_BYTES ||
            t->bytes > SLU_KEYGEN_BYTES_MAX || t->valid_until_ms == SLU_VALID_FOR_EVER)
            return SLU_ERR_MALFORMED;
        return t->offender < g->n ? SLU_OK : SLU_ERR_MISMATCH;
    }
    if (t->kind != SLU_INBOX_EVIDENCE || t->offence >= SLU_OFFENCES || t->bytes == 0 ||
        t->bytes > SLU_EVIDENCE_BYTES_MAX || t->valid_until_ms != SLU_VALID_FOR_EVER)
        return SLU_ERR_MALFORMED;
    return t->offender < g->n ? SLU_OK : SLU_ERR_MISMATCH;
}

void slu_inbox_tuple_at(const uint8_t *list, uint32_t index, struct slu_inbox_tuple *tuple)
{
    struct slu_reader r =
        slu_reader_of(list + (size_t)index * SLU_INBOX_TUPLE_BYTES, SLU_INBOX_TUPLE_BYTES);
    read_tuple(&r, tuple);
}

void slu_inbox_tuple_digest(uint8_t digest32[32], const struct slu_genesis *g,
                            const struct slu_inbox_tuple *tuple)
{
    uint8_t bytes[SLU_INBOX_TUPLE_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_inbox_tuple_write(&w, tuple);
    slu_hash_of(digest32, "hold", g->chain_id, bytes, sizeof bytes);
}

bool slu_inbox_tuple_same(const struct slu_inbox_tuple *a, const struct slu_inbox_tuple *b)
{
    return !memcmp(a->id, b->id, 32) && a->kind == b->kind && a->offence == b->offence &&
           a->offender == b->offender && a->bytes == b->bytes &&
           a->valid_until_ms == b->valid_until_ms;
}

int slu_inbox_list_read(struct slu_reader *r, const struct slu_genesis *g, uint32_t max,
                        const uint8_t **list, uint16_t *count)
{
    *count = slu_read_u16(r);
    *list = NULL;
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (*count > max)
        return SLU_ERR_LIMIT;
    *list = slu_read_bytes(r, (size_t)*count * SLU_INBOX_TUPLE_BYTES);
    if (!*list)
        return SLU_ERR_MALFORMED;
    for (uint16_t i = 0; i < *count; i++) {
        const uint8_t *at = *list + (size_t)i * SLU_INBOX_TUPLE_BYTES;
        struct slu_reader each = slu_reader_of(at, SLU_INBOX_TUPLE_BYTES);
        struct slu_inbox_tuple tuple;
        int rc = slu_inbox_tuple_read(&each, g, &tuple);
        if (rc)
            return rc;
        if (i > 0 && memcmp(at - SLU_INBOX_TUPLE_BYTES, at, ID_PREFIX_BYTES) >= 0)
            return SLU_ERR_MALFORMED;
    }
    return SLU_OK;
}

uint32_t slu_inbox_per_report(const struct slu_genesis *g)
{
    uint32_t fits = SLU_QUEUED_BYTES_MAX / (SLU_INBOX_TUPLE_BYTES * slu_genesis_q(g));
    return fits < SLU_INBOX_PER_REPORT_MAX ? fits : SLU_INBOX_PER_REPORT_MAX;
}

uint32_t slu_inbox_per_block(const struct slu_genesis *g)
{
    return slu_inbox_per_report(g) * slu_genesis_q(g);
}

/* ---- postage ---- */

uint64_t slu_postage_price(const struct slu_genesis *g, uint64_t booked_bytes, uint32_t bytes)
{
    uint64_t per_block = g->params.forced_bytes_per_block;
    uint64_t work = (uint64_t)g->params.postage_base * ((bytes + 1023) / 1024);
    /* In thousandths, so that the price rises with each item and not in steps of a block. */
    uint64_t factor = 1000 + booked_bytes * 1000 / per_block, price;
    if (booked_bytes > UINT64_MAX / 1000 || __builtin_mul_overflow(work, factor, &price))
        return UINT64_MAX;
    return price / 1000 ? price / 1000 : 1;
}

static void work_start(struct slu_hash *hash, const struct slu_genesis *g, const uint8_t id32[32],
                       const uint8_t block32[32])
{
    slu_hash_begin(hash, "postage", g->chain_id);
    slu_hash_add(hash, id32, 32);
    slu_hash_add(hash, block32, 32);
}

/* Whether one nonce is worth `work`: its hash is below 2^64 / work. */
static bool nonce_pays(const struct slu_hash *start, uint64_t nonce, uint64_t work)
{
    struct slu_hash hash = *start;
    uint8_t bytes[8], digest[32];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u64(&w, nonce);
    slu_hash_add(&hash, bytes, sizeof bytes);
    slu_hash_end(&hash, digest);
    struct slu_reader r = slu_reader_of(digest, 8);
    return work > 0 && slu_read_u64(&r) <= UINT64_MAX / work;
}

bool slu_postage_pays(const struct slu_genesis *g, const uint8_t id32[32],
                      const struct slu_postage *postage, uint64_t work)
{
    struct slu_hash start;
    work_start(&start, g, id32, postage->block);
    return nonce_pays(&start, postage->nonce, work);
}

bool slu_postage_mine(const struct slu_genesis *g, const uint8_t id32[32],
                      struct slu_postage *postage, uint64_t work, uint64_t tries)
{
    struct slu_hash start;
    work_start(&start, g, id32, postage->block);
    for (; tries > 0; tries--, postage->nonce++)
        if (nonce_pays(&start, postage->nonce, work))
            return true;
    return false;
}

/* ---- the queue's fill ---- */

uint32_t slu_queue_cost(uint32_t bytes)
{
    return bytes + SLU_INBOX_TUPLE_BYTES;
}

uint64_t slu_queue_book(const struct slu_genesis *g, struct slu_queue_tail *tail, uint64_t height,
                        uint32_t bytes)
{
    uint32_t cost = slu_queue_cost(bytes);
    if (tail->height < height + g->params.forced_delay) {
        tail->height = height + g->params.forced_delay;
        tail->bytes = 0;
    }
    if (tail->bytes + cost > g->params.forced_bytes_per_block) {
        tail->height++;
        tail->bytes = 0;
    }
    tail->bytes += cost;
    return tail->height;
}

uint64_t slu_queue_booked(const struct slu_genesis *g, const struct slu_queue_tail *tail,
                          uint64_t height)
{
    if (tail->height <= height)
        return 0;
    uint64_t next =
        height + g->params.forced_delay; /* where an item would go if nothing were queued */
    uint64_t full = tail->height > next ? tail->height - next : 0, booked;
    if (__builtin_mul_overflow(full, (uint64_t)g->params.forced_bytes_per_block, &booked))
        return UINT64_MAX;
    return booked + tail->bytes;
}

/* ---- relays ---- */

static void write_postage(struct slu_writer *w, const struct slu_postage *postage)
{
    slu_write_u64(w, postage->height);
    slu_write_bytes(w, postage->block, 32);
    slu_write_u64(w, postage->nonce);
}

int slu_relay_derive(struct slu_relay *relay, const struct slu_genesis *g, const uint8_t *content,
                     size_t len)
{
    struct slu_inbox_tuple *t = &relay->tuple;
    memset(t, 0, sizeof *t);
    t->kind = relay->kind;
    t->bytes = (uint32_t)len;
    relay->content = content;
    if (relay->kind == SLU_INBOX_FORCED) {
        struct slu_reader r = slu_reader_of(content, len);
        struct slu_tx tx;
        if (len > g->params.tx_bytes_max)
            return SLU_ERR_LIMIT;
        if (!slu_tx_read(&r, &tx) || !slu_reader_done(&r) || tx.body_len == 0 ||
            tx.valid_until_ms == SLU_VALID_FOR_EVER)
            return SLU_ERR_MALFORMED;
        slu_tx_id(t->id, g, &tx);
        if (tx.kind == SLU_TX_SEALED && g->params.sealing) {
            struct slu_sealed sealed;
            if (slu_sealed_read(&sealed, tx.body, tx.body_len, tx.valid_until_ms))
                return SLU_ERR_MALFORMED;
            t->offence = sealed.label.unlock_kind == SLU_UNLOCK_NONE ? SLU_FORCED_SEALED
                                                                     : SLU_FORCED_LOCKED;
        }
        t->valid_until_ms = tx.valid_until_ms;
        return SLU_OK;
    }
    if (relay->kind == SLU_INBOX_KEYGEN) {
        struct slu_keygen_entry entry;
        int rc = slu_keygen_read(&entry, g, content, len);
        if (rc)
            return rc;
        memcpy(t->id, entry.id, 32);
        t->offence = (uint8_t)entry.phase;
        t->offender = entry.node;
        t->valid_until_ms = entry.valid_until_ms;
        return SLU_OK;
    }
    struct slu_evidence evidence;
    if (relay->kind != SLU_INBOX_EVIDENCE)
        return SLU_ERR_MALFORMED;
    int rc = slu_evidence_read(&evidence, g, content, len);
    if (rc)
        return rc;
    memcpy(t->id, evidence.id, 32);
    t->offence = (uint8_t)evidence.offence;
    t->offender = evidence.offender;
    t->valid_until_ms = SLU_VALID_FOR_EVER;
    return SLU_OK;
}

void slu_relay_digest(struct slu_relay *relay, const struct slu_genesis *g)
{
    uint8_t bytes[4 + 2 + SLU_INBOX_TUPLE_BYTES + 48];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_write_u32(&w, relay->epoch);
    slu_write_u16(&w, relay->taker);
    slu_inbox_tuple_write(&w, &relay->tuple);
    write_postage(&w, &relay->postage);
    SLU_CHECK(!w.failed);
    slu_hash_of(relay->digest, "relay", g->chain_id, bytes, slu_writer_len(&w));
}

void slu_relay_write(struct slu_writer *w, const struct slu_relay *relay)
{
    slu_write_u32(w, relay->epoch);
    slu_write_u16(w, relay->taker);
    slu_write_u8(w, relay->kind);
    write_postage(w, &relay->postage);
    slu_write_bytes(w, relay->signature, 64);
}

int slu_relay_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_relay *relay,
                   const uint8_t *content, size_t len)
{
    relay->epoch = slu_read_u32(r);
    relay->taker = slu_read_u16(r);
    relay->kind = slu_read_u8(r);
    relay->postage.height = slu_read_u64(r);
    slu_read_copy(r, relay->postage.block, 32);
    relay->postage.nonce = slu_read_u64(r);
    slu_read_copy(r, relay->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    if (relay->epoch != 0 || relay->taker >= g->n)
        return SLU_ERR_MISMATCH;
    bool free_of_postage = relay->postage.height == 0 && relay->postage.nonce == 0 &&
                           sodium_is_zero(relay->postage.block, 32);
    if (relay->kind != SLU_INBOX_FORCED && !free_of_postage)
        return SLU_ERR_MALFORMED;
    int rc = slu_relay_derive(relay, g, content, len);
    if (!rc)
        slu_relay_digest(relay, g);
    return rc;
}

/* ---- holds, receipts ---- */

void slu_holds_write(struct slu_writer *w, const struct slu_holds *holds)
{
    slu_write_u16(w, holds->count);
    for (uint16_t i = 0; i < holds->count; i++) {
        slu_inbox_tuple_write(w, &holds->items[i].tuple);
        slu_write_u16(w, holds->items[i].node);
        slu_write_bytes(w, holds->items[i].signature, 64);
    }
}

int slu_holds_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_holds *holds)
{
    holds->count = slu_read_u16(r);
    if (r->failed || holds->count == 0)
        return SLU_ERR_MALFORMED;
    if (holds->count > SLU_HOLDS_PER_MESSAGE_MAX)
        return SLU_ERR_LIMIT;
    for (uint16_t i = 0; i < holds->count; i++) {
        struct slu_hold *hold = &holds->items[i];
        int rc = slu_inbox_tuple_read(r, g, &hold->tuple);
        if (rc)
            return rc;
        hold->node = slu_read_u16(r);
        slu_read_copy(r, hold->signature, 64);
        if (r->failed)
            return SLU_ERR_MALFORMED;
        if (hold->node >= g->n)
            return SLU_ERR_MISMATCH;
        slu_inbox_tuple_digest(hold->digest, g, &hold->tuple);
    }
    return SLU_OK;
}

static void write_receipt(struct slu_writer *w, const struct slu_receipt *receipt)
{
    slu_write_u16(w, receipt->node);
    slu_write_bytes(w, receipt->id, 32);
    slu_write_u64(w, receipt->time_ms);
    slu_write_u64(w, receipt->height);
}

void slu_receipt_digest(uint8_t digest32[32], const struct slu_genesis *g,
                        const struct slu_receipt *receipt)
{
    uint8_t bytes[SLU_RECEIPT_BYTES];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    write_receipt(&w, receipt);
    slu_hash_of(digest32, "receipt", g->chain_id, bytes, slu_writer_len(&w));
}

void slu_receipt_write(struct slu_writer *w, const struct slu_receipt *receipt)
{
    write_receipt(w, receipt);
    slu_write_bytes(w, receipt->signature, 64);
}

int slu_receipt_read(struct slu_reader *r, const struct slu_genesis *g, struct slu_receipt *receipt)
{
    receipt->node = slu_read_u16(r);
    slu_read_copy(r, receipt->id, 32);
    receipt->time_ms = slu_read_u64(r);
    receipt->height = slu_read_u64(r);
    slu_read_copy(r, receipt->signature, 64);
    if (r->failed)
        return SLU_ERR_MALFORMED;
    return receipt->node < g->n ? SLU_OK : SLU_ERR_MISMATCH;
}
