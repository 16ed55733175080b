/* How fast a reader verifies on one core (docs/PROTOCOL.md clause 8.8): frames as they come off the
 * link, to heights whose entries are those of certified releases. Four nodes; a certificate for
 * every 8th height, as of history at least, and for each, as at the head of the stream.
 *
 *     bench_verify [ROLLUPS]        plain entries of 256 bytes payload, for a reader of one rollup
 * and of all bench_verify sealed           opened entries that are sealed again */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/seal_tables.h"
#include "client/session.h"
#include "client/verifier.h"
#include "crypto/keyguard.h"
#include "crypto/sealed.h"
#include "sluice/error.h"
#include "sluice/seal.h"
#include "tests/sim/seal_keys.h"
#include "wire/space.h"
#include "wire/tx.h"

#define NODES    4u
#define RUN_MAX  8u
#define PAYLOAD  256u
#define SECONDS  1.0
#define PART_MAX (256u * 1024u) /* entries in one frame, as node/stream.h sends them */

static struct slu_genesis genesis;
static struct slu_keyguard *guards[NODES];
static uint32_t run_heights; /* that a certificate covers */

static void fail(const char *words)
{
    fprintf(stderr, "bench_verify: %s\n", words);
    exit(1);
}

static void make_chain(void)
{
    char why[200];
    genesis.version = SLU_PROTOCOL_VERSION;
    strcpy(genesis.name, "bench");
    genesis.n = NODES;
    genesis.open_rollups = true;
    for (uint16_t i = 0; i < NODES; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        guards[i] = slu_keyguard_new(seed);
        slu_keyguard_public(guards[i], genesis.nodes[i].public32);
        snprintf(genesis.nodes[i].address, sizeof genesis.nodes[i].address, "tcp://127.0.0.1:%d",
                 7000 + i);
    }
    sim_seal_keys(&genesis);
    slu_params_defaults(&genesis.params);
    if (slu_genesis_seal(&genesis, why, sizeof why))
        fail(why);
}

/* ---- a stream of frames ---- */

struct frame {
    uint8_t *bytes;
    size_t len;
};

struct stream {
    struct frame *frames;
    size_t count, cap;
    uint64_t entries; /* that its reader gets */
};

static void add_frame(struct stream *s, Slu__Client__Reply *reply)
{
    if (s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->frames = realloc(s->frames, s->cap * sizeof *s->frames);
    }
    reply->id = 1;
    struct frame *frame = &s->frames[s->count++];
    frame->bytes = slu_reply_pack(reply, &frame->len);
    if (!frame->bytes)
        fail("no memory");
}

static void add_height(struct stream *s, const struct slu_release *release, const uint8_t *bytes,
                       size_t entry_bytes, uint32_t entries, struct slu_writer *proof)
{
    uint32_t per_part = (uint32_t)(PART_MAX / entry_bytes), sent = 0;
    do {
        Slu__Client__Height body = SLU__CLIENT__HEIGHT__INIT;
        Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
        body.count = entries - sent < per_part ? entries - sent : per_part;
        body.height = release->height;
        body.time_ms = release->time_ms;
        body.block = (ProtobufCBinaryData){32, (uint8_t *)(uintptr_t)release->block};
        body.entries = (ProtobufCBinaryData){body.count * entry_bytes,
                                             (uint8_t *)(uintptr_t)(bytes + sent * entry_bytes)};
        sent += body.count;
        body.more = sent < entries;
        if (!body.more)
            body.proof = (ProtobufCBinaryData){slu_writer_len(proof), proof->start};
        reply.body_case = SLU__CLIENT__REPLY__BODY_HEIGHT;
        reply.height = &body;
        add_frame(s, &reply);
    } while (sent < entries);
}

static void add_releases(struct stream *s, const struct slu_release *run)
{
    uint8_t below[RUN_MAX * SLU_RELEASE_BYTES], bytes[SLU_RELEASE_CERT_BYTES_MAX];
    struct slu_release_cert cert = {.release = run[run_heights - 1],
                                    .count = slu_genesis_q(&genesis)};
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes),
                      r = slu_writer_of(below, sizeof below);
    Slu__Client__Releases body = SLU__CLIENT__RELEASES__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    for (uint16_t i = 0; i < cert.count; i++) {
        cert.signers[i].node = i;
        if (slu_keyguard_sign(guards[i], cert.signers[i].signature, SLU_ROLE_RELEASE, 0,
                              cert.release.digest))
            fail("no signature");
    }
    slu_release_cert_write(&w, &cert);
    for (uint32_t i = 0; i + 1 < run_heights; i++)
        slu_release_write(&r, &run[i]);
    body.releases = (ProtobufCBinaryData){slu_writer_len(&r), below};
    body.certificate = (ProtobufCBinaryData){slu_writer_len(&w), bytes};
    reply.body_case = SLU__CLIENT__REPLY__BODY_RELEASES;
    reply.releases = &body;
    add_frame(s, &reply);
}

