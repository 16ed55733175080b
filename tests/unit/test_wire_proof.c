/* Proofs to hand on (wire/proof.h): of every kind of entry one that holds, every byte of it
 * doctored, and for each way to be wrong its own words. The vectors, which an implementation of its
 * own reads, are written anew with SLU_VECTORS_WRITE=1. */
#include "config/genesis_json.h"
#include "sluice/error.h"
#include "tests/unit/draw.h"
#include "tests/unit/proof_case.h"

#include <unistd.h>

#define SPACES  "tests/vectors/space.txt"
#define PROOFS  "tests/vectors/proof.txt"
#define GENESIS "tests/vectors/genesis.json"

static uint8_t scratch[SLU_PROOF_SCRATCH_BYTES], room[PROOF_ROOM];

static enum slu_proof_fault judge(const uint8_t *bytes, size_t len, struct slu_proof_facts *facts)
{
    struct slu_proof proof;
    enum slu_proof_fault fault = slu_proof_read(&proof, bytes, len);
    if (fault)
        return fault;
    slu_proof_claims(facts, &proof);
    return slu_proof_check(&proof, &genesis, &verifier, scratch);
}

/* ---- what holds ---- */

static void check_facts(const struct slu_proof_facts *facts, const struct subject *s, uint32_t leg)
{
    assert_memory_equal(facts->id, s->id, 32);
    assert_int_equal(facts->height, s->height);
    assert_int_equal(facts->time_ms, 1700000000000 + 1000 * s->height);
    assert_int_equal(facts->index, s->index);
    assert_int_equal(facts->kind, s->kind);
    assert_int_equal(facts->queued_height, s->queued);
    assert_int_equal(facts->outcome, s->opened ? s->outcome : 0);
    assert_int_equal(facts->opened_height, s->opened);
    if (!s->opened) {
        assert_int_equal(facts->rollup, s->lists[leg]);
        assert_int_equal(facts->payload_len, s->payload_len);
        assert_memory_equal(facts->payload, s->payload, s->payload_len);
        return;
    }
    assert_int_equal(facts->rollup, s->opened_lists[leg]);
    assert_int_equal(facts->opened_index, s->opened_index);
    assert_int_equal(facts->opened_time_ms, 1700000000000 + 1000 * s->opened);
    if (s->outcome == SLU_ENTRY_VOID)
        assert_int_equal(facts->reason, SLU_VOID_SEED);
}

static void test_hold(void **state)
{
    (void)state;
    uint8_t bytes[PROOF_ROOM], again[PROOF_ROOM];
    struct slu_proof_facts facts;
    struct slu_proof proof;
    for (enum subject_name i = 0; i < SUBJECTS; i++) {
        const struct subject *s = &subjects[i];
        for (uint32_t leg = 0; leg < s->list_count || leg < s->opened_list_count; leg++) {
            size_t len = subject_proof(bytes, i, leg);
            assert_int_equal(judge(bytes, len, &facts), SLU_PROOF_GOOD);
            check_facts(&facts, s, leg);
            assert_int_equal(facts.bundle, i == BUNDLE || i == SEALED_BUNDLE);
            assert_int_equal(slu_proof_read(&proof, bytes, len), 0);
            assert_int_equal(write_proof(again, &proof), len);
            assert_memory_equal(again, bytes, len);
            assert_int_equal(slu_proof_time_ms(&proof, s->height),
                             1700000000000 + 1000 * s->height);
            assert_int_equal(slu_proof_time_ms(&proof, 13), 0);
            if (leg == 0)
                print_message("%s: %zu bytes, %u of them payload\n", subject_names[i], len,
                              facts.payload_len);
        }
    }
}

/* What is not to be had yet, or any more, may be left out; what was opened is not needed for that
 * it was ordered. */
static void test_parts_left_out(void **state)
{
    (void)state;
    uint8_t bytes[PROOF_ROOM];
    struct slu_proof_facts facts;
    struct slu_proof p;
    for (enum subject_name i = 0; i < SUBJECTS; i++) {
        lay_proof(&p, &subjects[i], 0, false, false, room);
        assert_int_equal(judge(bytes, write_proof(bytes, &p), &facts), SLU_PROOF_GOOD);
        assert_int_equal(facts.queued_height, 0);
        assert_int_equal(facts.outcome, 0);
        assert_memory_equal(facts.id, subjects[i].id, 32);
        assert_int_equal(facts.rollup, subjects[i].lists[0]);
    }
}

