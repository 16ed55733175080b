/* A made-up stretch of a chain, heights 1 to 12 with certificates of 8 and 12, that has an entry of
 * each kind, and the proof of each: for tests of proofs, their vectors and their corpus. */
#ifndef SLU_TESTS_UNIT_PROOF_CASE_H
#define SLU_TESTS_UNIT_PROOF_CASE_H

#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/seal.h"
#include "crypto/sealed.h"
#include "tests/unit/committee_key.h"
#include "wire/block.h"
#include "wire/merkle.h"
#include "wire/proof.h"
#include "wire/space.h"
#include "wire/tx.h"

#define TOP        12u
#define ITEMS      16u
#define UNTIL      UINT64_C(1700000030000)
#define PROOF_ROOM 8192u

enum subject_name {
    PLAIN,
    NEIGHBOUR,
    BUNDLE,
    SEALED,
    LOCKED,
    VOIDED,
    CLOSED,
    SEALED_BUNDLE,
    FORCED,
    FORCED_SEALED,
    FIRST, /* queued by the block of height 1 */
    EVIDENCE,
    KEYGEN,
    SUBJECTS
};

static const char *const subject_names[SUBJECTS] = {
    "plain",         "neighbour", "bundle",        "sealed", "locked",   "void",  "closed",
    "sealed_bundle", "forced",    "forced_sealed", "first",  "evidence", "keygen"};

struct subject {
    uint8_t kind;
    uint64_t rollup, height, queued, opened; /* heights; 0: not */
    uint32_t index, opened_index;
    uint64_t opened_rollup;
    uint8_t outcome;
    uint64_t lists[2], opened_lists[2];
    uint32_t list_count, opened_list_count;
    uint8_t payload[1024], opening[1024], id[32];
    uint32_t payload_len, opening_len;
};

struct told_height {
    struct slu_block block;
    uint8_t tuples[4 * SLU_INBOX_TUPLE_BYTES], bytes[1024];
    uint32_t bytes_len;
    struct slu_space_item items[2][ITEMS]; /* ordered, opened */
    uint32_t counts[2];
    struct slu_space_leaf spaces[2][ITEMS];
    uint32_t rollups[2];
    struct slu_release release;
};

static struct subject subjects[SUBJECTS];
static struct told_height told[TOP + 1];
static struct slu_release_cert certs[TOP + 1];
static struct certified_key committee_key;

/* ---- entries ---- */

static inline void name_subject(struct subject *s)
{
    uint8_t envelope[1100];
    struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
    if (s->kind == SLU_ENTRY_EVIDENCE) {
        slu_hash_of(s->id, "evidence", genesis.chain_id, s->payload, s->payload_len);
        return;
    }
    slu_tx_write(&w, s->rollup, UNTIL, s->kind == SLU_ENTRY_KEYGEN ? SLU_TX_KEYGEN : s->kind & 127,
                 s->payload, s->payload_len);
    slu_tx_id_of(s->id, genesis.chain_id, envelope, slu_writer_len(&w));
}

static inline struct subject *plain(enum subject_name which, uint8_t kind, uint64_t rollup,
                                    uint64_t height, uint32_t index, const char *text)
{
    struct subject *s = &subjects[which];
    *s = (struct subject){.kind = kind, .rollup = rollup, .height = height, .index = index};
    s->payload_len = (uint32_t)strlen(text);
    memcpy(s->payload, text, s->payload_len);
    s->lists[s->list_count++] = rollup;
    name_subject(s);
    return s;
}

/* Legs of rollups 7 and 9. */
static inline uint32_t bundle_body(uint8_t *out)
{
    struct slu_writer w = slu_writer_of(out, 100);
    slu_write_u8(&w, 2);
    slu_write_u64(&w, 7);
    slu_write_u32(&w, 3);
    slu_write_bytes(&w, "for", 3);
    slu_write_u64(&w, 9);
    slu_write_u32(&w, 4);
    slu_write_bytes(&w, "that", 4);
    return (uint32_t)slu_writer_len(&w);
}

/* Sealed for `inside`, and what readers see of it once it is opened: at `opened`, unless that is 0.
 */