/* The entries of one height: `total` of them over `rollups` rollups; returns the bytes that a
 * reader of `reader` gets, and writes the release's root and the proofs. */
static uint8_t *make_entries(uint64_t height, uint32_t total, uint64_t rollups, uint64_t reader,
                             struct slu_release *release, uint32_t *shown, struct slu_writer *proof)
{
    static uint8_t envelope[SLU_TX_HEAD_BYTES + PAYLOAD];
    const size_t entry_bytes = SLU_ENTRY_HEAD_BYTES + PAYLOAD;
    uint8_t *bytes = malloc(total * entry_bytes), payload[PAYLOAD], id32[32], leaf32[32];
    void *memory = calloc(1, slu_space_maker_bytes(total));
    struct slu_space_maker maker;
    struct slu_writer out = slu_writer_of(bytes, total * entry_bytes);
    slu_space_maker_init(&maker, memory, total);
    *shown = 0;
    for (uint32_t i = 0; i < total; i++) {
        uint64_t rollup = 1 + i % rollups;
        struct slu_writer w = slu_writer_of(envelope, sizeof envelope);
        randombytes_buf(payload, sizeof payload);
        slu_tx_write(&w, rollup, height + 30000, SLU_TX_PLAIN, payload, PAYLOAD);
        slu_tx_id_of(id32, genesis.chain_id, envelope, sizeof envelope);
        slu_entry_leaf(leaf32, genesis.chain_id, i, SLU_TX_PLAIN, id32, NULL);
        if (!slu_space_add(&maker, rollup, leaf32))
            fail("a full space");
        if (reader != 0 && rollup != reader)
            continue;
        struct slu_entry entry = {.index = i,
                                  .rollup = rollup,
                                  .valid_until_ms = height + 30000,
                                  .id32 = id32,
                                  .payload_len = PAYLOAD};
        slu_entry_head_write(&out, &entry);
        slu_write_bytes(&out, payload, PAYLOAD);
        (*shown)++;
    }
    slu_space_finish(&maker, genesis.chain_id, release->ordered);
    if (reader != 0) {
        slu_space_prove(proof, genesis.chain_id, maker.leaves, maker.rollups, reader, maker.sorted);
        slu_space_prove(proof, genesis.chain_id, NULL, 0, reader, maker.sorted);
    }
    free(memory);
    return bytes;
}

/* `runs` runs of heights with `total` entries each. */
static struct stream make_stream(uint32_t runs, uint32_t total, uint64_t rollups, uint64_t reader)
{
    struct stream s = {0};
    struct slu_release run[RUN_MAX] = {0};
    uint8_t below32[32] = {0};
    for (uint32_t r = 0; r < runs; r++) {
        struct stream heights = {0};
        for (uint32_t i = 0; i < run_heights; i++) {
            uint8_t proofs[2 * SLU_SPACE_PROOF_BYTES_MAX];
            struct slu_writer proof = slu_writer_of(proofs, sizeof proofs);
            uint32_t shown;
            run[i].height = r * run_heights + i + 1;
            run[i].time_ms = run[i].height * 250;
            memcpy(run[i].previous, below32, 32);
            uint8_t *bytes =
                make_entries(run[i].height, total, rollups, reader, &run[i], &shown, &proof);
            slu_release_digest(&run[i], genesis.chain_id);
            memcpy(below32, run[i].digest, 32);
            add_height(&heights, &run[i], bytes, SLU_ENTRY_HEAD_BYTES + PAYLOAD, shown, &proof);
            s.entries += shown;
            free(bytes);
        }
        add_releases(&s, run);
        for (size_t i = 0; i < heights.count; i++) {
            if (s.count == s.cap) {
                s.cap *= 2;
                s.frames = realloc(s.frames, s.cap * sizeof *s.frames);
            }
            s.frames[s.count++] = heights.frames[i];
        }
        free(heights.frames);
    }
    return s;
}

static void free_stream(struct stream *s)
{
    for (size_t i = 0; i < s->count; i++)
        free(s->frames[i].bytes);
    free(s->frames);
}

