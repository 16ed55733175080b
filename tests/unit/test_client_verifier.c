/* client/verifier and client/lists: an honest stream passes, for a rollup, for one without entries
 * and for all; and each way to show another one is refused in its own words, at its height. */
#include "client/verifier.h"
#include "sluice/error.h"
#include "tests/unit/story.h"

#define FIRST 5u

static const uint8_t sealed_id[32] = {0x5e, 1}, void_id[32] = {0x70, 2};
static const char junk[] = "not an envelope at all";

/* ---- the story ---- */

static void tell_evidence(struct told *told, uint32_t index, const char *proof)
{
    uint8_t id32[32];
    slu_hash_of(id32, "evidence", genesis.chain_id, proof, strlen(proof));
    tell(told, index, 0, 0, id32, SLU_ENTRY_EVIDENCE, proof, strlen(proof));
}

static struct slu_opening opening_at(uint64_t height, uint32_t index, const char *text)
{
    static const uint8_t bytes[32];
    return (struct slu_opening){.height = height,
                                .index = index,
                                .key_id32 = bytes,
                                .e16 = bytes,
                                .z32 = bytes,
                                .rho32 = bytes,
                                .payload = (const uint8_t *)text,
                                .payload_len = (uint32_t)strlen(text)};
}

/* Rollup 7 has entries at 5 and 7, at 7 an opened one only; 9 at 5, 7 and 8; 8 never any; 0 at 5
 * and 7. */
static void honest(struct story *s, uint64_t rollup)
{
    struct slu_opening opening = opening_at(FIRST, 3, "opened");
    *s = (struct story){0};
    struct told *told = tell_height(s, 5);
    tell_plain(told, 0, 7, "seven, first");
    tell_plain(told, 1, 9, "nine");
    tell_plain(told, 2, 7, "seven, second");
    tell_envelope(told, 3, 0, SLU_TX_SEALED, SLU_TX_SEALED, "a sealed body", 13);
    tell_envelope(told, 4, 7, SLU_TX_PLAIN, SLU_TX_PLAIN | SLU_ENTRY_FORCED, "seven, forced", 13);
    tell_evidence(told, 5, "evidence");
    tell_envelope(told, 6, 0, SLU_TX_KEYGEN, SLU_ENTRY_KEYGEN, "a dealing", 9);
    (void)tell_height(s, 6);
    told = tell_height(s, 7);
    tell_plain(told, 0, 9, "nine again");
    tell_opening(told, 1, 7, sealed_id, &opening);
    tell_void_of(told, 2, void_id, SLU_VOID_SEED, 5, 9);
    tell_plain(tell_height(s, 8), 0, 9, "nine at last");
    sign_story(s, rollup);
}

/* The entries that a reader gets of a height, to be spoilt. */
static struct told *told_of(struct story *s, uint64_t height)
{
    return &s->heights[height - FIRST];
}

/* ---- reading ---- */

/* Gives the story to a reader; `why` is empty when all of it passes. */
static int read_story(struct slu_feed_verifier *v, const struct story *s, char *why)
{
    struct slu_heights heights = {.expected = 0};
    why[0] = '\0';
    int rc = slu_feed_verifier_releases(v, s->releases, s->releases_len, s->certificate,
                                        s->certificate_len, why);
    for (size_t i = 0; i < s->count && !rc; i++) {
        Slu__Client__Height part = height_message(s, &s->heights[i]);
        assert_int_equal(slu_heights_add(&heights, &part), 1);
        rc = slu_feed_verifier_height(v, &heights, part.proof.data, part.proof.len, why);
        if (!rc)
            assert_memory_equal(slu_feed_verifier_accept(v)->digest, s->heights[i].release.digest,
                                32);
    }
    slu_heights_free(&heights);
    return rc;
}

static void passes(const struct story *s)
{
    char why[SLU_VERIFIER_WHY_BYTES];
    struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, s->rollup, FIRST);
    assert_int_equal(read_story(v, s, why), 0);
    assert_string_equal(why, "");
    slu_feed_verifier_free(v);
}