static void test_every_byte_counts(void **state)
{
    (void)state;
    uint8_t bytes[PROOF_ROOM + 1];
    struct slu_proof_facts facts;
    for (enum subject_name i = 0; i < SUBJECTS; i++) {
        size_t len = subject_proof(bytes, i, 0);
        for (size_t at = 0; at < len; at++) {
            uint8_t bit = (uint8_t)(1u << (at + i) % 8);
            bytes[at] ^= bit;
            assert_int_not_equal(judge(bytes, len, &facts), SLU_PROOF_GOOD);
            bytes[at] ^= bit;
        }
        for (size_t cut = 0; cut < len; cut++)
            assert_int_not_equal(judge(bytes, cut, &facts), SLU_PROOF_GOOD);
        bytes[len] = 0;
        assert_int_equal(judge(bytes, len + 1, &facts), SLU_PROOF_FORM);
    }
}

/* ---- what does not ---- */

struct wrong {
    const char *name;
    enum slu_proof_fault fault;
    uint8_t bytes[PROOF_ROOM];
    size_t len;
};

static struct wrong wrongs[64];
static size_t wrong_count;

static void expect_wrong(const char *name, enum slu_proof_fault fault, const uint8_t *bytes,
                         size_t len)
{
    struct slu_proof_facts facts;
    struct wrong *w = &wrongs[wrong_count++];
    enum slu_proof_fault got = judge(bytes, len, &facts);
    if (got != fault)
        fail_msg("%s: '%s' instead of '%s'", name, slu_proof_fault_words(got),
                 slu_proof_fault_words(fault));
    *w = (struct wrong){.name = name, .fault = fault, .len = len};
    memcpy(w->bytes, bytes, len);
}

static void expect_wrong_proof(const char *name, enum slu_proof_fault fault,
                               const struct slu_proof *p)
{
    uint8_t bytes[PROOF_ROOM];
    expect_wrong(name, fault, bytes, write_proof(bytes, p));
}

static void lay(struct slu_proof *p, enum subject_name which)
{
    const struct subject *s = &subjects[which];
    lay_proof(p, s, 0, s->queued > 0, s->opened > 0, room);
}

static void wrong_forms(void)
{
    uint8_t bytes[PROOF_ROOM];
    struct slu_proof p;
    size_t len = subject_proof(bytes, PLAIN, 0);
    bytes[0] = 'E';
    expect_wrong("magic", SLU_PROOF_NONE, bytes, len);
    bytes[0] = 'S';
    bytes[7] = 2;
    expect_wrong("version", SLU_PROOF_OTHER_VERSION, bytes, len);
    bytes[7] = 1;
    expect_wrong("cut", SLU_PROOF_FORM, bytes, len - 1);
    bytes[8 + 32] = 4;
    expect_wrong("unknown_part", SLU_PROOF_FORM, bytes, len);
    lay(&p, FORCED);
    p.ordered.entry.kind = SLU_TX_PLAIN;
    expect_wrong_proof("queueing_of_plain", SLU_PROOF_PARTS, &p);
    lay(&p, SEALED);
    p.ordered.entry.payload_len = 1;
    expect_wrong_proof("payload_and_opening", SLU_PROOF_PARTS, &p);
    lay(&p, SEALED);
    p.key_cert_len = 0;
    expect_wrong_proof("no_key", SLU_PROOF_PARTS, &p);
    lay(&p, VOIDED);
    p.ordered.entry.payload_len = 0;
    expect_wrong_proof("void_without_payload", SLU_PROOF_PARTS, &p);
    lay(&p, EVIDENCE);
    p.ordered.entry.valid_until_ms = 1;
    expect_wrong_proof("evidence_with_end", SLU_PROOF_PARTS, &p);
}

