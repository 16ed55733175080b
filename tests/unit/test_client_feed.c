/* sluice/feed.h and `sluice subscribe --genesis` against nodes that lie, withhold, stall or die:
 * each lie is said with its height and URL, what is shown before it is right, and with an honest
 * node beside it the stream is whole. */
#include "client/chain.h"
#include "client/feed_nodes.h"
#include "sluice/feed.h"
#include "tests/unit/teller.h"

#define WAIT_MS 60000u /* for what comes sooner or later */

static struct certified_key key;
static uint8_t sealed_id[32], envelope[4096];
static size_t envelope_len;
static struct slu_opening opening; /* of what is sealed, honest */

/* ---- the story: rollup 7 has entries at 1, 3 and 4, at 3 an opening ---- */

static int set_up_story(void **state)
{
    static uint8_t seed[64] = {9};
    static const char text[] = "opened";
    uint8_t *body = envelope + SLU_TX_HEAD_BYTES;
    size_t len;
    if (set_up(state) != 0)
        return -1;
    certify(&key, &genesis, 1, 2);
    if (slu_seal(body, sizeof envelope - SLU_TX_HEAD_BYTES, &len, &key.key, SLU_UNLOCK_HEIGHT, 3,
                 STORY_UNTIL, 7, (const uint8_t *)text, strlen(text), seed) != 0)
        return -1;
    struct slu_writer w = slu_writer_of(envelope, SLU_TX_HEAD_BYTES);
    slu_write_u64(&w, 0);
    slu_write_u64(&w, STORY_UNTIL);
    slu_write_u8(&w, SLU_TX_SEALED);
    slu_write_u32(&w, (uint32_t)len);
    envelope_len = SLU_TX_HEAD_BYTES + len;
    slu_tx_id_of(sealed_id, genesis.chain_id, envelope, envelope_len);
    opening = (struct slu_opening){.height = 1,
                                   .index = 2,
                                   .key_id32 = body + 2,
                                   .e16 = body + SLU_SEAL_HEAD_BYTES + 64,
                                   .z32 = body + SLU_SEAL_HEAD_BYTES + 80,
                                   .rho32 = seed,
                                   .unlock_kind = SLU_UNLOCK_HEIGHT,
                                   .unlock = 3,
                                   .valid_until_ms = STORY_UNTIL,
                                   .payload = (const uint8_t *)text,
                                   .payload_len = sizeof text - 1};
    return 0;
}

static void tell_story(struct story *s)
{
    static const uint8_t void_id[32] = {0x70};
    struct told *told = tell_height(s, 1);
    tell_plain(told, 0, 7, "first");
    tell_plain(told, 1, 7, "second");
    tell_envelope(told, 2, 0, SLU_TX_SEALED, SLU_TX_SEALED, envelope + SLU_TX_HEAD_BYTES,
                  envelope_len - SLU_TX_HEAD_BYTES);
    tell_plain(tell_height(s, 2), 0, 9, "of another rollup");
    told = tell_height(s, 3);
    tell_opening(told, 0, 7, sealed_id, &opening);
    tell_void_of(told, 1, void_id, SLU_VOID_SEED, 1, 9);
    tell_envelope(tell_height(s, 4), 0, 7, SLU_TX_PLAIN, SLU_TX_PLAIN | SLU_ENTRY_FORCED, "forced",
                  6);
}

/* An honest node, whose newest height is `age_ms` old. */
static void honest_node(struct teller *t, uint64_t rollup, uint64_t age_ms)
{
    static const uint8_t zero32[32];
    *t = (struct teller){.keys = {&key}};
    t->story.epoch_ms = wall_ms() - age_ms - 40000;
    tell_story(&t->story);
    sign_story(&t->story, rollup);
    chain_story(&t->story, zero32);
    certify_run(&t->story, 0, 3);
}