static void refuses(const struct story *s, const char *words)
{
    char why[SLU_VERIFIER_WHY_BYTES];
    struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, s->rollup, FIRST);
    assert_int_equal(read_story(v, s, why), SLU_ERR_MISMATCH);
    if (strcmp(why, words) != 0)
        print_error("'%s', not '%s'\n", why, words);
    assert_string_equal(why, words);
    slu_feed_verifier_free(v);
}

static void test_honest(void **state)
{
    (void)state;
    static const uint64_t rollups[] = {0, 7, 8, 9, 1, 100};
    for (size_t i = 0; i < sizeof rollups / sizeof *rollups; i++) {
        struct story s;
        honest(&s, rollups[i]);
        passes(&s);
        assert_true(i != 0 || s.heights[0].count == 7);
        assert_true(i != 1 || (s.heights[0].count == 3 && s.heights[3].count == 0));
        assert_true(i != 2 || s.heights[0].count == 0);
    }
}

/* A run may come in parts, and runs one after another. */
static void test_runs(void **state)
{
    (void)state;
    struct story s;
    char why[SLU_VERIFIER_WHY_BYTES];
    honest(&s, 7);
    for (size_t cut = 1; cut < 4; cut++) {
        struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, 7, FIRST);
        struct story part = s;
        assert_int_equal(
            slu_feed_verifier_releases(v, s.releases, cut * SLU_RELEASE_BYTES, NULL, 0, why), 0);
        memmove(part.releases, s.releases + cut * SLU_RELEASE_BYTES, (3 - cut) * SLU_RELEASE_BYTES);
        part.releases_len = (3 - cut) * SLU_RELEASE_BYTES;
        assert_int_equal(read_story(v, &part, why), 0);
        slu_feed_verifier_free(v);
    }
    struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, 7, 0);
    for (size_t first = 0; first < 4; first += 2) {
        struct story half = s;
        half.count = 2;
        memmove(half.heights, s.heights + first, 2 * sizeof *s.heights);
        certify_run(&half, 0, 1);
        assert_int_equal(read_story(v, &half, why), 0);
    }
    slu_feed_verifier_free(v);
}

/* ---- entries ---- */

static size_t offset_of(const struct told *told, uint32_t at)
{
    struct slu_reader reader = slu_reader_of(told->bytes, told->len);
    struct slu_entry entry;
    for (uint32_t i = 0; i < at; i++)
        assert_true(slu_entry_next(&reader, &entry));
    return (size_t)(reader.at - told->bytes);
}

static void drop_entry(struct told *told, uint32_t at)
{
    size_t from = offset_of(told, at), to = offset_of(told, at + 1);
    memmove(told->bytes + from, told->bytes + to, told->len - to);
    told->len -= to - from;
    told->count--;
}

/* Swaps the entries at `at` and behind it, which keep the indexes of their places. */
static void swap_entries(struct told *told, uint32_t at)
{
    static struct told was;
    was = *told;
    size_t a = offset_of(&was, at), b = offset_of(&was, at + 1), c = offset_of(&was, at + 2);
    memcpy(told->bytes + a, was.bytes + b, c - b);
    memcpy(told->bytes + a + (c - b), was.bytes + a, b - a);
    memcpy(told->bytes + a, was.bytes + a, 4);
    memcpy(told->bytes + a + (c - b), was.bytes + b, 4);
}