static void wrong_runs(void)
{
    struct slu_proof p, q;
    uint8_t more[PROOF_ROOM];
    struct subject lower = subjects[PLAIN];
    lay(&p, PLAIN);
    lower.height = 6; /* its release is spare, then */
    lay_proof(&q, &lower, 0, false, false, more);
    p.run[0] = q.run[0];
    expect_wrong_proof("spare_release", SLU_PROOF_RUNS, &p);
    lay(&p, PLAIN);
    p.ordered.height = 9;
    expect_wrong_proof("height_without_release", SLU_PROOF_RUNS, &p);
    lay(&p, LOCKED);
    assert_int_equal(p.runs, 1); /* cheaper in one */
    lay(&p, PLAIN);
    static uint8_t other[32] = {9};
    p.chain_id32 = other;
    expect_wrong_proof("other_chain", SLU_PROOF_CHAIN, &p);
    lay(&p, PLAIN);
    p.run[0].signers = 2;
    expect_wrong_proof("no_quorum", SLU_PROOF_SIGNERS, &p);
    lay(&p, PLAIN);
    uint8_t twice[3 * 66];
    memcpy(twice, p.run[0].signatures, sizeof twice);
    memcpy(twice + 66, twice, 66);
    p.run[0].signatures = twice;
    expect_wrong_proof("one_signs_twice", SLU_PROOF_SIGNERS, &p);
    memcpy(twice + 66, room + (p.run[0].count - 1) * 136 + 176 + 66, 66);
    memset(twice + 132, 0, 2);
    twice[132] = 4;
    expect_wrong_proof("stranger", SLU_PROOF_SIGNERS, &p);
    lay(&p, PLAIN);
    sign_release(9, 3); /* a quorum's, of another release */
    struct slu_writer w = slu_writer_of(twice, sizeof twice);
    slu_proof_signers_write(&w, &certs[9]);
    p.run[0].signatures = twice;
    expect_wrong_proof("other_certificate", SLU_PROOF_SIGNATURE, &p);
}

static void wrong_ordered(void)
{
    struct slu_proof p, q;
    uint8_t more[PROOF_ROOM];
    struct subject other = subjects[PLAIN];
    lay(&p, PLAIN);
    lay_proof(&q, &subjects[NEIGHBOUR], 0, false, false, more);
    p.ordered.shown = q.ordered.shown;
    p.ordered.shown_len = q.ordered.shown_len;
    expect_wrong_proof("others_list", SLU_PROOF_ROLLUP, &p);
    lay(&p, BUNDLE);
    p.ordered.entry.rollup = 7;
    expect_wrong_proof("bundle_of_a_rollup", SLU_PROOF_ROLLUP, &p);
    lay(&p, FORCED);
    lay_proof(&q, &subjects[PLAIN], 0, false, false, more);
    p.ordered.shown = q.ordered.shown;
    p.ordered.shown_len = q.ordered.shown_len;
    expect_wrong_proof("other_heights_list", SLU_PROOF_SPACE, &p);
    lay(&p, PLAIN);
    p.ordered.entry.index = 1;
    expect_wrong_proof("other_index", SLU_PROOF_LIST, &p);
    lay(&p, PLAIN);
    p.ordered.entry.valid_until_ms++;
    expect_wrong_proof("other_envelope", SLU_PROOF_LIST, &p);
    memcpy(other.payload, "jello", 5);
    lay_proof(&p, &other, 0, false, false, room);
    expect_wrong_proof("other_payload", SLU_PROOF_LIST, &p);
    lay(&p, FORCED);
    p.ordered.entry.kind = SLU_TX_PLAIN;
    p.has_queued = false;
    p.run[0] = p.run[p.runs - 1];
    lay_proof(&q, &subjects[FORCED], 0, false, false, more);
    q.ordered.entry.kind = SLU_TX_PLAIN;
    expect_wrong_proof("not_forced_after_all", SLU_PROOF_LIST, &q);
}

static void wrong_queued(void)
{
    struct slu_proof p;
    lay(&p, FORCED);
    p.block = told[6].bytes;
    p.block_len = told[6].bytes_len;
    expect_wrong_proof("other_block", SLU_PROOF_QUEUE_BLOCK, &p);
    lay(&p, FORCED);
    p.parent = told[3].bytes;
    p.parent_len = told[3].bytes_len;
    expect_wrong_proof("other_parent", SLU_PROOF_QUEUE_PARENT, &p);
    struct subject elsewhere = subjects[FORCED];
    elsewhere.queued = 6;
    lay_proof(&p, &elsewhere, 0, true, false, room);
    expect_wrong_proof("not_queued", SLU_PROOF_NOT_QUEUED, &p);
}