/* The same stream, not another one with other times. */
static void honest_too(struct teller *t, const struct teller *other)
{
    *t = (struct teller){.keys = {&key}, .story = other->story};
}

static struct told *at(struct teller *t, uint64_t height)
{
    return &t->story.heights[height - 1];
}

/* ---- the command ---- */

static int subscribe_with(const char *max_age, const char *urls, const char *rollup, const char *to)
{
    int code = run(slu_command_subscribe, "subscribe", "--node", urls, "--rollup", rollup, "--from",
                   "1", "--genesis", genesis_path, "--give-up", "20", "--all", "--max-age", max_age,
                   to ? "--to" : NULL, to, NULL);
    check_text();
    return code;
}

/* Nobody is stale before a busy machine has come to it. */
static int subscribe(const char *urls, const char *rollup, const char *to)
{
    return subscribe_with("60", urls, rollup, to);
}

static void prints_up_to(uint64_t last)
{
    for (uint64_t height = 1; height <= 4; height++) {
        char words[64];
        snprintf(words, sizeof words, "{\"height\":%llu,\"time_ms\"", (unsigned long long)height);
        assert_int_equal(lines_with(words), height <= last);
    }
}

/* A lie at `height`: alone it ends the stream with 3; with an honest node beside it the stream is
 * the same as from that one alone. */
static void is_caught_after(uint64_t printed, struct teller *liar, const struct teller *truth,
                            uint64_t height, const char *words)
{
    static char whole[sizeof output];
    struct teller second;
    const char *rollup = liar->story.rollup ? "7" : "0";
    char urls[300], complaint[512];
    honest_too(&second, truth);
    const char *url = open_door(liar);
    snprintf(complaint, sizeof complaint, "sluice subscribe: %s: a lie: height %llu%s\n", url,
             (unsigned long long)height, words);
    assert_int_equal(subscribe(url, rollup, "4"), 3);
    complains(complaint);
    assert_string_equal(complaints, complaint); /* one line, and no other */
    prints_up_to(printed);
    snprintf(urls, sizeof urls, "%s,%s", url, open_door(&second));
    assert_int_equal(subscribe(urls, rollup, "4"), 0);
    assert_string_equal(complaints, complaint);
    prints_up_to(4);
    strcpy(whole, output);
    assert_int_equal(subscribe(strchr(urls, ',') + 1, rollup, "4"), 0);
    assert_string_equal(output, whole);
    assert_string_equal(complaints, "");
    stub_close(&liar->door);
    stub_close(&second.door);
}

static void is_caught(struct teller *liar, const struct teller *truth, uint64_t height,
                      const char *words)
{
    is_caught_after(height - 1, liar, truth, height, words);
}

static size_t length_of(const struct told *told, uint32_t entry)
{
    struct slu_reader r = slu_reader_of(told->bytes, told->len);
    struct slu_entry e;
    for (uint32_t i = 0; i <= entry; i++)
        assert_true(slu_entry_next(&r, &e));
    return (size_t)(r.at - told->bytes);
}