static void test_entries_of_a_rollup(void **state)
{
    (void)state;
    struct story s, other;
    honest(&s, 7);
    drop_entry(told_of(&s, 5), 1);
    refuses(&s, "height 5: 2 entries of rollup 7 are shown, 3 were ordered");
    honest(&s, 7);
    drop_entry(told_of(&s, 7), 0);
    refuses(&s, "height 7: 0 entries of rollup 7 are shown, 1 were opened");
    honest(&s, 7);
    swap_entries(told_of(&s, 5), 0);
    refuses(&s, "height 5: its entries are not those that were ordered, or not in this order");
    honest(&s, 7);
    tell_plain(told_of(&s, 5), 9, 7, "seven, made up");
    refuses(&s, "height 5: 4 entries of rollup 7 are shown, 3 were ordered");
    honest(&s, 7);
    tell_plain(told_of(&s, 8), 0, 7, "seven, made up");
    refuses(&s, "height 8: 1 entries of rollup 7 are shown, 0 were ordered");
    honest(&s, 7);
    tell_plain(told_of(&s, 5), 9, 9, "nine");
    refuses(&s, "height 5: entry 9: it is of rollup 9, not of 7");
    honest(&s, 7);
    honest(&other, 9); /* all of another rollup's, which has one, too */
    *told_of(&s, 8) = *told_of(&other, 8);
    refuses(&s, "height 8: entry 0: it is of rollup 9, not of 7");
    honest(&s, 7);
    drop_entry(told_of(&s, 5), 2);
    tell_plain(told_of(&s, 5), 4, 7, "seven, forced"); /* not through the queue */
    refuses(&s, "height 5: its entries are not those that were ordered, or not in this order");
}

static void test_entries_of_all(void **state)
{
    (void)state;
    static const char words[] = "height 5: all entries together are not those that were ordered: "
                                "left out, added, moved or changed";
    struct story s;
    for (uint32_t i = 0; i < 7; i++) {
        honest(&s, 0);
        drop_entry(told_of(&s, 5), i);
        refuses(&s, words);
        if (i == 6)
            break;
        honest(&s, 0);
        swap_entries(told_of(&s, 5), i);
        refuses(&s, words);
    }
    honest(&s, 0);
    tell_plain(told_of(&s, 5), 9, 11, "made up");
    refuses(&s, words);
    for (uint32_t i = 0; i < 3; i++) {
        honest(&s, 0);
        drop_entry(told_of(&s, 7), i);
        char why[SLU_VERIFIER_WHY_BYTES];
        snprintf(why, sizeof why,
                 "height 7: all entries together are not those that were %s: left out, added, "
                 "moved or changed",
                 i == 0 ? "ordered" : "opened");
        refuses(&s, why);
    }
    honest(&s, 0);
    told_of(&s, 6)->proof[0] = 0;
    told_of(&s, 6)->proof_len = 1;
    refuses(&s, "height 6: something stands behind its proofs");
}

/* A byte of an entry's payload, or of its head but for the index, which other tests change. */
static void test_changed_entries(void **state)
{
    (void)state;
    static const size_t places[] = {4, 12, 20, 57};
    for (int all = 0; all < 2; all++)
        for (uint32_t at = 0; at < (all ? 7u : 3u); at++)
            for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
                struct story s;
                struct slu_entry entry;
                char words[SLU_VERIFIER_WHY_BYTES];
                honest(&s, all ? 0 : 7);
                struct told *told = told_of(&s, 5);
                size_t from = offset_of(told, at);
                told->bytes[from + places[i]] ^= 1;
                struct slu_reader r = slu_reader_of(told->bytes + from, told->len - from);
                assert_true(slu_entry_next(&r, &entry));
                bool evidence = entry.kind == SLU_ENTRY_EVIDENCE && i == 0;
                snprintf(words, sizeof words,
                         "height 5: entry %u: its id is not that of what is shown", entry.index);
                if (evidence) /* its rollup is not in its id */
                    strcpy(words, "height 5: all entries together are not those that were ordered: "
                                  "left out, added, moved or changed");
                refuses(&s, words);
            }
}

