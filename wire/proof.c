#include "wire/proof.h"

#include <string.h>

#include "crypto/hash.h"
#include "wire/merkle.h"
#include "wire/space.h"
#include "wire/tx.h"

#define SHORT_RELEASE_BYTES (SLU_RELEASE_BYTES - 40u) /* without height and previous */
#define SIGNER_BYTES        66u
#define MAGIC_BYTES         (sizeof SLU_PROOF_MAGIC - 1)

enum { PART_QUEUED = 1, PART_OPENED = 2 };

const char *slu_proof_fault_words(enum slu_proof_fault fault)
{
    static const char *const words[SLU_PROOF_FAULTS] = {
        [SLU_PROOF_GOOD] = "it holds",
        [SLU_PROOF_NONE] = "this is no proof",
        [SLU_PROOF_OTHER_VERSION] = "it is of another version",
        [SLU_PROOF_FORM] = "bytes are missing or left over, or a count is out of bounds",
        [SLU_PROOF_PARTS] = "an entry of this kind has no such parts",
        [SLU_PROOF_RUNS] = "the releases are not exactly those of the heights that it is about",
        [SLU_PROOF_CHAIN] = "it is of another chain",
        [SLU_PROOF_SIGNERS] = "a certificate is not a quorum of the committee",
        [SLU_PROOF_SIGNATURE] = "a certificate does not hold for the releases",
        [SLU_PROOF_KEY] = "the key that opened it is not the committee's",
        [SLU_PROOF_CONTENT] = "the content is not what was sealed",
        [SLU_PROOF_ROLLUP] = "the entry is not of the rollup whose list is shown",
        [SLU_PROOF_SPACE] = "the list is not in what the release orders",
        [SLU_PROOF_LIST] = "the entry is not at its place in the list",
        [SLU_PROOF_QUEUE_BLOCK] = "the block that queued it is not the one that was released",
        [SLU_PROOF_QUEUE_PARENT] = "the parent of the block that queued it is another one",
        [SLU_PROOF_NOT_QUEUED] = "the block does not queue it",
        [SLU_PROOF_DUE] = "its queueing fixes another height for it",
        [SLU_PROOF_OPENED_ROLLUP] = "the content is not of the rollup whose list is shown",
        [SLU_PROOF_OPENED_SPACE] = "the list is not in what the release opens",
        [SLU_PROOF_OPENED_LIST] = "the content is not at its place in the list",
        [SLU_PROOF_OPENED_PLACE] = "the content names another entry's place",
        [SLU_PROOF_EARLY] = "it is opened before its unlock",
    };
    return (unsigned)fault < SLU_PROOF_FAULTS ? words[fault] : "unknown";
}

/* ---- reading ---- */

bool slu_proof_is(const uint8_t *bytes, size_t len)
{
    return len > MAGIC_BYTES && memcmp(bytes, SLU_PROOF_MAGIC, MAGIC_BYTES) == 0;
}

static bool read_run(struct slu_reader *r, struct slu_proof_run *run)
{
    run->count = slu_read_u16(r);
    if (r->failed || run->count == 0 || run->count > SLU_PROOF_RUN_MAX)
        return false;
    run->releases = slu_read_bytes(r, slu_proof_run_bytes(run->count));
    run->signers = slu_read_u16(r);
    if (r->failed || run->signers == 0 || run->signers > SLU_NODES_MAX)
        return false;
    run->signatures = slu_read_bytes(r, (size_t)run->signers * SIGNER_BYTES);
    struct slu_reader first = slu_reader_of(run->releases, 8);
    run->first = slu_read_u64(&first);
    return !r->failed && run->first > 0 && run->first <= (uint64_t)INT64_MAX - run->count;
}

/* Space proof, position, hashes: how many follow from the counts. */
static bool read_shown(struct slu_reader *r, struct slu_proof_place *place)
{
    struct slu_space_leaf leaf;
    place->shown = r->at;
    uint32_t rollups = slu_read_u32(r), first = slu_read_u32(r);
    uint8_t leaves = slu_read_u8(r);
    slu_space_leaf_read(r, &leaf);
    uint32_t hashes = slu_merkle_hashes(rollups, first, 1);
    if (r->failed || leaves != 1 || hashes == UINT32_MAX)
        return false;
    slu_read_bytes(r, hashes * (size_t)32);
    uint32_t position = slu_read_u32(r);
    hashes = slu_merkle_hashes(leaf.count, position, 1);
    if (r->failed || hashes == UINT32_MAX)
        return false;
    slu_read_bytes(r, hashes * (size_t)32);
    place->shown_len = (size_t)(r->at - place->shown);
    return !r->failed;
}