static void wrong_opened(void)
{
    struct slu_proof p, q;
    uint8_t more[PROOF_ROOM];
    static struct certified_key other;
    certify(&other, &genesis, 2, 3);
    lay(&p, SEALED);
    p.key_cert = other.bytes;
    expect_wrong_proof("other_key", SLU_PROOF_KEY, &p);
    other = committee_key;
    other.bytes[other.len - 1] ^= 1;
    lay(&p, SEALED);
    p.key_cert = other.bytes;
    expect_wrong_proof("unsigned_key", SLU_PROOF_KEY, &p);
    struct subject changed = subjects[SEALED];
    changed.opening[changed.opening_len - 2] ^= 1;
    lay_proof(&p, &changed, 0, false, true, room);
    expect_wrong_proof("other_content", SLU_PROOF_CONTENT, &p);
    lay(&p, SEALED);
    p.opened.entry.rollup = 7;
    expect_wrong_proof("other_rollup_inside", SLU_PROOF_CONTENT, &p);
    lay(&p, VOIDED);
    p.opened.entry.id32 = subjects[SEALED].id;
    expect_wrong_proof("void_of_another", SLU_PROOF_CONTENT, &p);
    lay(&p, SEALED);
    lay_proof(&q, &subjects[SEALED_BUNDLE], 0, false, true, more);
    p.opened.shown = q.opened.shown;
    p.opened.shown_len = q.opened.shown_len;
    expect_wrong_proof("opened_in_others_list", SLU_PROOF_OPENED_ROLLUP, &p);
    lay(&p, VOIDED);
    p.opened.entry.rollup = 9;
    expect_wrong_proof("void_of_a_rollup", SLU_PROOF_OPENED_ROLLUP, &p);
    lay(&p, SEALED);
    lay_proof(&q, &subjects[LOCKED], 0, false, true, more);
    p.opened.shown = q.opened.shown;
    p.opened.shown_len = q.opened.shown_len;
    expect_wrong_proof("opened_at_another_height", SLU_PROOF_OPENED_SPACE, &p);
    lay(&p, SEALED);
    p.opened.entry.index++;
    expect_wrong_proof("opened_elsewhere", SLU_PROOF_OPENED_LIST, &p);
}

/* What a whole committee would have to have signed. */

static void deliver_late(void)
{
    subjects[FORCED].height = 11;
}

static void deliver_early(void)
{
    subjects[FORCED].height = 7; /* what would follow, were the queue empty before */
    subjects[FORCED].index = 8;
}

static void misplace(void)
{
    subjects[SEALED].opening[0] = 6;
    subjects[VOIDED].opening[9] = 6;
}

static void open_early(void)
{
    static const uint8_t text[] = "sealed text";
    sealed(LOCKED, SLU_TX_SEALED, 7, 4, 9, text, sizeof text, 11, 10, 2);
}

static void wrong_committee(void)
{
    struct slu_proof p;
    make_story(deliver_late);
    lay(&p, FORCED);
    expect_wrong_proof("delivered_late", SLU_PROOF_DUE, &p);
    make_story(deliver_early);
    lay(&p, FORCED);
    expect_wrong_proof("delivered_early", SLU_PROOF_DUE, &p);
    make_story(misplace);
    lay(&p, SEALED);
    expect_wrong_proof("opening_of_another_place", SLU_PROOF_OPENED_PLACE, &p);
    lay(&p, VOIDED);
    expect_wrong_proof("void_of_another_place", SLU_PROOF_OPENED_PLACE, &p);
    make_story(open_early);
    lay(&p, LOCKED);
    expect_wrong_proof("before_its_unlock", SLU_PROOF_EARLY, &p);
    make_story(NULL);
}

static void test_words(void **state)
{
    (void)state;
    wrong_forms();
    wrong_runs();
    wrong_ordered();
    wrong_queued();
    wrong_opened();
    wrong_committee();
    for (int fault = 1; fault < SLU_PROOF_FAULTS; fault++) {
        const char *words = slu_proof_fault_words((enum slu_proof_fault)fault);
        bool seen = false;
        for (size_t i = 0; i < wrong_count; i++)
            seen |= (int)wrongs[i].fault == fault;
        if (!seen)
            fail_msg("nothing is refused with '%s'", words);
        for (int other = 0; other < fault; other++)
            assert_string_not_equal(words, slu_proof_fault_words((enum slu_proof_fault)other));
    }
}

