/* Proofs to hand on (node/prover): of everything that a chain ordered, plain, forced, sealed and
 * waiting, void, with keys of a real key generation, a node's store gives a proof that holds with
 * the genesis alone and says what the store says. The chain is a run of the simulator; its records
 * go into a real store. */
#include <stdlib.h>
#include <unistd.h>

#include "node/height.h"
#include "node/prover.h"
#include "node/releases.h"
#include "tests/unit/sealed_scene.h"
#include "wire/proof.h"

struct tried {
    uint32_t plain, bundles, bundles_opened, forced, queued, sealed, waited, voids, keygen,
        evidence, closed;
};

struct bench {
    struct scene scene;
    struct sim_plan plan;
    char root[64];
    struct slu_disk *disk;
    struct slu_metrics metrics;
    struct slu_prover *prover;
    struct slu_height_cache *heights;
    uint64_t certified;
    uint8_t scratch[SLU_PROOF_SCRATCH_BYTES];
};

static struct bench bench;

static const struct slu_genesis *genesis(void)
{
    return &bench.scene.sim->genesis;
}

/* A chain with some of everything. */
static struct sim *play(void)
{
    struct scene *scene = &bench.scene;
    plan_of(&bench.plan, 3, 4);
    bench.plan.forced_permille = 200;
    bench.plan.bundle_permille = 200;
    scene_deviant(&bench.plan, 3, "vote_twice");
    bench.plan.load_until_ms = 3500;
    struct sim *sim = begin(scene, &bench.plan);
    for (unsigned i = 0; i < 24; i++) {
        sim_run_until(sim, 1000 + 30 * i);
        uint16_t node = (uint16_t)(i % 3);
        give(scene, node, (enum sealed_kind)(i % 5), SLU_UNLOCK_NONE, 0, i % 7 == 3);
        give(scene, node, SEALED_GOOD, SLU_UNLOCK_TIME, stream_ms(scene) + 20u * i, i % 6 == 5);
        give(scene, node, SEALED_GOOD, SLU_UNLOCK_HEIGHT, sim->oracle.top + 3u * i, i % 8 == 6);
    }
    for (unsigned i = 0; i < 10; i++)
        give(scene, (uint16_t)(i % 3), SEALED_BUNDLE, SLU_UNLOCK_TIME, stream_ms(scene) + 10u * i,
             i % 4 == 3);
    give(scene, 0, SEALED_GOOD, SLU_UNLOCK_TIME, stream_ms(scene) + 7000, false);
    assert_true(sim_run_until(sim, 3900)->ok);
    return sim;
}

/* The records of the first node, as its store has them. */
static void copy_records(const struct sim_disk *from)
{
    slu_disk_begin(bench.disk);
    for (unsigned kind = 1; kind < SLU_REC_KINDS; kind++) {
        for (uint32_t i = 0; i < from->counts[kind]; i++) {
            const struct sim_record *record = &from->records[kind][i];
            slu_disk_put(bench.disk, &record->key, record->value, record->len, NULL, 0);
            if (kind == SLU_REC_RELEASE_CERT)
                bench.certified = record->key.a;
        }
    }
    assert_int_equal(slu_disk_commit(bench.disk), 0);
}

static int set(void **state)
{
    (void)state;
    char why[512];
    struct slu_disk_identity identity = {.node = 0};
    memset(&bench, 0, sizeof bench);
    struct sim *sim = play();
    strcpy(bench.root, "/tmp/slu_prover_XXXXXX");
    assert_non_null(mkdtemp(bench.root));
    assert_int_equal(slu_disk_open(&bench.disk, bench.root, &identity, why, sizeof why), 0);
    copy_records(&sim->nodes[0].disk);
    bench.prover = slu_prover_new(bench.disk, genesis(), &bench.metrics);
    bench.heights = slu_height_cache_new(bench.disk, &bench.metrics);
    assert_true(bench.prover && bench.heights && bench.certified > 50);
    return 0;
}