static void test_lies(void **state)
{
    (void)state;
    struct teller truth, liar;
    struct told *told, other;
    honest_node(&truth, 7, 0);
    honest_too(&liar, &truth); /* a dropped transaction */
    told = at(&liar, 1);
    told->len = length_of(told, 0);
    told->count = 1;
    is_caught(&liar, &truth, 1, ": 1 entries of rollup 7 are shown, 2 were ordered");
    honest_too(&liar, &truth); /* a swapped pair */
    told = at(&liar, 1);
    told->len = told->count = 0;
    tell_plain(told, 0, 7, "second");
    tell_plain(told, 1, 7, "first");
    is_caught(&liar, &truth, 1,
              ": its entries are not those that were ordered, or not in this order");
    honest_too(&liar, &truth); /* another payload */
    at(&liar, 4)->bytes[SLU_ENTRY_HEAD_BYTES] ^= 1;
    is_caught(&liar, &truth, 4, ": entry 0: its id is not that of what is shown");
    honest_too(&liar, &truth); /* a forged signature */
    liar.story.cert.signers[1].signature[5] ^= 1;
    write_certificate_of(&liar.story);
    is_caught_after(0, &liar, &truth, 4, ": the signature of node 1 in its certificate is forged");
    honest_too(&liar, &truth); /* a gap */
    memmove(&liar.story.heights[1], &liar.story.heights[2], 2 * sizeof *liar.story.heights);
    liar.story.count = 3;
    is_caught_after(1, &liar, &truth, 3, " came where 2 was due");
    honest_too(&liar, &truth); /* a wrong proof: that of another height */
    memcpy(at(&liar, 2)->proof, at(&liar, 4)->proof, sizeof other.proof);
    at(&liar, 2)->proof_len = at(&liar, 4)->proof_len;
    is_caught(&liar, &truth, 2, ": the proof of what was ordered does not lead to its release");
    honest_too(&liar, &truth); /* a withheld rollup */
    at(&liar, 4)->len = at(&liar, 4)->count = 0;
    is_caught(&liar, &truth, 4, ": 0 entries of rollup 7 are shown, 1 were ordered");
    honest_too(&liar, &truth); /* heights, and no releases */
    liar.story.certificate_len = 0;
    is_caught(&liar, &truth, 1, ": it came without a certified release");
}

static void test_lies_about_openings(void **state)
{
    (void)state;
    struct teller truth, liar;
    struct slu_opening other = opening;
    static const uint8_t void_id[32] = {0x70};
    for (int all = 0; all < 2; all++) {
        honest_node(&truth, all ? 0 : 7, 0);
        honest_too(&liar, &truth); /* a void one shown open */
        struct told *told = at(&liar, 3);
        told->len = told->count = 0;
        tell_opening(told, 0, 7, sealed_id, &opening);
        tell_opening(told, 1, 7, void_id, &opening);
        is_caught(&liar, &truth, 3,
                  all ? ": all entries together are not those that were opened: left out, added, "
                        "moved or changed"
                      : ": 2 entries of rollup 7 are shown, 1 were opened");
    }
    /* A quorum signed what was not sealed: the reader seals it again. */
    honest_node(&truth, 7, 0);
    honest_too(&liar, &truth);
    other.payload = (const uint8_t *)"obened";
    at(&liar, 3)->len = at(&liar, 3)->count = 0;
    tell_opening(at(&liar, 3), 0, 7, sealed_id, &other);
    static const uint8_t zero32[32];
    prove_told(at(&liar, 3), 7);
    chain_story(&liar.story, zero32);
    certify_run(&liar.story, 0, 3);
    char words[160], hex[65];
    slu_hex_encode(hex, sealed_id, 32);
    snprintf(words, sizeof words, ", entry 0, opening of %s: this is not what was sealed", hex);
    const char *url = open_door(&liar);
    assert_int_equal(subscribe(url, "7", "4"), 3);
    complains(words);
    stub_close(&liar.door);
}

/* The same committee on another chain: the node says that it is of this one. */
static void test_certificate_of_another_chain(void **state)
{
    (void)state;
    const struct slu_genesis here = genesis;
    struct teller truth, liar;
    honest_node(&truth, 7, 0);
    genesis = foreign;
    honest_node(&liar, 7, 0);
    certify_run(&liar.story, 0, 0);
    genesis = here;
    is_caught(&liar, &truth, 1,
              ": no signature of its certificate holds: it is of another chain, or made up");
}

/* ---- what is old ---- */