static void test_entries_that_are_none(void **state)
{
    (void)state;
    struct story s;
    honest(&s, 0);
    tell(told_of(&s, 6), 0, 7, STORY_UNTIL, sealed_id, 77, junk, sizeof junk);
    refuses(&s, "height 6: entry 0: its id is not that of what is shown");
    static uint8_t large[SLU_TX_BYTES_MAX_CAP + 1];
    static struct story big;
    honest(&s, 7);
    big = s;
    struct slu_heights heights = {.expected = 0};
    char why[SLU_VERIFIER_WHY_BYTES];
    struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, 7, FIRST);
    size_t len = SLU_ENTRY_HEAD_BYTES + sizeof large;
    uint8_t *bytes = calloc(1, len);
    struct slu_writer w = slu_writer_of(bytes, len);
    struct slu_entry entry = {.rollup = 7, .id32 = sealed_id, .payload_len = sizeof large};
    slu_entry_head_write(&w, &entry);
    Slu__Client__Height part = height_message(&big, told_of(&big, 5));
    part.count = 1;
    part.entries = (ProtobufCBinaryData){len, bytes};
    assert_int_equal(slu_feed_verifier_releases(v, s.releases, s.releases_len, s.certificate,
                                                s.certificate_len, why),
                     0);
    assert_int_equal(slu_heights_add(&heights, &part), 1);
    assert_int_equal(slu_feed_verifier_height(v, &heights, part.proof.data, part.proof.len, why),
                     SLU_ERR_MISMATCH);
    assert_string_equal(why, "height 5: entry 0: its id is not that of what is shown");
    slu_heights_free(&heights);
    slu_feed_verifier_free(v);
    free(bytes);
}

/* ---- what opened ---- */

static void test_openings(void **state)
{
    (void)state;
    static const char changed[] =
        "height 7: its entries are not those that were opened, or not in this order";
    struct slu_opening opening = opening_at(FIRST, 3, "opened"), other = opening;
    static const uint8_t zero32[32];
    struct story s;
    honest(&s, 7);
    other.payload = (const uint8_t *)"opener";
    told_of(&s, 7)->len = told_of(&s, 7)->count = 0;
    tell_opening(told_of(&s, 7), 1, 7, sealed_id, &other);
    refuses(&s, changed);
    other = opening;
    other.index = 2; /* another place where it was ordered */
    told_of(&s, 7)->len = told_of(&s, 7)->count = 0;
    tell_opening(told_of(&s, 7), 1, 7, sealed_id, &other);
    refuses(&s, changed);
    told_of(&s, 7)->len = told_of(&s, 7)->count = 0;
    tell_opening(told_of(&s, 7), 1, 7, zero32, &opening); /* of another one */
    refuses(&s, changed);
    /* The void one is shown as opened, to its would-be rollup. */
    honest(&s, 7);
    tell_opening(told_of(&s, 7), 2, 7, void_id, &opening);
    refuses(&s, "height 7: 2 entries of rollup 7 are shown, 1 were opened");
    honest(&s, 8);
    tell_opening(told_of(&s, 7), 2, 8, void_id, &opening);
    refuses(&s, "height 7: 1 entries of rollup 8 are shown, 0 were opened");
    honest(&s, 0);
    drop_entry(told_of(&s, 7), 2);
    tell_opening(told_of(&s, 7), 2, 8, void_id, &opening);
    refuses(&s, "height 7: all entries together are not those that were opened: left out, added, "
                "moved or changed");
    /* The opened one is shown as void. */
    honest(&s, 0);
    drop_entry(told_of(&s, 7), 2);
    drop_entry(told_of(&s, 7), 1);
    tell_void_of(told_of(&s, 7), 1, sealed_id, SLU_VOID_SEED, 5, 3);
    tell_void_of(told_of(&s, 7), 2, void_id, SLU_VOID_SEED, 5, 9);
    refuses(&s, "height 7: all entries together are not those that were opened: left out, added, "
                "moved or changed");
    /* Void for another reason. */
    honest(&s, 0);
    drop_entry(told_of(&s, 7), 2);
    tell_void_of(told_of(&s, 7), 2, void_id, SLU_VOID_FORM, 5, 9);
    refuses(&s, "height 7: all entries together are not those that were opened: left out, added, "
                "moved or changed");
    /* A valid_until that nothing says. */
    honest(&s, 7);
    told_of(&s, 7)->bytes[12] = 1;
    refuses(&s, "height 7: entry 1: its id is not that of what is shown");
}