static inline struct subject *sealed(enum subject_name which, uint8_t kind, uint64_t height,
                                     uint32_t index, uint64_t inside, const uint8_t *text,
                                     size_t text_len, uint64_t unlock, uint64_t opened,
                                     uint32_t opened_index)
{
    struct subject *s = &subjects[which];
    uint8_t seed[64] = {(uint8_t)which};
    size_t len;
    *s = (struct subject){.kind = kind,
                          .height = height,
                          .index = index,
                          .list_count = 1,
                          .opened = opened,
                          .opened_index = opened_index,
                          .opened_rollup = inside,
                          .outcome = SLU_ENTRY_OPENED,
                          .opened_lists = {inside},
                          .opened_list_count = 1};
    assert_int_equal(slu_seal(s->payload, sizeof s->payload, &len, &committee_key.key,
                              unlock ? SLU_UNLOCK_HEIGHT : SLU_UNLOCK_NONE, unlock, UNTIL, inside,
                              text, text_len, seed),
                     0);
    s->payload_len = (uint32_t)len;
    name_subject(s);
    struct slu_opening o = {.height = height,
                            .index = index,
                            .key_id32 = s->payload + 2,
                            .e16 = s->payload + SLU_SEAL_HEAD_BYTES + 64,
                            .z32 = s->payload + SLU_SEAL_HEAD_BYTES + 80,
                            .rho32 = seed,
                            .unlock_kind = unlock ? SLU_UNLOCK_HEIGHT : SLU_UNLOCK_NONE,
                            .unlock = unlock,
                            .valid_until_ms = UNTIL,
                            .payload = text,
                            .payload_len = (uint32_t)text_len};
    struct slu_writer w = slu_writer_of(s->opening, sizeof s->opening);
    slu_opening_write(&w, &o, true);
    s->opening_len = (uint32_t)slu_writer_len(&w);
    return s;
}

static inline void make_subjects(void)
{
    static const uint8_t text[] = "sealed text";
    uint8_t body[100];
    uint32_t body_len = bundle_body(body);
    plain(PLAIN, SLU_TX_PLAIN, 7, 7, 0, "hello");
    plain(NEIGHBOUR, SLU_TX_PLAIN, 9, 7, 1, "somebody else's");
    struct subject *s = plain(BUNDLE, SLU_TX_BUNDLE, 0, 7, 2, "");
    s->payload_len = bundle_body(s->payload);
    s->lists[0] = 7;
    s->lists[s->list_count++] = 9;
    name_subject(s);
    sealed(SEALED, SLU_TX_SEALED, 7, 3, 9, text, sizeof text, 0, 7, 3);
    sealed(LOCKED, SLU_TX_SEALED, 7, 4, 9, text, sizeof text, 10, 10, 2);
    s = sealed(VOIDED, SLU_TX_SEALED, 7, 5, 9, text, sizeof text, 0, 7, 5);
    s->outcome = SLU_ENTRY_VOID;
    s->opened_rollup = s->opened_lists[0] = 0;
    s->opening_len = 1 + SLU_OPENING_PLACE_BYTES;
    struct slu_writer w = slu_writer_of(s->opening, sizeof s->opening);
    slu_write_u8(&w, SLU_VOID_SEED);
    slu_write_u64(&w, 7);
    slu_write_u32(&w, 5);
    sealed(CLOSED, SLU_TX_SEALED, 7, 6, 9, text, sizeof text, 40, 0, 0);
    s = sealed(SEALED_BUNDLE, SLU_TX_SEALED, 7, 7, 0, body, body_len, 0, 7, 7);
    s->opened_lists[0] = 7;
    s->opened_lists[s->opened_list_count++] = 9;
    plain(FORCED, SLU_TX_PLAIN | SLU_ENTRY_FORCED, 7, 10, 0, "nobody keeps this out")->queued = 5;
    sealed(FORCED_SEALED, SLU_TX_SEALED | SLU_ENTRY_FORCED, 10, 1, 9, text, sizeof text, 0, 10, 1)
        ->queued = 5;
    plain(FIRST, SLU_TX_PLAIN | SLU_ENTRY_FORCED, 9, 3, 0, "the first")->queued = 1;
    plain(EVIDENCE, SLU_ENTRY_EVIDENCE, 0, 5, 0, "what somebody signed")->queued = 5;
    plain(KEYGEN, SLU_ENTRY_KEYGEN, 0, 4, 0, "a READY")->queued = 2;
}

