/* A stream that a test tells and the committee (committee.h) signs: heights with entries, the
 * releases that follow from them, certificates and proofs. What is shown of it may be another thing
 * than what was signed: tell, sign, then spoil. */
#ifndef SLU_TESTS_UNIT_STORY_H
#define SLU_TESTS_UNIT_STORY_H

#include <stdlib.h>

#include "crypto/hash.h"
#include "proto/codec.h"
#include "tests/unit/committee.h"
#include "wire/bundle.h"
#include "wire/entry.h"
#include "wire/opening.h"
#include "wire/release.h"
#include "wire/space.h"
#include "wire/tx.h"

#define STORY_UNTIL UINT64_C(90000) /* valid_until of what tell_plain tells */
#define TOLD_MAX    64u             /* entries of a height */

struct told {
    uint64_t height, time_ms;
    uint8_t block[32];
    uint32_t count;
    size_t len;
    uint8_t bytes[16384];
    struct slu_release release;
    uint8_t proof[2 * SLU_SPACE_PROOF_BYTES_MAX];
    size_t proof_len;
};

struct story {
    struct told heights[6];
    size_t count;
    uint64_t rollup;   /* of its reader */
    uint64_t epoch_ms; /* stream time of height 0 */
    struct slu_release_cert cert;
    uint8_t releases[6 * SLU_RELEASE_BYTES], certificate[SLU_RELEASE_CERT_BYTES_MAX + 1];
    size_t releases_len, certificate_len;
};

/* ---- telling ---- */

static inline struct told *tell_height(struct story *s, uint64_t height)
{
    struct told *told = &s->heights[s->count++];
    *told = (struct told){
        .height = height, .time_ms = s->epoch_ms + height * 10000, .block = {(uint8_t)height}};
    return told;
}

static inline void tell(struct told *told, uint32_t index, uint64_t rollup, uint64_t until,
                        const uint8_t id32[32], uint8_t kind, const void *payload, size_t len)
{
    struct slu_writer w = slu_writer_of(told->bytes + told->len, sizeof told->bytes - told->len);
    struct slu_entry entry = {.index = index,
                              .rollup = rollup,
                              .valid_until_ms = until,
                              .id32 = id32,
                              .kind = kind,
                              .payload_len = (uint32_t)len};
    slu_entry_head_write(&w, &entry);
    slu_write_bytes(&w, payload, len);
    assert_false(w.failed);
    told->len += slu_writer_len(&w);
    told->count++;
}

/* An envelope under its id; `tx_kind` is what the envelope says, `kind` what readers get. */
static inline void tell_envelope(struct told *told, uint32_t index, uint64_t rollup,
                                 uint8_t tx_kind, uint8_t kind, const void *body, size_t len)
{
    static uint8_t envelope[SLU_TX_HEAD_BYTES + 8192];
    struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
    uint8_t id32[32];
    slu_tx_write(&w, rollup, STORY_UNTIL, tx_kind, body, (uint32_t)len);
    assert_false(w.failed);
    slu_tx_id_of(id32, genesis.chain_id, envelope, slu_writer_len(&w));
    tell(told, index, rollup, STORY_UNTIL, id32, kind, body, len);
}

static inline void tell_plain(struct told *told, uint32_t index, uint64_t rollup, const char *text)
{
    tell_envelope(told, index, rollup, SLU_TX_PLAIN, SLU_TX_PLAIN, text, strlen(text));
}

static inline void tell_opening(struct told *told, uint32_t index, uint64_t rollup,
                                const uint8_t id32[32], const struct slu_opening *opening)
{
    uint8_t bytes[4096];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    slu_opening_write(&w, opening, true);
    tell(told, index, rollup, 0, id32, SLU_ENTRY_OPENED, bytes, slu_writer_len(&w));
}

static inline void tell_void_of(struct told *told, uint32_t index, const uint8_t id32[32],
                                uint8_t reason, uint64_t height, uint32_t at)
{
    uint8_t bytes[13] = {reason};
    struct slu_writer w = slu_writer_of(bytes + 1, sizeof bytes - 1);
    slu_write_u64(&w, height);
    slu_write_u32(&w, at);
    tell(told, index, 0, 0, id32, SLU_ENTRY_VOID, bytes, sizeof bytes);
}

/* ---- signing ---- */

static inline void sign_release(struct slu_release_signature *out, uint16_t node,
                                const struct slu_release *release)
{
    out->node = node;
    assert_int_equal(
        slu_keyguard_sign(guards[node], out->signature, SLU_ROLE_RELEASE, 0, release->digest), 0);
}

static inline void write_certificate_of(struct story *s)
{
    struct slu_writer w = slu_writer_of(s->certificate, sizeof s->certificate);
    slu_release_cert_write(&w, &s->cert);
    s->certificate_len = slu_writer_len(&w);
}