/* ---- bundles: they stand in the list of each leg's rollup ---- */

static void with_bundles(struct story *s, uint64_t rollup)
{
    static const struct slu_bundle legs = {.count = 3,
                                           .legs = {{9, (const uint8_t *)"left", 4},
                                                    {7, (const uint8_t *)"right", 5},
                                                    {9, (const uint8_t *)"again", 5}}};
    uint8_t body[64];
    size_t len;
    assert_int_equal(slu_bundle_body(body, sizeof body, &len, &legs), 0);
    *s = (struct story){0};
    struct told *told = tell_height(s, 5);
    tell_envelope(told, 0, 0, SLU_TX_BUNDLE, SLU_TX_BUNDLE, body, len);
    tell_plain(told, 1, 7, "seven");
    tell_envelope(told, 2, 0, SLU_TX_BUNDLE, SLU_TX_BUNDLE | SLU_ENTRY_FORCED, "none", 4);
    struct slu_opening opening = opening_at(FIRST, 0, "");
    opening.payload = body;
    opening.payload_len = (uint32_t)len;
    tell_opening(tell_height(s, 6), 0, 0, sealed_id, &opening);
    sign_story(s, rollup);
}

static void test_bundles(void **state)
{
    (void)state;
    static const uint32_t counts[][2] = {{7, 2}, {9, 1}, {8, 0}, {0, 3}};
    struct story s, other;
    for (size_t i = 0; i < 4; i++) {
        with_bundles(&s, counts[i][0]);
        assert_int_equal(told_of(&s, 5)->count, counts[i][1]);
        assert_int_equal(told_of(&s, 6)->count, counts[i][0] != 8);
        passes(&s);
    }
    with_bundles(&s, 9);
    drop_entry(told_of(&s, 5), 0);
    refuses(&s, "height 5: 0 entries of rollup 9 are shown, 1 were ordered");
    with_bundles(&s, 7);
    drop_entry(told_of(&s, 6), 0);
    refuses(&s, "height 6: 0 entries of rollup 7 are shown, 1 were opened");
    with_bundles(&s, 7); /* another leg's payload */
    told_of(&s, 5)->bytes[SLU_ENTRY_HEAD_BYTES + 1 + 12] ^= 1;
    refuses(&s, "height 5: entry 0: its id is not that of what is shown");
    with_bundles(&s, 8);
    with_bundles(&other, 9);
    memcpy(told_of(&s, 5)->bytes, told_of(&other, 5)->bytes, told_of(&other, 5)->len);
    told_of(&s, 5)->len = told_of(&other, 5)->len;
    told_of(&s, 5)->count = 1;
    refuses(&s, "height 5: entry 0: it is of rollup 7, not of 8");
    with_bundles(&s, 0); /* nobody's stands in the list of 0 */
    drop_entry(told_of(&s, 5), 2);
    refuses(&s, "height 5: all entries together are not those that were ordered: left out, added, "
                "moved or changed");
}

/* ---- proofs ---- */