/* ---- blocks ---- */

static inline uint32_t envelope_bytes(const struct subject *s)
{
    return s->payload_len + (s->kind == SLU_ENTRY_EVIDENCE ? 0 : SLU_TX_HEAD_BYTES);
}

static inline struct slu_inbox_tuple tuple_of(const struct subject *s)
{
    struct slu_inbox_tuple t = {.kind = SLU_INBOX_FORCED,
                                .offence = (s->kind & 127) == SLU_TX_SEALED,
                                .bytes = envelope_bytes(s),
                                .valid_until_ms = UNTIL};
    if (s->kind == SLU_ENTRY_EVIDENCE)
        t = (struct slu_inbox_tuple){.kind = SLU_INBOX_EVIDENCE,
                                     .offender = 2,
                                     .bytes = t.bytes,
                                     .valid_until_ms = SLU_VALID_FOR_EVER};
    if (s->kind == SLU_ENTRY_KEYGEN)
        t = (struct slu_inbox_tuple){.kind = SLU_INBOX_KEYGEN,
                                     .offence = SLU_KEYGEN_READY,
                                     .offender = 1,
                                     .bytes = t.bytes,
                                     .valid_until_ms = UNTIL};
    memcpy(t.id, s->id, 32);
    return t;
}

static inline int tuple_order(const void *a, const void *b)
{
    return memcmp(a, b, SLU_INBOX_TUPLE_BYTES);
}

/* The block of height 4 says that almost nothing is free below 10. */
static inline void make_block(uint64_t height, const struct slu_block *parent)
{
    struct told_height *t = &told[height];
    struct slu_block *b = &t->block;
    struct slu_inbox_tuple tuple;
    *b = (struct slu_block){.view = height + 1,
                            .height = height,
                            .time_ms = 1700000000000 + 1000 * height,
                            .n = genesis.n,
                            .tail = parent->tail,
                            .queued = t->tuples};
    memcpy(b->parent, parent->digest, 32);
    for (uint16_t l = 0; l < genesis.n; l++) {
        b->cut[l].position = height;
        memset(b->cut[l].digest, (int)(height + l), 32);
    }
    memset(b->reports, 0x77, 32);
    struct slu_writer w = slu_writer_of(t->tuples, sizeof t->tuples);
    for (int i = 0; i < SUBJECTS; i++) {
        if (subjects[i].queued != height)
            continue;
        tuple = tuple_of(&subjects[i]);
        slu_inbox_tuple_write(&w, &tuple);
        b->queued_count++;
    }
    qsort(t->tuples, b->queued_count, SLU_INBOX_TUPLE_BYTES, tuple_order);
    for (uint32_t i = 0; i < b->queued_count; i++) {
        slu_inbox_tuple_at(b->queued, i, &tuple);
        if (tuple.kind != SLU_INBOX_EVIDENCE)
            slu_queue_book(&genesis, &b->tail, height, tuple.bytes);
    }
    if (height == 4)
        b->tail = (struct slu_queue_tail){9, genesis.params.forced_bytes_per_block - 40};
    slu_block_digest(b, &genesis);
    w = slu_writer_of(t->bytes, sizeof t->bytes);
    slu_block_write(&w, b);
    assert_false(w.failed);
    t->bytes_len = (uint32_t)slu_writer_len(&w);
}

/* ---- releases ---- */

static inline void add_item(struct told_height *t, int space, uint64_t rollup,
                            const uint8_t leaf32[32])
{
    struct slu_space_item *item = &t->items[space][t->counts[space]++];
    assert_true(t->counts[space] <= ITEMS);
    item->rollup = rollup;
    memcpy(item->leaf, leaf32, 32);
}

static inline void subject_leaf(uint8_t leaf32[32], const struct subject *s, bool opened)
{
    uint8_t content32[32];
    slu_hash_of(content32, "content", genesis.chain_id, s->opening, s->opening_len);
    slu_entry_leaf(leaf32, genesis.chain_id, opened ? s->opened_index : s->index,
                   opened ? s->outcome : s->kind, s->id, opened ? content32 : NULL);
}