static void test_stale_head(void **state)
{
    (void)state;
    struct teller old, live, both;
    char urls[300], words[300];
    honest_node(&old, 7, 60000);
    const char *url = open_door(&old);
    /* All of it is true, and then nothing comes. */
    assert_int_equal(subscribe_with("1", url, "7", NULL), 3);
    snprintf(words, sizeof words,
             "sluice subscribe: %s: stale: it shows nothing newer than height 4, of 6", url);
    assert_memory_equal(complaints, words, strlen(words));
    prints_up_to(4);
    assert_int_equal(subscribe(url, "7", "4"), 0); /* who wants no more does not wait */
    /* It holds back 3 and 4, which another one has. */
    honest_node(&live, 7, 0);
    honest_too(&both, &live);
    stub_close(&old.door);
    honest_too(&old, &live);
    old.story.count = 2;
    certify_run(&old.story, 0, 1);
    url = open_door(&old);
    snprintf(urls, sizeof urls, "%s,%s", url, open_door(&both));
    assert_int_equal(subscribe_with("3", urls, "7", "4"), 0);
    prints_up_to(4);
    snprintf(words, sizeof words,
             "sluice subscribe: %s: stale: it shows nothing newer than height 2, of 2", url);
    assert_memory_equal(complaints, words, strlen(words));
    stub_close(&old.door);
    old.door = (struct stub_door){0};
    old.hang_up_at = 1; /* it answers, and never says anything */
    url = open_door(&old);
    assert_int_equal(subscribe_with("1", url, "7", NULL), 3);
    complains("stale: it shows no height");
    stub_close(&old.door);
    stub_close(&both.door);
}

static struct slu_feed_nodes two_nodes(uint64_t max_age_ms)
{
    struct slu_feed_nodes nodes = {.max_age_ms = max_age_ms};
    assert_int_equal(slu_urls_add(&nodes.urls, "a:1", 3), 0);
    assert_int_equal(slu_urls_add(&nodes.urls, "b:1", 3), 0);
    return nodes;
}

/* What it lets its reader wait in all; not how old what it shows is while it comes. */
static void test_patience(void **state)
{
    (void)state;
    struct slu_feed_nodes nodes = two_nodes(10000);
    uint64_t now = 1000000, newest = 100000;
    slu_feed_nodes_showed(&nodes, newest, now);
    for (int i = 0; i < 900; i++) { /* it catches up, three times as fast as time goes */
        slu_feed_nodes_waited(&nodes, 100);
        assert_true(slu_feed_nodes_patience(&nodes, now += 100) > 0);
        slu_feed_nodes_showed(&nodes, newest += 300, now);
    }
    for (int i = 0; i < 400; i++) { /* it stays where it is, behind */
        assert_true(slu_feed_nodes_patience(&nodes, now) > 0 || i > 190);
        slu_feed_nodes_waited(&nodes, 100);
        slu_feed_nodes_showed(&nodes, newest += 100, now += 100);
    }
    assert_int_equal(slu_feed_nodes_patience(&nodes, now), 0);
    slu_feed_nodes_mark(&nodes, SLU_NODE_STALE);
    assert_int_equal(slu_feed_nodes_good(&nodes), 1);
    assert_true(slu_feed_nodes_next(&nodes));
    assert_int_equal(nodes.urls.current, 1);
    assert_true(slu_feed_nodes_next(&nodes));
    assert_int_equal(nodes.urls.current, 1);
    slu_feed_nodes_showed(&nodes, now - 9999, now); /* young: all start anew */
    assert_int_equal(slu_feed_nodes_good(&nodes), 2);
    assert_int_equal(slu_feed_nodes_patience(&nodes, now), 10000);
    assert_true(slu_feed_nodes_next(&nodes));
    assert_int_equal(slu_feed_nodes_patience(&nodes, now), 10000);
    slu_feed_nodes_waited(&nodes, 10000);
    assert_int_equal(slu_feed_nodes_patience(&nodes, now), 1); /* what it showed is young still */
    assert_int_equal(slu_feed_nodes_patience(&nodes, now + 1), 0);
    slu_feed_nodes_mark(&nodes, SLU_NODE_LIAR); /* for ever */
    assert_true(slu_feed_nodes_next(&nodes));
    slu_feed_nodes_showed(&nodes, now, now);
    assert_int_equal(slu_feed_nodes_good(&nodes), 1);
    slu_feed_nodes_mark(&nodes, SLU_NODE_FOREIGN);
    assert_false(slu_feed_nodes_next(&nodes));
}