static void test_proofs(void **state)
{
    (void)state;
    struct story s, other;
    honest(&s, 7);
    told_of(&s, 5)->proof_len = 0;
    refuses(&s, "height 5: the proof of what was ordered does not lead to its release");
    for (size_t i = 0; i < told_of(&s, 7)->proof_len; i++) {
        char why[SLU_VERIFIER_WHY_BYTES];
        honest(&s, 7);
        told_of(&s, 7)->proof[i] ^= 1;
        struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, 7, FIRST);
        assert_int_equal(read_story(v, &s, why), SLU_ERR_MISMATCH);
        assert_non_null(strstr(why, "height 7: "));
        slu_feed_verifier_free(v);
    }
    honest(&s, 7);
    told_of(&s, 5)->proof[told_of(&s, 5)->proof_len++] = 0;
    refuses(&s, "height 5: something stands behind its proofs");
    /* That of another height, of another rollup. */
    honest(&s, 7);
    memcpy(told_of(&s, 5)->proof, told_of(&s, 8)->proof, sizeof s.heights[0].proof);
    told_of(&s, 5)->proof_len = told_of(&s, 8)->proof_len;
    refuses(&s, "height 5: the proof of what was ordered does not lead to its release");
    honest(&s, 7);
    honest(&other, 9);
    memcpy(told_of(&s, 5)->proof, told_of(&other, 5)->proof, sizeof s.heights[0].proof);
    told_of(&s, 5)->proof_len = told_of(&other, 5)->proof_len;
    refuses(&s, "height 5: the proof of what was ordered is of rollup 9, not of 7");
}

/* It has entries, and the server says that it has none. */
static void test_withheld_rollup(void **state)
{
    (void)state;
    struct story s, other;
    honest(&s, 7);
    told_of(&s, 5)->len = told_of(&s, 5)->count = 0; /* with the proof that there are some */
    refuses(&s, "height 5: 0 entries of rollup 7 are shown, 3 were ordered");
    honest(&other, 8); /* with the proof that 8 has none: 7 and 9 stand beside it */
    memcpy(told_of(&s, 5)->proof, told_of(&other, 5)->proof, sizeof s.heights[0].proof);
    told_of(&s, 5)->proof_len = told_of(&other, 5)->proof_len;
    refuses(&s, "height 5: the proof of what was ordered is of rollup 8, not of 7");
    memset(told_of(&s, 5)->proof, 0, 18); /* that nobody has any */
    told_of(&s, 5)->proof_len = 18;
    refuses(&s, "height 5: the proof of what was ordered says that no rollup has any, and its "
                "release does not");
    /* The same story, told without the rollup's entries: another release. */
    struct story bare = {0};
    tell_plain(tell_height(&bare, 5), 1, 9, "nine");
    sign_story(&bare, 7);
    memcpy(told_of(&s, 5)->proof, bare.heights[0].proof, sizeof s.heights[0].proof);
    told_of(&s, 5)->proof_len = bare.heights[0].proof_len;
    refuses(&s, "height 5: the proof of what was ordered does not lead to its release");
}

/* ---- releases ---- */

static void test_heights_beside_their_releases(void **state)
{
    (void)state;
    struct story s;
    honest(&s, 7);
    told_of(&s, 6)->time_ms++;
    refuses(&s, "height 6: its time is not that of its release");
    honest(&s, 7);
    told_of(&s, 6)->block[31] ^= 1;
    refuses(&s, "height 6: its block is not that of its release");
    honest(&s, 7);
    memmove(&s.heights[1], &s.heights[2], 2 * sizeof *s.heights); /* a gap */
    s.count = 3;
    struct slu_heights heights = {.expected = 6};
    Slu__Client__Height part = height_message(&s, &s.heights[1]);
    assert_int_equal(slu_heights_add(&heights, &part), SLU_ERR_MALFORMED);
    assert_string_equal(heights.why, "height 7 came where 6 was due");
    slu_heights_free(&heights);
    honest(&s, 7);
    s.certificate_len = 0; /* a run that never ends */
    refuses(&s, "height 5: it came without a certified release");
    certify_run(&s, 0, 2);
    refuses(&s, "height 8: it came without a certified release");
}