/* By rising index: subjects are numbered so within a height. */
static inline void fill_spaces(uint64_t height)
{
    struct told_height *t = &told[height];
    uint8_t leaf32[32];
    for (uint32_t index = 0; index < ITEMS; index++) {
        for (int i = 0; i < SUBJECTS; i++) {
            const struct subject *s = &subjects[i];
            subject_leaf(leaf32, s, false);
            for (uint32_t k = 0; s->height == height && s->index == index && k < s->list_count; k++)
                add_item(t, 0, s->lists[k], leaf32);
            subject_leaf(leaf32, s, true);
            for (uint32_t k = 0;
                 s->opened == height && s->opened_index == index && k < s->opened_list_count; k++)
                add_item(t, 1, s->opened_lists[k], leaf32);
        }
    }
}

static inline void make_root(struct told_height *t, int space, uint8_t root32[32])
{
    struct slu_space_maker maker;
    uint64_t *memory = calloc(1, slu_space_maker_bytes(ITEMS));
    assert_non_null(memory);
    slu_space_maker_init(&maker, memory, ITEMS);
    for (uint32_t i = 0; i < t->counts[space]; i++)
        assert_true(slu_space_add(&maker, t->items[space][i].rollup, t->items[space][i].leaf));
    slu_space_finish(&maker, genesis.chain_id, root32);
    t->rollups[space] = maker.rollups;
    memcpy(t->spaces[space], maker.leaves, maker.rollups * sizeof *maker.leaves);
    free(memory);
}

static inline void sign_release(uint64_t height, uint16_t without)
{
    struct slu_release_cert *cert = &certs[height];
    *cert = (struct slu_release_cert){.release = told[height].release};
    for (uint16_t i = 0; i < COMMITTEE; i++) {
        if (i == without)
            continue;
        cert->signers[cert->count].node = i;
        assert_int_equal(slu_keyguard_sign(guards[i], cert->signers[cert->count++].signature,
                                           SLU_ROLE_RELEASE, 0, cert->release.digest),
                         0);
    }
}

/* `twist`, unless NULL, changes subjects before they are ordered. */
static inline void make_story(void (*twist)(void))
{
    uint8_t parts[SLU_STATE_PARTS][32];
    memset(told, 0, sizeof told);
    certify(&committee_key, &genesis, 1, 3);
    make_subjects();
    if (twist)
        twist();
    slu_block_genesis(&told[0].block, &genesis);
    for (uint64_t h = 1; h <= TOP; h++) {
        struct told_height *t = &told[h];
        make_block(h, &told[h - 1].block);
        t->release = (struct slu_release){.height = h, .time_ms = t->block.time_ms};
        memcpy(t->release.block, t->block.digest, 32);
        memcpy(t->release.previous, told[h - 1].release.digest, 32);
        fill_spaces(h);
        make_root(t, 0, t->release.ordered);
        make_root(t, 1, t->release.opened);
        memset(parts, (int)h, sizeof parts);
        slu_state_digest(t->release.state, genesis.chain_id, (const uint8_t(*)[32])parts);
        slu_release_digest(&t->release, genesis.chain_id);
    }
    sign_release(8, 3);
    sign_release(12, 1);
}

/* ---- proofs ---- */

static inline uint64_t certified_at(void *context, uint64_t height)
{
    (void)context;
    return height <= 8 ? 8 : height <= 12 ? 12 : 0;
}

static inline void write_shown(struct slu_writer *w, uint64_t height, int space, uint64_t list,
                               const uint8_t leaf32[32])
{
    const struct told_height *t = &told[height];
    uint8_t scratch[ITEMS][32], leaves[ITEMS][32];
    uint32_t count = 0, position = 0;
    slu_space_prove(w, genesis.chain_id, t->spaces[space], t->rollups[space], list, scratch);
    for (uint32_t i = 0; i < t->counts[space]; i++) {
        if (t->items[space][i].rollup != list)
            continue;
        if (memcmp(t->items[space][i].leaf, leaf32, 32) == 0)
            position = count;
        memcpy(leaves[count++], t->items[space][i].leaf, 32);
    }
    slu_write_u32(w, position);
    if (count > 0)
        slu_merkle_prove(w, genesis.chain_id, (const uint8_t(*)[32])leaves, count, position, 1);
}