static int strike(void **state)
{
    (void)state;
    char command[128];
    slu_height_cache_free(bench.heights);
    slu_prover_free(bench.prover);
    slu_disk_close(bench.disk);
    sim_free(bench.scene.sim);
    snprintf(command, sizeof command, "rm -rf %s", bench.root);
    return system(command);
}

static struct slu_tx_status status_of(uint64_t height, uint32_t index, const uint8_t id32[32])
{
    struct slu_tx_status status = {.stage = SLU_STAGE_FINAL, .height = height, .index = index};
    memcpy(status.id, id32, 32);
    return status;
}

static void note(struct tried *tried, const struct slu_proof *proof,
                 const struct slu_proof_facts *facts)
{
    uint8_t kind = facts->kind & (uint8_t)~SLU_ENTRY_FORCED;
    tried->plain += kind == SLU_TX_PLAIN;
    tried->bundles += kind == SLU_TX_BUNDLE;
    tried->bundles_opened += kind == SLU_TX_SEALED && facts->bundle;
    tried->keygen += kind == SLU_ENTRY_KEYGEN;
    tried->evidence += kind == SLU_ENTRY_EVIDENCE;
    tried->forced += facts->kind >= SLU_ENTRY_FORCED;
    tried->queued += facts->queued_height > 0;
    if (kind != SLU_TX_SEALED)
        return;
    tried->sealed++;
    tried->closed += !proof->has_opened;
    tried->voids += facts->outcome == SLU_ENTRY_VOID;
    tried->waited += facts->opened_height > facts->height;
}

/* One entry's proof, held against the entry. */
static void prove(struct tried *tried, uint64_t height, const struct slu_entry *entry)
{
    struct slu_tx_status status = status_of(height, entry->index, entry->id32);
    struct slu_proof proof;
    struct slu_proof_facts facts;
    const uint8_t *bytes;
    size_t len;
    assert_int_equal(slu_prover_make(bench.prover, &status, 0, &bytes, &len), 0);
    assert_int_equal(slu_proof_read(&proof, bytes, len), SLU_PROOF_GOOD);
    slu_proof_claims(&facts, &proof);
    enum slu_proof_fault fault =
        slu_proof_check(&proof, genesis(), &bench.scene.sim->verifier, bench.scratch);
    if (fault)
        print_error("height %lu index %u kind %u: %s\n", height, entry->index, entry->kind,
                    slu_proof_fault_words(fault));
    assert_int_equal(fault, SLU_PROOF_GOOD);
    assert_memory_equal(facts.id, entry->id32, 32);
    assert_true(facts.height == height && facts.index == entry->index);
    assert_int_equal(facts.kind, entry->kind);
    if (facts.outcome == 0) {
        assert_int_equal(facts.payload_len, entry->payload_len);
        assert_memory_equal(facts.payload, entry->payload, entry->payload_len);
    }
    note(tried, &proof, &facts);
    /* The same of who knows the height only. */
    static uint8_t again[SLU_PROOF_BYTES_MAX];
    memcpy(again, bytes, len);
    status.index = SLU_PROVER_ANY_INDEX;
    size_t again_len = len;
    assert_int_equal(slu_prover_make(bench.prover, &status, 0, &bytes, &len), 0);
    assert_int_equal(len, again_len);
    assert_memory_equal(bytes, again, len);
}