static void read_place(struct slu_reader *r, struct slu_proof_place *place)
{
    place->height = slu_read_u64(r);
    place->entry.index = slu_read_u32(r);
    place->entry.kind = slu_read_u8(r);
    place->entry.rollup = slu_read_u64(r);
}

static bool read_content(struct slu_reader *r, struct slu_proof_place *place)
{
    place->entry.payload_len = slu_read_u32(r);
    place->entry.payload = slu_read_bytes(r, place->entry.payload_len);
    return !r->failed && read_shown(r, place);
}

static bool read_queued(struct slu_reader *r, struct slu_proof *p)
{
    p->queued_height = slu_read_u64(r);
    p->parent_len = slu_read_u32(r);
    p->parent = slu_read_bytes(r, p->parent_len);
    p->block_len = slu_read_u32(r);
    p->block = slu_read_bytes(r, p->block_len);
    return !r->failed && (p->parent_len == 0) == (p->queued_height == 1);
}

static bool read_opened(struct slu_reader *r, struct slu_proof *p)
{
    read_place(r, &p->opened);
    p->opened.entry.id32 = slu_read_bytes(r, 32);
    if (!read_content(r, &p->opened))
        return false;
    p->key_cert_len = slu_read_u16(r);
    p->key_cert = slu_read_bytes(r, p->key_cert_len);
    return !r->failed;
}

/* Which parts go with which entry, and what is empty where. */
static bool fits(const struct slu_proof *p)
{
    uint8_t kind = p->ordered.entry.kind;
    bool envelope = (kind & ~SLU_ENTRY_FORCED) <= SLU_TX_SEALED, own = kind == SLU_ENTRY_EVIDENCE;
    bool sealed = (kind & ~SLU_ENTRY_FORCED) == SLU_TX_SEALED;
    bool shown = p->has_opened && p->opened.entry.kind == SLU_ENTRY_OPENED;
    if (!envelope && !own && kind != SLU_ENTRY_KEYGEN)
        return false;
    if ((own && p->ordered.entry.valid_until_ms != 0) ||
        (p->ordered.entry.payload_len == 0) != shown)
        return false;
    if (p->has_queued && envelope && !(kind & SLU_ENTRY_FORCED))
        return false;
    return !p->has_opened ||
           (sealed && (shown || p->opened.entry.kind == SLU_ENTRY_VOID) &&
            (p->key_cert_len > 0) == shown && p->opened.height >= p->ordered.height);
}

static bool covers(const struct slu_proof_run *run, uint64_t height)
{
    return height >= run->first && height - run->first < run->count;
}

static const struct slu_proof_run *run_of(const struct slu_proof *p, uint64_t height)
{
    for (uint8_t i = 0; i < p->runs; i++)
        if (covers(&p->run[i], height))
            return &p->run[i];
    return NULL;
}

/* Each height has its release, and each run begins with one that is asked for. */
static bool runs_fit(const struct slu_proof *p)
{
    uint64_t heights[SLU_PROOF_RUNS_MAX] = {p->ordered.height};
    size_t count = 1;
    if (p->has_queued)
        heights[count++] = p->queued_height;
    if (p->has_opened)
        heights[count++] = p->opened.height;
    for (size_t i = 0; i < count; i++)
        if (!run_of(p, heights[i]))
            return false;
    for (uint8_t i = 0; i < p->runs; i++) {
        const struct slu_proof_run *run = &p->run[i];
        bool asked = false;
        for (size_t k = 0; k < count; k++)
            asked |= heights[k] == run->first;
        if (!asked || (i > 0 && run->first - run[-1].first < run[-1].count))
            return false;
    }
    return true;
}