/* Its parts, of which `room` holds what they point to. */
static inline void lay_proof(struct slu_proof *p, const struct subject *s, uint32_t leg,
                             bool with_queued, bool with_opened, uint8_t room[PROOF_ROOM])
{
    struct slu_proof_span spans[SLU_PROOF_RUNS_MAX];
    struct slu_writer w = slu_writer_of(room, PROOF_ROOM);
    uint64_t heights[3];
    uint8_t count = 0, leaf32[32];
    *p = (struct slu_proof){
        .chain_id32 = genesis.chain_id, .has_queued = with_queued, .has_opened = with_opened};
    if (with_queued && s->queued != s->height)
        heights[count++] = s->queued;
    heights[count++] = s->height;
    if (with_opened && s->opened != s->height)
        heights[count++] = s->opened;
    p->runs = slu_proof_plan(spans, heights, count, 3, certified_at, NULL);
    for (uint8_t i = 0; i < p->runs; i++) {
        const struct slu_release_cert *cert = &certs[spans[i].to];
        struct slu_proof_run *run = &p->run[i];
        *run = (struct slu_proof_run){.first = spans[i].from,
                                      .count = (uint16_t)(spans[i].to - spans[i].from + 1),
                                      .signers = cert->count,
                                      .releases = w.at};
        for (uint64_t h = spans[i].from; h <= spans[i].to; h++)
            slu_proof_release_write(&w, &told[h].release, h == spans[i].from);
        run->signatures = w.at;
        slu_proof_signers_write(&w, cert);
    }
    bool shown = with_opened && s->outcome == SLU_ENTRY_OPENED;
    p->ordered = (struct slu_proof_place){
        .height = s->height,
        .entry = {.index = s->index,
                  .rollup = s->rollup,
                  .valid_until_ms = s->kind == SLU_ENTRY_EVIDENCE ? 0 : UNTIL,
                  .kind = s->kind,
                  .payload = s->payload,
                  .payload_len = shown ? 0 : s->payload_len},
        .shown = w.at};
    subject_leaf(leaf32, s, false);
    write_shown(&w, s->height, 0, s->lists[leg < s->list_count ? leg : 0], leaf32);
    p->ordered.shown_len = (size_t)(w.at - p->ordered.shown);
    if (with_queued) {
        p->queued_height = s->queued;
        p->parent = told[s->queued - 1].bytes;
        p->parent_len = s->queued > 1 ? told[s->queued - 1].bytes_len : 0;
        p->block = told[s->queued].bytes;
        p->block_len = told[s->queued].bytes_len;
    }
    if (with_opened) {
        p->opened = (struct slu_proof_place){.height = s->opened,
                                             .entry = {.index = s->opened_index,
                                                       .rollup = s->opened_rollup,
                                                       .id32 = s->id,
                                                       .kind = s->outcome,
                                                       .payload = s->opening,
                                                       .payload_len = s->opening_len},
                                             .shown = w.at};
        subject_leaf(leaf32, s, true);
        write_shown(&w, s->opened, 1, s->opened_lists[leg < s->opened_list_count ? leg : 0],
                    leaf32);
        p->opened.shown_len = (size_t)(w.at - p->opened.shown);
        p->key_cert = committee_key.bytes;
        p->key_cert_len = shown ? (uint16_t)committee_key.len : 0;
    }
    assert_false(w.failed);
}

/* The whole proof of a subject; of a bundle in the list of its leg `leg`. */
static inline size_t subject_proof(uint8_t *bytes, enum subject_name which, uint32_t leg)
{
    const struct subject *s = &subjects[which];
    static uint8_t room[PROOF_ROOM];
    struct slu_writer w = slu_writer_of(bytes, PROOF_ROOM);
    struct slu_proof p;
    lay_proof(&p, s, leg, s->queued > 0, s->opened > 0, room);
    slu_proof_write(&w, &p);
    assert_false(w.failed);
    return slu_writer_len(&w);
}

static inline size_t write_proof(uint8_t *bytes, const struct slu_proof *p)
{
    struct slu_writer w = slu_writer_of(bytes, PROOF_ROOM);
    slu_proof_write(&w, p);
    assert_false(w.failed);
    return slu_writer_len(&w);
}

#endif