/* Certifies the release of the height at `last`, with those from `first` on below it. */
static inline void certify_run(struct story *s, size_t first, size_t last)
{
    struct slu_writer w = slu_writer_of(s->releases, sizeof s->releases);
    for (size_t i = first; i < last; i++)
        slu_release_write(&w, &s->heights[i].release);
    s->releases_len = slu_writer_len(&w);
    s->cert = (struct slu_release_cert){.release = s->heights[last].release,
                                        .count = slu_genesis_q(&genesis)};
    for (uint16_t i = 0; i < s->cert.count; i++)
        sign_release(&s->cert.signers[i], i, &s->cert.release);
    write_certificate_of(s);
}

static inline void make_space(const struct told *told, bool opened, uint64_t rollup,
                              uint8_t root32[32], struct slu_writer *proof)
{
    struct slu_reader reader = slu_reader_of(told->bytes, told->len);
    struct slu_space_maker maker;
    void *memory = calloc(1, slu_space_maker_bytes(TOLD_MAX));
    struct slu_entry entry;
    slu_space_maker_init(&maker, memory, TOLD_MAX);
    while (slu_entry_next(&reader, &entry)) {
        bool outcome = entry.kind == SLU_ENTRY_OPENED || entry.kind == SLU_ENTRY_VOID;
        uint8_t leaf32[32], content32[32];
        if (outcome != opened)
            continue;
        slu_hash_of(content32, "content", genesis.chain_id, entry.payload, entry.payload_len);
        slu_entry_leaf(leaf32, genesis.chain_id, entry.index, entry.kind, entry.id32,
                       outcome ? content32 : NULL);
        struct slu_bundle bundle;
        uint64_t rollups[SLU_BUNDLE_LEGS_MAX] = {entry.rollup};
        bool legs = !slu_entry_bundle(&bundle, &entry);
        size_t lists = legs ? slu_bundle_rollups(&bundle, rollups) : 1;
        for (size_t i = 0; i < lists; i++)
            assert_true(slu_space_add(&maker, rollups[i], leaf32));
    }
    slu_space_finish(&maker, genesis.chain_id, root32);
    if (rollup != 0)
        slu_space_prove(proof, genesis.chain_id, maker.leaves, maker.rollups, rollup, maker.sorted);
    free(memory);
}

/* The roots of a height, and what proves the lists of `rollup` in them. */
static inline void prove_told(struct told *told, uint64_t rollup)
{
    struct slu_writer w = slu_writer_of(told->proof, sizeof told->proof);
    make_space(told, false, rollup, told->release.ordered, &w);
    make_space(told, true, rollup, told->release.opened, &w);
    assert_false(w.failed);
    told->proof_len = slu_writer_len(&w);
}

/* Leaves what a reader of `rollup` gets. */
static inline void filter_told(struct told *told, uint64_t rollup)
{
    static struct told all;
    all = *told;
    struct slu_reader reader = slu_reader_of(all.bytes, all.len);
    struct slu_entry e;
    told->len = told->count = 0;
    while (slu_entry_next(&reader, &e))
        if (rollup == 0 || slu_entry_is_for(&e, rollup))
            tell(told, e.index, e.rollup, e.valid_until_ms, e.id32, e.kind, e.payload,
                 e.payload_len);
}

/* Each release names the one below; the first one names `previous32`, NULL: some release. */
static inline void chain_story(struct story *s, const uint8_t *previous32)
{
    uint8_t below32[32] = {0xbe, 0x10};
    if (previous32)
        memcpy(below32, previous32, 32);
    for (size_t i = 0; i < s->count; i++) {
        struct told *told = &s->heights[i];
        told->release.height = told->height;
        told->release.time_ms = told->time_ms;
        memcpy(told->release.block, told->block, 32);
        memcpy(told->release.previous, below32, 32);
        slu_release_digest(&told->release, genesis.chain_id);
        memcpy(below32, told->release.digest, 32);
    }
}

/* What was told is what was ordered and opened: the committee signs it, for a reader of `rollup`.
 */
static inline void sign_story(struct story *s, uint64_t rollup)
{
    s->rollup = rollup;
    for (size_t i = 0; i < s->count; i++) {
        prove_told(&s->heights[i], rollup);
        filter_told(&s->heights[i], rollup);
    }
    chain_story(s, NULL);
    certify_run(s, 0, s->count - 1);
}

/* ---- what a reader gets ---- */

static inline Slu__Client__Height height_message(const struct story *s, const struct told *told)
{
    Slu__Client__Height body = SLU__CLIENT__HEIGHT__INIT;
    body.height = told->height;
    body.time_ms = told->time_ms;
    body.block = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)told->block};
    body.rollup = s->rollup;
    body.count = told->count;
    body.entries = (ProtobufCBinaryData){told->len, (uint8_t *)(uintptr_t)told->bytes};
    body.proof = (ProtobufCBinaryData){told->proof_len, (uint8_t *)(uintptr_t)told->proof};
    return body;
}

static inline Slu__Client__Releases releases_message(const struct story *s)
{
    Slu__Client__Releases body = SLU__CLIENT__RELEASES__INIT;
    body.releases = (ProtobufCBinaryData){s->releases_len, (uint8_t *)(uintptr_t)s->releases};
    body.certificate =
        (ProtobufCBinaryData){s->certificate_len, (uint8_t *)(uintptr_t)s->certificate};
    return body;
}

#endif