/* ---- the library ---- */

struct troubles {
    uint32_t count;
    char last[600];
};

static void on_trouble(void *context, const char *url, const char *why)
{
    struct troubles *t = context;
    t->count++;
    snprintf(t->last, sizeof t->last, "%s: %s", url, why);
}

static struct slu_chain *chain;

static struct slu_feed *open_feed(const char *const *urls, size_t count,
                                  struct slu_feed_options options, struct troubles *troubles)
{
    struct slu_feed *feed;
    char why[256];
    *troubles = (struct troubles){0};
    options.on_trouble = on_trouble;
    options.context = troubles;
    assert_int_equal(slu_feed_open(&feed, chain, urls, count, &options, why, sizeof why), 0);
    return feed;
}

static void test_what_a_program_gets(void **state)
{
    (void)state;
    struct teller node;
    struct troubles troubles;
    const struct slu_feed_height *height;
    honest_node(&node, 7, 0);
    const char *url = open_door(&node);
    struct slu_feed *feed =
        open_feed(&url, 1, (struct slu_feed_options){.rollup = 7, .from = 1, .to = 4}, &troubles);
    static const size_t counts[] = {2, 0, 1, 1};
    for (uint64_t h = 1; h <= 4; h++) {
        assert_int_equal(slu_feed_next(feed, &height, WAIT_MS), 0);
        assert_int_equal(height->height, h);
        assert_int_equal(height->time_ms, node.story.epoch_ms + h * 10000);
        assert_int_equal(height->count, counts[h - 1]);
        assert_memory_equal(height->release, at(&node, h)->release.digest, 32);
        assert_memory_equal(height->block, at(&node, h)->block, 32);
        for (size_t i = 0; i < height->count; i++)
            assert_int_equal(height->entries[i].rollup, 7);
        const struct slu_feed_entry *entry = &height->entries[0];
        if (h == 1) {
            assert_int_equal(entry[1].kind, SLU_FEED_PLAIN);
            assert_int_equal(entry[1].index, 1);
            assert_int_equal(entry[1].payload_len, 6);
            assert_memory_equal(entry[1].payload, "second", 6);
            assert_int_equal(entry[1].valid_until_ms, STORY_UNTIL);
            assert_int_equal(entry[1].ordered_height, 1);
            assert_false(entry[1].forced);
        } else if (h == 3) {
            assert_int_equal(entry->kind, SLU_FEED_OPENED);
            assert_memory_equal(entry->payload, "opened", 6);
            assert_int_equal(entry->payload_len, 6);
            assert_int_equal(entry->ordered_height, 1);
            assert_int_equal(entry->ordered_index, 2);
            assert_memory_equal(entry->id, sealed_id, 32);
        } else if (h == 4) {
            assert_int_equal(entry->kind, SLU_FEED_PLAIN);
            assert_true(entry->forced);
        }
    }
    assert_int_equal(slu_feed_next(feed, &height, WAIT_MS), SLU_FEED_END);
    assert_int_equal(slu_feed_next(feed, &height, 0), SLU_FEED_END);
    slu_feed_close(feed);
    assert_int_equal(node.keys_asked, 1);
    assert_int_equal(troubles.count, 0);
    /* All rollups, openings not sealed again. */
    stub_close(&node.door);
    honest_node(&node, 0, 0);
    url = open_door(&node);
    feed = open_feed(&url, 1, (struct slu_feed_options){.from = 3, .to = 3, .trust_openings = true},
                     &troubles);
    assert_int_equal(slu_feed_next(feed, &height, WAIT_MS), 0);
    assert_int_equal(height->count, 2);
    assert_int_equal(height->entries[1].kind, SLU_FEED_VOID);
    assert_string_equal(height->entries[1].reason, "seed");
    assert_int_equal(height->entries[1].payload_len, 0);
    assert_int_equal(height->entries[1].ordered_index, 9);
    assert_int_equal(node.keys_asked, 0);
    slu_feed_close(feed);
    stub_close(&node.door);
}