enum slu_proof_fault slu_proof_read(struct slu_proof *p, const uint8_t *bytes, size_t len)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    memset(p, 0, sizeof *p);
    if (!slu_proof_is(bytes, len))
        return SLU_PROOF_NONE;
    slu_read_bytes(&r, MAGIC_BYTES);
    if (slu_read_u8(&r) != SLU_PROOF_VERSION)
        return SLU_PROOF_OTHER_VERSION;
    p->chain_id32 = slu_read_bytes(&r, 32);
    uint8_t parts = slu_read_u8(&r);
    p->runs = slu_read_u8(&r);
    p->has_queued = parts & PART_QUEUED;
    p->has_opened = parts & PART_OPENED;
    if (r.failed || len > SLU_PROOF_BYTES_MAX || parts > (PART_QUEUED | PART_OPENED) ||
        p->runs == 0 || p->runs > SLU_PROOF_RUNS_MAX)
        return SLU_PROOF_FORM;
    for (uint8_t i = 0; i < p->runs; i++)
        if (!read_run(&r, &p->run[i]) || (i > 0 && p->run[i].first <= p->run[i - 1].first))
            return SLU_PROOF_FORM;
    read_place(&r, &p->ordered);
    p->ordered.entry.valid_until_ms = slu_read_u64(&r);
    if (!read_content(&r, &p->ordered) || (p->has_queued && !read_queued(&r, p)) ||
        (p->has_opened && !read_opened(&r, p)) || !slu_reader_done(&r))
        return SLU_PROOF_FORM;
    if (!fits(p))
        return SLU_PROOF_PARTS;
    return runs_fit(p) ? SLU_PROOF_GOOD : SLU_PROOF_RUNS;
}

uint64_t slu_proof_time_ms(const struct slu_proof *proof, uint64_t height)
{
    const struct slu_proof_run *run = run_of(proof, height);
    if (!run)
        return 0;
    size_t at = height - run->first;
    struct slu_reader r = slu_reader_of(
        run->releases + (at == 0 ? 8 : SLU_RELEASE_BYTES + (at - 1) * SHORT_RELEASE_BYTES), 8);
    return slu_read_u64(&r);
}

uint64_t slu_proof_list_rollup(const struct slu_proof_place *place)
{
    struct slu_reader r = slu_reader_of(place->shown, place->shown_len);
    slu_read_bytes(&r, 4 + 4 + 1);
    return slu_read_u64(&r);
}

uint32_t slu_proof_envelope_id(uint8_t id32[32], const struct slu_proof *proof, const uint8_t *body,
                               uint32_t len)
{
    const struct slu_entry *e = &proof->ordered.entry;
    uint8_t head[SLU_TX_HEAD_BYTES];
    struct slu_writer w = slu_writer_of(head, sizeof head);
    struct slu_hash hash;
    if (e->kind == SLU_ENTRY_EVIDENCE) {
        slu_hash_of(id32, "evidence", proof->chain_id32, body, len);
        return len;
    }
    slu_write_u64(&w, e->rollup);
    slu_write_u64(&w, e->valid_until_ms);
    slu_write_u8(&w, e->kind == SLU_ENTRY_KEYGEN ? (uint8_t)SLU_TX_KEYGEN
                                                 : (uint8_t)(e->kind & ~SLU_ENTRY_FORCED));
    slu_write_u32(&w, len);
    slu_hash_begin(&hash, "tx", proof->chain_id32);
    slu_hash_add(&hash, head, sizeof head);
    slu_hash_add(&hash, body, len);
    slu_hash_end(&hash, id32);
    return SLU_TX_HEAD_BYTES + len;
}

static void claim_opened(struct slu_proof_facts *facts, const struct slu_proof *p)
{
    const struct slu_entry *e = &p->opened.entry;
    struct slu_opening shown;
    facts->outcome = e->kind;
    facts->opened_height = p->opened.height;
    facts->opened_time_ms = slu_proof_time_ms(p, p->opened.height);
    facts->opened_index = e->index;
    facts->rollup = slu_proof_list_rollup(&p->opened);
    memcpy(facts->id, e->id32, 32);
    if (e->kind == SLU_ENTRY_VOID) {
        facts->reason = e->payload_len > 0 ? e->payload[0] : 0;
        return;
    }
    facts->payload = NULL;
    facts->payload_len = 0;
    if (slu_opening_read(&shown, e->payload, e->payload_len, true))
        return;
    facts->payload = shown.payload;
    facts->payload_len = shown.payload_len;
    facts->bundle = e->rollup == 0;
}

void slu_proof_claims(struct slu_proof_facts *facts, const struct slu_proof *p)
{
    const struct slu_entry *e = &p->ordered.entry;
    const struct slu_proof_run *last = &p->run[p->runs - 1];
    *facts = (struct slu_proof_facts){.height = p->ordered.height,
                                      .time_ms = slu_proof_time_ms(p, p->ordered.height),
                                      .index = e->index,
                                      .rollup = slu_proof_list_rollup(&p->ordered),
                                      .kind = e->kind,
                                      .valid_until_ms = e->valid_until_ms,
                                      .payload = e->payload,
                                      .payload_len = e->payload_len,
                                      .queued_height = p->has_queued ? p->queued_height : 0,
                                      .certified = last->first + last->count - 1u};
    facts->bundle = (e->kind & ~SLU_ENTRY_FORCED) == SLU_TX_BUNDLE;
    slu_proof_envelope_id(facts->id, p, e->payload, e->payload_len);
    if (p->has_opened)
        claim_opened(facts, p);
}