static void test_chain_of_releases(void **state)
{
    (void)state;
    struct story s;
    honest(&s, 7); /* below the certified one, another release */
    s.heights[1].release.state[0] ^= 1;
    slu_release_digest(&s.heights[1].release, genesis.chain_id);
    certify_run(&s, 0, 3);
    refuses(&s, "height 7: its release does not follow that of height 6");
    honest(&s, 7); /* the certified one */
    s.heights[3].release.previous[0] ^= 1;
    slu_release_digest(&s.heights[3].release, genesis.chain_id);
    certify_run(&s, 0, 3);
    refuses(&s, "height 8: its release does not follow that of height 7");
    honest(&s, 7); /* a gap */
    memmove(s.releases + SLU_RELEASE_BYTES, s.releases + 2 * SLU_RELEASE_BYTES, SLU_RELEASE_BYTES);
    s.releases_len -= SLU_RELEASE_BYTES;
    refuses(&s, "height 7: its release came where that of 6 was due");
    honest(&s, 7); /* not from where it is due */
    certify_run(&s, 1, 3);
    refuses(&s, "height 5: it was due, and the release of height 6 came");
    honest(&s, 7); /* time stands still */
    s.heights[2].time_ms = s.heights[1].time_ms;
    chain_story(&s, NULL);
    certify_run(&s, 0, 3);
    refuses(&s, "height 7: the time in its release is not above that of height 6");
    honest(&s, 7); /* half a release */
    s.releases_len -= 100;
    refuses(&s, "height 5: releases came that are none");
    s.releases_len = s.certificate_len = 0;
    refuses(&s, "height 5: releases came that are none");
    struct story first = {0}; /* below the first there is none */
    (void)tell_height(&first, 1);
    sign_story(&first, 7);
    char why[SLU_VERIFIER_WHY_BYTES];
    struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, 7, 0);
    assert_int_equal(read_story(v, &first, why), SLU_ERR_MISMATCH);
    assert_string_equal(why, "height 1: its release names one below the first");
    static const uint8_t zero32[32];
    chain_story(&first, zero32);
    certify_run(&first, 0, 0);
    assert_int_equal(read_story(v, &first, why), 0);
    slu_feed_verifier_free(v);
}

/* After 5 to 8 were read, from wherever: 9 must name the release of 8. */
static void test_after_a_change_of_server(void **state)
{
    (void)state;
    struct story s, next = {0}, old;
    char why[SLU_VERIFIER_WHY_BYTES];
    struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, 7, FIRST);
    honest(&s, 7);
    assert_int_equal(read_story(v, &s, why), 0);
    (void)tell_height(&next, 9);
    sign_story(&next, 7);
    slu_feed_verifier_restart(v);
    assert_int_equal(read_story(v, &next, why), SLU_ERR_MISMATCH);
    assert_string_equal(why, "height 9: its release does not follow that of height 8");
    assert_int_equal(read_story(v, &s, why), SLU_ERR_MISMATCH); /* the same ones again */
    assert_string_equal(why, "height 9: it was due, and the release of height 5 came");
    old = s;
    old.releases_len = 0; /* an older certificate alone */
    assert_int_equal(read_story(v, &old, why), SLU_ERR_MISMATCH);
    assert_string_equal(why, "height 9: it was due, and an old certificate came, of height 8");
    chain_story(&next, s.heights[3].release.digest);
    certify_run(&next, 0, 0);
    assert_int_equal(read_story(v, &next, why), 0);
    slu_feed_verifier_free(v);
    /* A run is read to its end before the next. */
    v = slu_feed_verifier_new(&genesis, 7, FIRST);
    for (int i = 0; i < 2; i++)
        assert_int_equal(slu_feed_verifier_releases(v, s.releases, s.releases_len, s.certificate,
                                                    s.certificate_len, why),
                         i == 0 ? 0 : SLU_ERR_MISMATCH);
    assert_string_equal(why, "height 5: it was due, and other releases came");
    slu_feed_verifier_restart(v); /* the next server starts anew */
    assert_int_equal(read_story(v, &s, why), 0);
    slu_feed_verifier_free(v);
}