/* ---- which releases ---- */

static uint64_t chain_certs[8];

static uint64_t lowest(void *context, uint64_t height)
{
    (void)context;
    for (size_t i = 0; i < sizeof chain_certs / sizeof *chain_certs; i++)
        if (chain_certs[i] >= height)
            return chain_certs[i];
    return 0;
}

static uint64_t span_bytes(uint64_t from, uint64_t to, uint16_t q)
{
    return 4 + slu_proof_run_bytes(to - from + 1) + 66u * q;
}

/* The least that any way to join neighbours takes. */
static uint64_t least_bytes(const uint64_t *heights, uint8_t count, uint16_t q)
{
    uint64_t least = UINT64_MAX;
    for (unsigned joined = 0; joined < 1u << (count - 1); joined++) {
        uint64_t bytes = 0, from = heights[0], to = lowest(NULL, from);
        bool apart = true;
        for (uint8_t i = 1; i < count; i++) {
            if (joined >> (i - 1) & 1) {
                to = lowest(NULL, heights[i]);
                continue;
            }
            apart &= heights[i] > to;
            bytes += span_bytes(from, to, q);
            from = heights[i];
            to = lowest(NULL, from);
        }
        bytes += span_bytes(from, to, q);
        if (apart && bytes < least)
            least = bytes;
    }
    return least;
}

static void test_plan(void **state)
{
    (void)state;
    struct slu_proof_span spans[SLU_PROOF_RUNS_MAX];
    for (int round = 0; round < 20000; round++) {
        uint8_t drawn[12];
        uint64_t heights[3], at = 0, bytes = 0;
        draw(drawn, sizeof drawn);
        for (size_t i = 0; i < 8; i++)
            chain_certs[i] = at += 1u + drawn[i] % (round % 2 ? 9u : 60u);
        uint8_t count = (uint8_t)(1 + drawn[8] % 3);
        uint16_t q = round % 3 ? 3 : 43;
        at = 0;
        for (uint8_t i = 0; i < count; i++)
            heights[i] = at += 1u + drawn[9 + i] % (chain_certs[7] / 3);
        uint8_t runs = slu_proof_plan(spans, heights, count, q, lowest, NULL);
        assert_in_range(runs, 1, count);
        for (uint8_t i = 0; i < runs; i++) {
            assert_int_equal(lowest(NULL, spans[i].to), spans[i].to);
            bytes += span_bytes(spans[i].from, spans[i].to, q);
        }
        assert_int_equal(bytes, least_bytes(heights, count, q));
    }
    uint64_t beyond = chain_certs[7] + 1;
    assert_int_equal(slu_proof_plan(spans, &beyond, 1, 3, lowest, NULL), 0);
    chain_certs[0] = chain_certs[7] = 1 + SLU_PROOF_RUN_MAX;
    beyond = 1;
    assert_int_equal(slu_proof_plan(spans, &beyond, 1, 3, lowest, NULL), 0);
    beyond = 2;
    assert_int_equal(slu_proof_plan(spans, &beyond, 1, 3, lowest, NULL), 1);
}

/* ---- vectors ---- */

static void line(FILE *file, const char *what, const char *name, const uint8_t *bytes, size_t len)
{
    static char hex[2 * PROOF_ROOM + 1];
    slu_hex_encode(hex, bytes, len);
    fprintf(file, "%s %s %s\n", what, name, hex);
}