/* Reads to the first error, and gives it. */
static int read_all(struct slu_feed *feed, uint64_t *heights)
{
    const struct slu_feed_height *height;
    int rc;
    for (*heights = 0; (rc = slu_feed_next(feed, &height, WAIT_MS)) == 0; (*heights)++)
        assert_int_equal(height->height, *heights + 1);
    return rc;
}

static void test_who_is_left(void **state)
{
    (void)state;
    struct teller liar, broken;
    struct troubles troubles;
    char texts[2][64]; /* the doors' own end with them */
    const char *const urls[2] = {texts[0], texts[1]};
    const struct slu_feed_options options = {
        .rollup = 7, .from = 1, .max_age_ms = 3000, .give_up_ms = 300};
    uint64_t heights;
    honest_node(&broken, 7, 5000);
    honest_too(&liar, &broken);
    at(&liar, 2)->block[0] ^= 1;
    broken.hang_up_at = 4;
    strcpy(texts[0], open_door(&liar));
    strcpy(texts[1], open_door(&broken));
    /* The liar is asked once; the other one again and again, until it is stale. */
    struct slu_feed *feed = open_feed(urls, 2, options, &troubles);
    assert_int_equal(read_all(feed, &heights), SLU_ERR_LIE);
    assert_int_equal(heights, 3);
    assert_int_equal(liar.streams, 1);
    assert_true(broken.streams > 2);
    assert_non_null(strstr(slu_feed_why(feed), "stale: it shows nothing newer than height 3, of "));
    assert_non_null(strstr(slu_feed_why(feed), urls[1]));
    assert_string_equal(slu_feed_why(feed), troubles.last);
    assert_int_equal(read_all(feed, &heights), SLU_ERR_LIE); /* and still */
    assert_int_equal(liar.streams, 1);
    slu_feed_close(feed);
    /* The other one is dead: the lie is what is left to say. */
    stub_close(&broken.door);
    feed = open_feed(urls, 2, options, &troubles);
    assert_int_equal(read_all(feed, &heights), SLU_ERR_LIE);
    assert_int_equal(heights, 1);
    assert_non_null(
        strstr(slu_feed_why(feed), "a lie: height 2: its block is not that of its release"));
    assert_non_null(strstr(slu_feed_why(feed), urls[0]));
    slu_feed_close(feed);
    /* Nobody answers at all. */
    stub_close(&liar.door);
    feed = open_feed(urls, 2, options, &troubles);
    assert_int_equal(read_all(feed, &heights), SLU_ERR_CLOSED);
    slu_feed_close(feed);
}

static void test_who_cannot_help(void **state)
{
    (void)state;
    struct teller a, b;
    struct troubles troubles;
    const char *urls[2];
    uint64_t heights;
    const struct slu_feed_options options = {.rollup = 7, .from = 1, .give_up_ms = 300};
    honest_node(&a, 7, 0);
    honest_too(&b, &a);
    a.lowest = 2;
    b.lowest = 3;
    urls[0] = open_door(&a);
    urls[1] = open_door(&b);
    struct slu_feed *feed = open_feed(urls, 2, options, &troubles);
    assert_int_equal(read_all(feed, &heights), SLU_ERR_NOT_FOUND);
    assert_int_equal(troubles.count, 2);
    assert_non_null(strstr(slu_feed_why(feed), "height 1 is no longer retained; the lowest is 3"));
    slu_feed_close(feed);
    stub_close(&a.door);
    stub_close(&b.door);
    urls[0] = open_door_of(&a, foreign.chain_id);
    feed = open_feed(urls, 1, options, &troubles);
    assert_int_equal(read_all(feed, &heights), SLU_ERR_MISMATCH);
    assert_non_null(strstr(slu_feed_why(feed), "a node of another chain"));
    assert_int_equal(a.streams, 1);
    slu_feed_close(feed);
    stub_close(&a.door);
}