static void test_certificates(void **state)
{
    (void)state;
    struct story s;
    for (size_t byte = 0; byte < 64; byte += 9) {
        honest(&s, 7);
        s.cert.signers[1].signature[byte] ^= 1;
        write_certificate_of(&s);
        refuses(&s, "height 8: the signature of node 1 in its certificate is forged");
    }
    honest(&s, 7); /* one for another */
    memcpy(s.cert.signers[2].signature, s.cert.signers[1].signature, 64);
    write_certificate_of(&s);
    refuses(&s, "height 8: the signature of node 2 in its certificate is forged");
    honest(&s, 7); /* one twice */
    s.cert.signers[2] = s.cert.signers[1];
    write_certificate_of(&s);
    refuses(&s,
            "height 8: its certificate has a node's signature twice, out of order, or of no node");
    honest(&s, 7);
    s.cert.signers[2].node = COMMITTEE;
    write_certificate_of(&s);
    refuses(&s,
            "height 8: its certificate has a node's signature twice, out of order, or of no node");
    for (uint16_t count = 0; count <= 4; count++) {
        char words[SLU_VERIFIER_WHY_BYTES];
        honest(&s, 7);
        sign_release(&s.cert.signers[3], 3, &s.cert.release);
        s.cert.count = count;
        write_certificate_of(&s);
        snprintf(words, sizeof words,
                 "height 8: its certificate has %u signatures, a quorum's has 3", count);
        if (count == 3)
            passes(&s);
        else
            refuses(&s, words);
    }
    honest(&s, 7); /* cut, and with something behind it */
    s.certificate_len--;
    refuses(&s, "height 8: a certificate that is none");
    s.certificate_len += 2;
    refuses(&s, "height 8: a certificate that is none");
    s.certificate_len = 20;
    refuses(&s, "height 8: a certificate that is none");
    honest(&s, 7); /* of another release */
    s.cert.release.opened[0] ^= 1;
    write_certificate_of(&s);
    refuses(&s,
            "height 8: no signature of its certificate holds: it is of another chain, or made up");
}

/* The same committee on another chain orders the same entries. */
static void test_another_chain(void **state)
{
    (void)state;
    const struct slu_genesis here = genesis;
    struct story s;
    char why[200];
    strcpy(genesis.name, "elsewhere");
    assert_int_equal(slu_genesis_seal(&genesis, why, sizeof why), 0);
    honest(&s, 7);
    passes(&s);
    genesis = here;
    certify_run(&s, 3, 3); /* signatures of this chain, over digests of the other */
    s.certificate_len = 0;
    honest(&s, 7);
    struct story there = s;
    strcpy(genesis.name, "elsewhere");
    assert_int_equal(slu_genesis_seal(&genesis, why, sizeof why), 0);
    chain_story(&there, NULL);
    certify_run(&there, 0, 3);
    genesis = here;
    /* The releases chain by digests that this chain does not give ... */
    refuses(&there, "height 6: its release does not follow that of height 5");
    /* ... and one alone has the signatures of no node here. */
    there.releases_len = 0;
    struct slu_feed_verifier *v = slu_feed_verifier_new(&genesis, 7, 8);
    char words[SLU_VERIFIER_WHY_BYTES];
    assert_int_equal(
        slu_feed_verifier_releases(v, NULL, 0, there.certificate, there.certificate_len, words),
        SLU_ERR_MISMATCH);
    assert_string_equal(words, "height 8: no signature of its certificate holds: it is of another "
                               "chain, or made up");
    slu_feed_verifier_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_entries_of_a_rollup),
        cmocka_unit_test(test_entries_of_all),
        cmocka_unit_test(test_changed_entries),
        cmocka_unit_test(test_entries_that_are_none),
        cmocka_unit_test(test_openings),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_proofs),
        cmocka_unit_test(test_withheld_rollup),
        cmocka_unit_test(test_heights_beside_their_releases),
        cmocka_unit_test(test_chain_of_releases),
        cmocka_unit_test(test_after_a_change_of_server),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_another_chain),
    };
    return cmocka_run_group_tests(tests, make_committee, free_committee);
}