/* ---- reading it ---- */

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void read_stream(const struct stream *s, struct slu_feed_verifier *v)
{
    struct slu_heights heights = {0};
    char why[SLU_VERIFIER_WHY_BYTES] = "a height that does not parse";
    for (size_t i = 0; i < s->count; i++) {
        Slu__Client__Reply *reply =
            slu_reply_unpack(s->frames[i].bytes, s->frames[i].len, SLU_REPLY_MEMORY_MAX);
        int rc = SLU_ERR_MALFORMED;
        if (reply && reply->body_case == SLU__CLIENT__REPLY__BODY_RELEASES) {
            const Slu__Client__Releases *run = reply->releases;
            rc = slu_feed_verifier_releases(v, run->releases.data, run->releases.len,
                                            run->certificate.data, run->certificate.len, why);
        } else if (reply) {
            rc = slu_heights_add(&heights, reply->height);
            bool whole = rc == 1;
            rc = rc < 0 ? rc : 0;
            if (whole)
                rc = slu_feed_verifier_height(v, &heights, reply->height->proof.data,
                                              reply->height->proof.len, why);
            if (whole && !rc)
                (void)slu_feed_verifier_accept(v);
        }
        if (rc)
            fail(why);
        slu_reply_free(reply);
    }
    slu_heights_free(&heights);
}

static void measure(uint32_t total, uint64_t rollups, uint64_t reader)
{
    uint32_t runs = total >= 4096 ? 1 : total >= 256 ? 8 : 64;
    struct stream s = make_stream(runs, total, rollups, reader);
    double spent = 0;
    uint64_t entries = 0, rounds = 0;
    while (spent < SECONDS) {
        struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, reader, 1);
        double start = cpu_s();
        read_stream(&s, v);
        spent += cpu_s() - start;
        entries += s.entries;
        rounds++;
        slu_feed_verifier_free(v);
    }
    printf("%6u in a height of %3llu rollups, reader of %s: %9.0f entries/s, %7.0f heights/s\n",
           total, (unsigned long long)rollups, reader ? "one" : "all", (double)entries / spent,
           (double)(rounds * runs * run_heights) / spent);
    fflush(stdout);
    free_stream(&s);
}

/* ---- sealing again ---- */

static void measure_sealed(size_t payload_len)
{
    static uint8_t envelope[SLU_SEAL_ENVELOPE_BYTES_MAX], payload[SLU_SEAL_PAYLOAD_BYTES_MAX];
    struct slu_seal_key key;
    uint8_t seed[64] = {1}, id32[32], y[32] = {7};
    size_t len;
    crypto_core_ristretto255_scalar_random(y);
    if (crypto_scalarmult_ristretto255_base(key.y, y))
        fail("no key");
    memcpy(key.chain_id, genesis.chain_id, 32);
    memset(key.key_id, 5, 32);
    randombytes_buf(payload, payload_len);
    uint8_t *body = envelope + SLU_TX_HEAD_BYTES;
    if (slu_seal(body, sizeof envelope - SLU_TX_HEAD_BYTES, &len, &key, SLU_UNLOCK_NONE, 0, 90000,
                 7, payload, payload_len, seed))
        fail("not sealed");
    struct slu_writer w = slu_writer_of(envelope, SLU_TX_HEAD_BYTES);
    slu_write_u64(&w, 0);
    slu_write_u64(&w, 90000);
    slu_write_u8(&w, SLU_TX_SEALED);
    slu_write_u32(&w, (uint32_t)len);
    slu_tx_id_of(id32, genesis.chain_id, envelope, SLU_TX_HEAD_BYTES + len);
    struct slu_seal_opening opening = {
        .valid_until_ms = 90000, .rollup = 7, .payload = payload, .payload_len = payload_len};
    memcpy(opening.key_id, key.key_id, 32);
    memcpy(opening.e, body + SLU_SEAL_HEAD_BYTES + 64, sizeof opening.e);
    memcpy(opening.z, body + SLU_SEAL_HEAD_BYTES + 80, sizeof opening.z);
    memcpy(opening.rho, seed, sizeof opening.rho);
    struct slu_opening_key *tables = slu_opening_key_new(&key);
    double start = cpu_s(), spent = 0;
    uint64_t count = 0;
    for (; spent < SECONDS; count++, spent = cpu_s() - start)
        if (slu_seal_opening_check_by(tables, &opening, id32))
            fail("this is not what was sealed");
    slu_opening_key_free(tables);
    printf("opened entries of %6zu bytes, sealed again: %7.0f/s\n", payload_len,
           (double)count / spent);
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        fail("no libsodium");
    make_chain();
    if (argc > 1 && !strcmp(argv[1], "sealed")) {
        static const size_t sizes[] = {200, 4000, 90000};
        for (size_t i = 0; i < 3; i++)
            measure_sealed(sizes[i]);
        return 0;
    }
    uint64_t rollups = argc > 1 ? strtoull(argv[1], NULL, 10) : 4;
    static const uint32_t totals[] = {4, 16, 64, 256, 1024, 4096, 16384};
    for (run_heights = 1; run_heights <= RUN_MAX; run_heights += RUN_MAX - 1) {
        printf("a certificate for each %u heights:\n", run_heights);
        for (size_t i = 0; i < sizeof totals / sizeof *totals; i++) {
            measure(totals[i], rollups, 1);
            measure(totals[i], rollups, 0);
        }
    }
    return 0;
}