static void of_everything_that_is_certified(void **state)
{
    (void)state;
    struct tried tried = {0};
    for (uint64_t at = 1; at <= bench.certified; at++) {
        struct slu_height height;
        assert_int_equal(slu_height_cache_get(bench.heights, at, &height), 0);
        for (uint32_t i = 0; i < height.chunk_count; i++) {
            struct slu_chunk chunk;
            struct slu_entry entry;
            assert_int_equal(slu_height_cache_chunk(bench.heights, at, i, &chunk), 0);
            struct slu_reader r = slu_reader_of(chunk.bytes, chunk.len);
            while (slu_entry_next(&r, &entry)) {
                if (entry.kind != SLU_ENTRY_OPENED && entry.kind != SLU_ENTRY_VOID)
                    prove(&tried, at, &entry);
            }
        }
    }
    print_message("plain %u, bundles %u (opened %u), forced %u (queueing shown %u), sealed %u "
                  "(waited %u, void %u, closed "
                  "%u), keygen %u, evidence %u\n",
                  tried.plain, tried.bundles, tried.bundles_opened, tried.forced, tried.queued,
                  tried.sealed, tried.waited, tried.voids, tried.closed, tried.keygen,
                  tried.evidence);
    assert_true(tried.plain > 100 && tried.keygen > 3 && tried.evidence > 0);
    assert_true(tried.forced > 10 && tried.bundles > 10 && tried.bundles_opened > 0);
    assert_int_equal(tried.queued, tried.forced);
    assert_true(tried.sealed > 40 && tried.waited > 10 && tried.voids > 5);
    assert_in_range(tried.closed, 1, 5); /* the last one's unlock is far away */
}

static void first_entry(uint64_t at, struct slu_tx_status *status)
{
    struct slu_height height;
    struct slu_chunk chunk;
    struct slu_entry entry;
    assert_int_equal(slu_height_cache_get(bench.heights, at, &height), 0);
    assert_true(height.chunk_count > 0);
    assert_int_equal(slu_height_cache_chunk(bench.heights, at, 0, &chunk), 0);
    struct slu_reader r = slu_reader_of(chunk.bytes, chunk.len);
    assert_true(slu_entry_next(&r, &entry));
    *status = status_of(at, entry.index, entry.id32);
}

static void forget(enum slu_record_kind kind, uint64_t from, uint64_t end)
{
    struct slu_record_key lo = {.kind = kind, .a = from}, hi = {.kind = kind, .a = end};
    slu_disk_begin(bench.disk);
    slu_disk_forget(bench.disk, &lo, &hi);
    assert_int_equal(slu_disk_commit(bench.disk), 0);
}

static void without_there_is_a_reason(void **state)
{
    (void)state;
    struct slu_tx_status status;
    const uint8_t *bytes;
    size_t len;
    uint64_t at = bench.certified;
    struct slu_height height;
    do
        assert_int_equal(slu_height_cache_get(bench.heights, --at, &height), 0);
    while (height.chunk_count == 0);
    first_entry(at, &status);
    assert_int_equal(slu_prover_make(bench.prover, &status, 0, &bytes, &len), 0);
    status.index += 1000;
    assert_int_equal(slu_prover_make(bench.prover, &status, 0, &bytes, &len), SLU_ERR_CORRUPT);
    status.index -= 1000;
    struct slu_tx_status elsewhere = status;
    elsewhere.index = SLU_PROVER_ANY_INDEX;
    elsewhere.id[0] ^= 1;
    assert_int_equal(slu_prover_make(bench.prover, &elsewhere, 0, &bytes, &len), SLU_ERR_MISMATCH);
    forget(SLU_REC_RELEASE_CERT, at, UINT64_MAX);
    assert_int_equal(slu_prover_make(bench.prover, &status, 0, &bytes, &len), SLU_ERR_REFUSED);
    first_entry(20, &status);
    assert_int_equal(slu_prover_make(bench.prover, &status, 0, &bytes, &len), 0);
    /* Caches of heights and spaces must not say what is no longer there: another prover. */
    slu_prover_free(bench.prover);
    bench.prover = slu_prover_new(bench.disk, genesis(), &bench.metrics);
    forget(SLU_REC_RELEASE, 0, 21);
    assert_int_equal(slu_prover_make(bench.prover, &status, 0, &bytes, &len), SLU_ERR_NOT_FOUND);
    forget(SLU_REC_DELIVERED, 0, 21);
    assert_int_equal(slu_prover_make(bench.prover, &status, 0, &bytes, &len), SLU_ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_everything_that_is_certified),
        cmocka_unit_test(without_there_is_a_reason),
    };
    return cmocka_run_group_tests(tests, set, strike);
}