/* ---- writing ---- */

void slu_proof_release_write(struct slu_writer *w, const struct slu_release *release, bool first)
{
    if (first) {
        slu_release_write(w, release);
        return;
    }
    slu_write_u64(w, release->time_ms);
    slu_write_bytes(w, release->block, 32);
    slu_write_bytes(w, release->ordered, 32);
    slu_write_bytes(w, release->opened, 32);
    slu_write_bytes(w, release->state, 32);
}

void slu_proof_signers_write(struct slu_writer *w, const struct slu_release_cert *cert)
{
    for (uint16_t i = 0; i < cert->count; i++) {
        slu_write_u16(w, cert->signers[i].node);
        slu_write_bytes(w, cert->signers[i].signature, 64);
    }
}

static void write_place(struct slu_writer *w, const struct slu_proof_place *place)
{
    slu_write_u64(w, place->height);
    slu_write_u32(w, place->entry.index);
    slu_write_u8(w, place->entry.kind);
    slu_write_u64(w, place->entry.rollup);
}

static void write_content(struct slu_writer *w, const struct slu_proof_place *place)
{
    slu_write_u32(w, place->entry.payload_len);
    slu_write_bytes(w, place->entry.payload, place->entry.payload_len);
    slu_write_bytes(w, place->shown, place->shown_len);
}

void slu_proof_write(struct slu_writer *w, const struct slu_proof *p)
{
    slu_write_bytes(w, SLU_PROOF_MAGIC, MAGIC_BYTES);
    slu_write_u8(w, SLU_PROOF_VERSION);
    slu_write_bytes(w, p->chain_id32, 32);
    slu_write_u8(w,
                 (uint8_t)((p->has_queued ? PART_QUEUED : 0) | (p->has_opened ? PART_OPENED : 0)));
    slu_write_u8(w, p->runs);
    for (uint8_t i = 0; i < p->runs; i++) {
        const struct slu_proof_run *run = &p->run[i];
        slu_write_u16(w, run->count);
        slu_write_bytes(w, run->releases, slu_proof_run_bytes(run->count));
        slu_write_u16(w, run->signers);
        slu_write_bytes(w, run->signatures, (size_t)run->signers * SIGNER_BYTES);
    }
    write_place(w, &p->ordered);
    slu_write_u64(w, p->ordered.entry.valid_until_ms);
    write_content(w, &p->ordered);
    if (p->has_queued) {
        slu_write_u64(w, p->queued_height);
        slu_write_u32(w, p->parent_len);
        slu_write_bytes(w, p->parent, p->parent_len);
        slu_write_u32(w, p->block_len);
        slu_write_bytes(w, p->block, p->block_len);
    }
    if (p->has_opened) {
        write_place(w, &p->opened);
        slu_write_bytes(w, p->opened.entry.id32, 32);
        write_content(w, &p->opened);
        slu_write_u16(w, p->key_cert_len);
        slu_write_bytes(w, p->key_cert, p->key_cert_len);
    }
}

/* ---- which releases ---- */

uint8_t slu_proof_plan(struct slu_proof_span spans[SLU_PROOF_RUNS_MAX], const uint64_t *heights,
                       uint8_t count, uint16_t q,
                       uint64_t (*certified)(void *context, uint64_t height), void *context)
{
    /* What a run of its own costs: its first release is longer, and it has signatures. */
    const uint64_t own = SLU_RELEASE_BYTES + 4u + (uint64_t)q * SIGNER_BYTES;
    uint8_t runs = 0;
    for (uint8_t i = 0; i < count; i++) {
        struct slu_proof_span *last = runs > 0 ? &spans[runs - 1] : NULL;
        if (last && heights[i] <= last->to)
            continue;
        uint64_t to = certified(context, heights[i]);
        if (to < heights[i] || to - heights[i] >= SLU_PROOF_RUN_MAX)
            return 0;
        if (last && (heights[i] - last->to) * SHORT_RELEASE_BYTES <= own &&
            to - last->from < SLU_PROOF_RUN_MAX)
            last->to = to;
        else
            spans[runs++] = (struct slu_proof_span){.from = heights[i], .to = to};
    }
    return runs;
}