static void write_spaces(FILE *file)
{
    static uint8_t leaves[70][32], proof[SLU_SPACE_PROOF_BYTES_MAX];
    struct slu_space_leaf lists[70];
    uint8_t work[70][32], root32[32];
    char name[32];
    for (uint32_t i = 0; i < 70; i++) {
        uint8_t id[32] = {(uint8_t)i}, content[32] = {0xcc, (uint8_t)i};
        slu_entry_leaf(leaves[i], genesis.chain_id, i, (uint8_t)(i % 3), id,
                       i % 2 ? content : NULL);
        snprintf(name, sizeof name, "%u", i);
        line(file, "leaf", name, leaves[i], 32);
    }
    for (uint32_t i = 0; i < 70; i++) {
        lists[i] = (struct slu_space_leaf){.rollup = 3u * i, .count = i + 1};
        slu_merkle_root(lists[i].root, genesis.chain_id, (const uint8_t(*)[32])leaves, i + 1);
        snprintf(name, sizeof name, "%u", i + 1);
        line(file, "list", name, lists[i].root, 32);
        slu_space_root(root32, genesis.chain_id, lists, i + 1, work);
        line(file, "space", name, root32, 32);
        for (uint64_t rollup = 0; rollup < 3u * i + 5 && (i < 9 || i == 69);
             rollup += i < 9 ? 1 : 23) {
            struct slu_writer w = slu_writer_of(proof, sizeof proof);
            slu_space_prove(&w, genesis.chain_id, lists, i + 1, rollup, work);
            snprintf(name, sizeof name, "%u:%u", i + 1, (unsigned)rollup);
            line(file, "shows", name, proof, slu_writer_len(&w));
        }
    }
}

static void write_releases(FILE *file)
{
    uint8_t bytes[SLU_RELEASE_CERT_BYTES_MAX], parts[SLU_STATE_PARTS][32], state32[32];
    char name[32];
    for (uint64_t h = 1; h <= TOP; h++) {
        struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
        snprintf(name, sizeof name, "%u", (unsigned)h);
        memset(parts, (int)h, sizeof parts);
        slu_state_digest(state32, genesis.chain_id, (const uint8_t(*)[32])parts);
        line(file, "parts", name, parts[0], sizeof parts);
        line(file, "state", name, state32, 32);
        slu_release_write(&w, &told[h].release);
        line(file, "release", name, bytes, slu_writer_len(&w));
        line(file, "digest", name, told[h].release.digest, 32);
        if (certified_at(NULL, h) != h)
            continue;
        w = slu_writer_of(bytes, sizeof bytes);
        slu_release_cert_write(&w, &certs[h]);
        line(file, "certificate", name, bytes, slu_writer_len(&w));
    }
}

static void write_proofs(FILE *file)
{
    uint8_t bytes[PROOF_ROOM];
    for (enum subject_name i = 0; i < SUBJECTS; i++) {
        line(file, "id", subject_names[i], subjects[i].id, 32);
        line(file, "proof", subject_names[i], bytes, subject_proof(bytes, i, 0));
    }
    for (size_t i = 0; i < wrong_count; i++)
        line(file, "refused", wrongs[i].name, wrongs[i].bytes, wrongs[i].len);
}

static char *read_all(const char *path)
{
    size_t cap = 4u << 20;
    char *text = calloc(1, cap);
    FILE *file = fopen(path, "rb");
    assert_non_null(text);
    if (file) {
        assert_true(fread(text, 1, cap - 1, file) < cap - 1);
        fclose(file);
    }
    return text;
}

/* Writes what `path` should be next to it, and compares or replaces. */
static void settle(const char *path, const char *made)
{
    if (getenv("SLU_VECTORS_WRITE")) {
        assert_int_equal(rename(made, path), 0);
        return;
    }
    char *was = read_all(path), *now = read_all(made);
    unlink(made);
    assert_string_equal(was, now);
    free(was);
    free(now);
}

static void vectors(const char *path, void (*write)(FILE *file))
{
    char made[64];
    snprintf(made, sizeof made, "tests/vectors/made-%ld", (long)getpid());
    FILE *file = fopen(made, "wb");
    assert_non_null(file);
    line(file, "chain", "id", genesis.chain_id, 32);
    write(file);
    assert_int_equal(fclose(file), 0);
    settle(path, made);
}

static void write_spaces_and_releases(FILE *file)
{
    write_spaces(file);
    write_releases(file);
}

static void test_vectors(void **state)
{
    (void)state;
    char path[64], why[256];
    vectors(SPACES, write_spaces_and_releases);
    vectors(PROOFS, write_proofs);
    snprintf(path, sizeof path, "tests/vectors/made-%ld.json", (long)getpid());
    assert_int_equal(slu_genesis_save(&genesis, path, why, sizeof why), 0);
    settle(GENESIS, path);
}

static int set_up(void **state)
{
    if (make_committee(state))
        return -1;
    make_story(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hold),
        cmocka_unit_test(test_parts_left_out),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_vectors),
    };
    return cmocka_run_group_tests(tests, set_up, free_committee);
}