/* It goes silent with a height half told; another one tells it whole, once. */
static void test_a_node_that_stalls(void **state)
{
    (void)state;
    struct teller a, b;
    struct troubles troubles;
    const char *urls[2];
    uint64_t heights;
    honest_node(&a, 7, 0);
    honest_too(&b, &a);
    a.story.count = 2;
    certify_run(&a.story, 0, 1);
    urls[0] = open_door(&a);
    urls[1] = open_door(&b);
    struct slu_feed *feed = open_feed(
        urls, 2, (struct slu_feed_options){.rollup = 7, .from = 1, .to = 4, .stall_ms = 2500},
        &troubles);
    const struct slu_feed_height *height;
    for (heights = 0; heights < 2; heights++)
        assert_int_equal(slu_feed_next(feed, &height, WAIT_MS), 0);
    assert_int_equal(slu_feed_next(feed, &height, 50), SLU_ERR_TIMEOUT);
    assert_int_equal(slu_feed_next(feed, &height, WAIT_MS), 0);
    assert_int_equal(height->height, 3);
    assert_int_equal(troubles.count, 1);
    assert_non_null(strstr(troubles.last, "no height came in time"));
    assert_int_equal(slu_feed_next(feed, &height, WAIT_MS), 0);
    assert_int_equal(slu_feed_next(feed, &height, WAIT_MS), SLU_FEED_END);
    slu_feed_close(feed);
    stub_close(&a.door);
    stub_close(&b.door);
}

static void test_configuration(void **state)
{
    (void)state;
    struct slu_feed *feed;
    char why[256];
    const char *many[65], *none[] = {""};
    for (int i = 0; i < 65; i++)
        many[i] = "127.0.0.1:1";
    assert_int_equal(slu_feed_open(&feed, chain, many, 65, NULL, why, sizeof why), SLU_ERR_CONFIG);
    assert_int_equal(slu_feed_open(&feed, chain, many, 0, NULL, why, sizeof why), SLU_ERR_CONFIG);
    assert_string_equal(why, "no URL");
    assert_int_equal(slu_feed_open(&feed, chain, none, 1, NULL, why, sizeof why), SLU_ERR_CONFIG);
    assert_int_equal(slu_feed_open(&feed, chain, many, 1,
                                   &(struct slu_feed_options){.from = 3, .to = 2}, why, sizeof why),
                     SLU_ERR_CONFIG);
    assert_int_equal(slu_feed_open(&feed, chain, many, 1,
                                   &(struct slu_feed_options){.rollup = UINT64_MAX}, why,
                                   sizeof why),
                     SLU_ERR_CONFIG);
    assert_int_equal(slu_feed_open(&feed, chain, many, 64, NULL, why, sizeof why), 0);
    slu_feed_close(feed);
    slu_feed_close(NULL);
}

static int load_chain(void **state)
{
    char why[256];
    return set_up_story(state) || slu_chain_load(&chain, genesis_path, why, sizeof why);
}

static int free_chain(void **state)
{
    slu_chain_free(chain);
    return tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_lies_about_openings),
        cmocka_unit_test(test_certificate_of_another_chain),
        cmocka_unit_test(test_stale_head),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_what_a_program_gets),
        cmocka_unit_test(test_who_is_left),
        cmocka_unit_test(test_who_cannot_help),
        cmocka_unit_test(test_a_node_that_stalls),
        cmocka_unit_test(test_configuration),
    };
    return cmocka_run_group_tests(tests, load_chain, free_chain);
}
