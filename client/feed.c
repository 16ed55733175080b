#include "client/feed.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/chain.h"
#include "client/feed_height.h"
#include "client/feed_nodes.h"
#include "client/openings.h"
#include "client/session.h"
#include "client/verifier.h"
#include "sluice/error.h"

#define PAUSE_MS         100u  /* between two connections */
#define FIRST_GIVE_UP_MS 2000u /* until the first connection; typing errors should show soon */
#define WORDS_BYTES      352u  /* what is wrong */
#define WHY_BYTES        (WORDS_BYTES + 160u) /* and the URL */

_Static_assert(SLU_FEED_URLS_MAX == SLU_URLS_MAX, "as many");

struct slu_feed {
    const struct slu_genesis *genesis; /* NULL: it believes */
    struct slu_feed_options options;   /* with the defaults in place */
    struct slu_feed_nodes nodes;
    struct slu_session *session; /* NULL: none */
    uint64_t request_id;
    struct slu_heights heights;
    struct slu_feed_verifier *verifier; /* NULL: it believes */
    struct slu_openings openings;
    const struct slu_release *release; /* of the height; NULL: it believes */
    uint8_t chain_id[32];
    bool has_chain, connected;
    size_t faults;      /* connections in a row that broke rules which a lie would not ... */
    size_t refused;     /* ... or answered below_retention; a height ends both rows */
    uint64_t silent_ms; /* the node has said nothing for so long */
    uint64_t down_ms;   /* since when no node answers; 0: one did */
    char why[WHY_BYTES], lie[WHY_BYTES];
    struct slu_feed_made made;
    bool held; /* the height is whole, but could not be made */
};

/* ---- opening ---- */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

static int take_options(struct slu_feed *feed, const struct slu_feed_options *options, char *why,
                        size_t why_cap)
{
    struct slu_feed_options *o = &feed->options;
    if (options)
        *o = *options;
    o->stall_ms = or_default(o->stall_ms, 5000);
    o->connect_ms = or_default(o->connect_ms, SLU_CONNECT_MS);
    o->give_up_ms = or_default(o->give_up_ms, 30000);
    o->max_age_ms = or_default(o->max_age_ms, 10000);
    bool any_age = !feed->genesis || o->max_age_ms == SLU_FEED_ANY_AGE;
    feed->nodes.max_age_ms = any_age ? UINT64_MAX : o->max_age_ms;
    feed->heights.expected = o->from;
    if (o->rollup <= SLU_ROLLUP_ID_MAX && (o->to == 0 || o->from <= o->to))
        return SLU_OK;
    snprintf(why, why_cap, "no such rollup, or the first height is above the last");
    return SLU_ERR_CONFIG;
}

static int take_urls(struct slu_feed *feed, const char *const *urls, size_t url_count, char *why,
                     size_t why_cap)
{
    for (size_t i = 0; i < url_count; i++)
        if (slu_urls_add(&feed->nodes.urls, urls[i], strlen(urls[i]))) {
            snprintf(why, why_cap, "%s: an empty, too long or one too many URL", urls[i]);
            return SLU_ERR_CONFIG;
        }
    if (url_count > 0)
        return SLU_OK;
    snprintf(why, why_cap, "no URL");
    return SLU_ERR_CONFIG;
}

/* A feed that checks; the other one needs no verifier. */
static int prepare(struct slu_feed *feed, char *why, size_t why_cap)
{
    if (!feed->genesis)
        return SLU_OK;
    feed->openings.genesis = feed->genesis;
    feed->heights.bound = slu_height_bound(feed->genesis);
    memcpy(feed->chain_id, feed->genesis->chain_id, 32);
    feed->has_chain = true;
    feed->verifier = slu_feed_verifier_new(feed->genesis, feed->options.rollup, feed->options.from);
    if (feed->verifier)
        return SLU_OK;
    snprintf(why, why_cap, "%s", slu_strerror(SLU_ERR_MEMORY));
    return SLU_ERR_MEMORY;
}

int slu_feed_new(struct slu_feed **out, const struct slu_genesis *genesis, const char *const *urls,
                 size_t url_count, const struct slu_feed_options *options, char *why,
                 size_t why_cap)
{
    struct slu_feed *feed = sodium_init() < 0 ? NULL : calloc(1, sizeof *feed);
    if (!feed) {
        snprintf(why, why_cap, "%s", slu_strerror(SLU_ERR_MEMORY));
        return SLU_ERR_MEMORY;
    }
    feed->genesis = genesis;
    int rc = take_options(feed, options, why, why_cap);
    if (!rc)
        rc = take_urls(feed, urls, url_count, why, why_cap);
    if (!rc)
        rc = prepare(feed, why, why_cap);
    if (rc) {
        slu_feed_close(feed);
        return rc;
    }
    *out = feed;
    return SLU_OK;
}

void slu_feed_close(struct slu_feed *feed)
{
    if (!feed)
        return;
    slu_session_close(feed->session);
    slu_feed_verifier_free(feed->verifier);
    slu_heights_free(&feed->heights);
    slu_openings_forget(&feed->openings);
    free(feed->made.entries);
    free(feed);
}

int slu_feed_open(struct slu_feed **feed, const struct slu_chain *chain, const char *const *urls,
                  size_t url_count, const struct slu_feed_options *options, char *why,
                  size_t why_cap)
{
    return slu_feed_new(feed, &chain->genesis, urls, url_count, options, why, why_cap);
}

const char *slu_feed_why(const struct slu_feed *feed)
{
    return feed->why;
}

const struct slu_heights *slu_feed_heights(const struct slu_feed *feed)
{
    return &feed->heights;
}

const uint8_t *slu_feed_chain_id32(const struct slu_feed *feed)
{
    return feed->chain_id;
}

/* ---- leaving a node ---- */

/* What a reply comes to. */
enum turn {
    GO_ON,  /* more must come */
    WHOLE,  /* a height is there */
    LEAVE,  /* the node is done with; it has been said why */
    FAILED, /* so is the feed: `rc` */
    ENDED,  /* `to` was given */
};

struct reading {
    struct slu_feed *feed;
    int rc; /* with FAILED */
};

/* Says why the node is left. */
static enum turn leave(struct slu_feed *feed, const char *words)
{
    const char *url = slu_feed_nodes_url(&feed->nodes);
    snprintf(feed->why, sizeof feed->why, "%s: %.*s", url, (int)sizeof feed->why / 2, words);
    if (feed->options.on_trouble)
        feed->options.on_trouble(feed->options.context, url, words);
    return LEAVE;
}

/* For good, or until others have shown something young. */
static enum turn leave_as(struct slu_feed *feed, enum slu_standing standing, const char *words)
{
    slu_feed_nodes_mark(&feed->nodes, standing);
    enum turn turn = leave(feed, words);
    if (standing != SLU_NODE_FOREIGN)
        memcpy(feed->lie, feed->why, sizeof feed->lie);
    return turn;
}

static enum turn leave_liar(struct slu_feed *feed, const char *words)
{
    char lie[WORDS_BYTES];
    snprintf(lie, sizeof lie, "a lie: %s", words);
    return leave_as(feed, SLU_NODE_LIAR, lie);
}

static enum turn leave_stale(struct slu_feed *feed)
{
    char words[160];
    uint64_t now_ms = slu_clock_ms(), newest_ms = feed->nodes.newest_ms;
    if (newest_ms == 0)
        snprintf(words, sizeof words, "stale: it shows no height");
    else
        snprintf(words, sizeof words,
                 "stale: it shows nothing newer than height %llu, of %llu ms ago",
                 (unsigned long long)feed->heights.expected - 1,
                 (unsigned long long)(now_ms > newest_ms ? now_ms - newest_ms : 0));
    return leave_as(feed, SLU_NODE_STALE, words);
}

/* The node broke, or breaks a rule without lying: the same may be whole elsewhere, or later. */
static enum turn leave_fault(struct reading *reading, int rc, const char *words)
{
    struct slu_feed *feed = reading->feed;
    reading->rc = rc == SLU_ERR_MEMORY ? rc : SLU_ERR_REFUSED;
    (void)leave(feed, words);
    return rc == SLU_ERR_MEMORY || ++feed->faults > feed->nodes.urls.count ? FAILED : LEAVE;
}

static void hang_up(struct slu_feed *feed)
{
    slu_session_close(feed->session);
    feed->session = NULL;
    (void)slu_feed_nodes_next(&feed->nodes);
}

/* ---- replies ---- */

static enum turn on_releases(struct reading *reading, const Slu__Client__Releases *run)
{
    struct slu_feed *feed = reading->feed;
    char why[SLU_VERIFIER_WHY_BYTES];
    if (!feed->verifier)
        return leave(feed, "releases that nobody asked for");
    int rc = slu_feed_verifier_releases(feed->verifier, run->releases.data, run->releases.len,
                                        run->certificate.data, run->certificate.len, why);
    if (rc)
        return rc == SLU_ERR_MISMATCH ? leave_liar(feed, why) : leave_fault(reading, rc, why);
    return GO_ON;
}

/* A whole height against its release, and its openings. */
static enum turn verify(struct reading *reading, const Slu__Client__Height *last)
{
    struct slu_feed *feed = reading->feed;
    char why[SLU_VERIFIER_WHY_BYTES];
    int rc = slu_feed_verifier_height(feed->verifier, &feed->heights, last->proof.data,
                                      last->proof.len, why);
    if (!rc && !feed->options.trust_openings)
        rc = slu_openings_check(&feed->openings, &feed->heights, slu_feed_nodes_url(&feed->nodes),
                                why);
    if (rc) {
        slu_heights_again(&feed->heights);
        return rc == SLU_ERR_MISMATCH ? leave_liar(feed, why) : leave_fault(reading, rc, why);
    }
    feed->release = slu_feed_verifier_accept(feed->verifier);
    return WHOLE;
}

static enum turn on_height(struct reading *reading, const Slu__Client__Height *part)
{
    struct slu_feed *feed = reading->feed;
    int rc = slu_heights_add(&feed->heights, part);
    if (rc < 0 && (rc == SLU_ERR_MEMORY || !feed->verifier))
        return leave_fault(reading, rc, feed->heights.why);
    if (rc < 0)
        return leave_liar(feed, feed->heights.why);
    if (rc == 0)
        return GO_ON;
    enum turn turn = feed->verifier ? verify(reading, part) : WHOLE;
    if (turn == WHOLE) {
        slu_feed_nodes_showed(&feed->nodes, feed->heights.time_ms, slu_clock_ms());
        feed->faults = feed->refused = 0;
    }
    return turn;
}

static enum turn on_error(struct reading *reading, const Slu__Client__Error *error)
{
    struct slu_feed *feed = reading->feed;
    char words[WORDS_BYTES];
    snprintf(words, sizeof words, "%s: %s", error->code, error->text);
    if (!strcmp(error->code, "busy"))
        return leave(feed, words);
    if (strcmp(error->code, "below_retention"))
        return leave_fault(reading, SLU_ERR_REFUSED, words);
    snprintf(words, sizeof words, "height %llu is no longer retained; the lowest is %llu",
             (unsigned long long)feed->heights.expected, (unsigned long long)error->lowest_height);
    reading->rc = SLU_ERR_NOT_FOUND;
    (void)leave(feed, words);
    return ++feed->refused < slu_feed_nodes_good(&feed->nodes) ? LEAVE : FAILED;
}

static enum turn on_reply(struct reading *reading, const Slu__Client__Reply *reply)
{
    struct slu_feed *feed = reading->feed;
    switch (reply->body_case) {
    case SLU__CLIENT__REPLY__BODY_HEIGHT:
        return on_height(reading, reply->height);
    case SLU__CLIENT__REPLY__BODY_RELEASES:
        return on_releases(reading, reply->releases);
    case SLU__CLIENT__REPLY__BODY_ERROR:
        return on_error(reading, reply->error);
    case SLU__CLIENT__REPLY__BODY_END:
        return feed->options.to && feed->heights.expected > feed->options.to
                   ? ENDED
                   : leave(feed, "it ended the stream early");
    default:
        return leave(feed, "it answered something else");
    }
}

/* ---- a connection ---- */

static int subscribe(struct slu_feed *feed)
{
    Slu__Client__Subscribe subscribe = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    subscribe.rollup = feed->options.rollup;
    subscribe.from_height = feed->heights.expected;
    subscribe.to_height = feed->options.to;
    subscribe.every_height = true;
    subscribe.releases = feed->verifier != NULL;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &subscribe;
    slu_heights_restart(&feed->heights);
    if (feed->verifier)
        slu_feed_verifier_restart(feed->verifier);
    feed->silent_ms = 0;
    int rc = slu_session_send(feed->session, &request);
    feed->request_id = request.id;
    return rc;
}

/* All nodes must be of one chain: that of the genesis, or of the first. */
static bool is_of_chain(struct slu_feed *feed)
{
    const uint8_t *chain_id32 = slu_session_chain_id32(feed->session);
    if (feed->has_chain && memcmp(feed->chain_id, chain_id32, 32) != 0)
        return false;
    memcpy(feed->chain_id, chain_id32, 32);
    feed->has_chain = true;
    return true;
}

/* No node is left that could be asked, or none of them answers. */
static int none_left(struct slu_feed *feed, int otherwise)
{
    bool lied = slu_feed_nodes_any(&feed->nodes, SLU_NODE_LIAR) ||
                slu_feed_nodes_any(&feed->nodes, SLU_NODE_STALE);
    feed->down_ms = 0;
    if (!lied)
        return otherwise;
    memcpy(feed->why, feed->lie, sizeof feed->why);
    return SLU_ERR_LIE;
}

/* Tries the current node. LEAVE: it is not to be had now. */
static enum turn dial(struct slu_feed *feed)
{
    struct slu_session_config config = {.url = slu_feed_nodes_url(&feed->nodes),
                                        .timeout_ms = feed->options.connect_ms};
    if (slu_session_open(&feed->session, &config, feed->why, sizeof feed->why)) {
        feed->session = NULL;
        return LEAVE;
    }
    feed->connected = true;
    feed->down_ms = 0;
    if (is_of_chain(feed))
        return subscribe(feed) ? leave(feed, "it hung up") : GO_ON;
    return leave_as(feed, SLU_NODE_FOREIGN, "a node of another chain");
}

static void pause_ms(uint32_t ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* Finds a node that answers. */
static int connect_any(struct slu_feed *feed, uint64_t end_ms)
{
    const uint32_t give_up_ms = !feed->connected && feed->options.give_up_ms > FIRST_GIVE_UP_MS
                                    ? FIRST_GIVE_UP_MS
                                    : feed->options.give_up_ms;
    for (size_t tried = 0;; tried++) {
        size_t good = slu_feed_nodes_good(&feed->nodes);
        if (good == 0)
            return none_left(feed, SLU_ERR_MISMATCH);
        if (feed->down_ms == 0)
            feed->down_ms = slu_now_ms();
        if (feed->nodes.standing[feed->nodes.urls.current] != SLU_NODE_GOOD)
            (void)slu_feed_nodes_next(&feed->nodes);
        if (dial(feed) == GO_ON)
            return SLU_OK;
        hang_up(feed);
        if ((tried + 1) % good != 0)
            continue;
        if (feed->down_ms && slu_now_ms() - feed->down_ms >= give_up_ms)
            return none_left(feed, SLU_ERR_CLOSED);
        if (slu_now_ms() >= end_ms)
            return SLU_ERR_TIMEOUT;
        pause_ms(PAUSE_MS);
    }
}

/* How long to wait for the next reply: the node's patience may end, and it may have stalled. */
static uint32_t wait_for(const struct slu_feed *feed, uint64_t end_ms)
{
    uint64_t now_ms = slu_now_ms(), left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
    uint64_t patience_ms = slu_feed_nodes_patience(&feed->nodes, slu_clock_ms());
    if (slu_feed_nodes_good(&feed->nodes) > 1) {
        uint64_t stall_ms = feed->options.stall_ms;
        stall_ms = stall_ms > feed->silent_ms ? stall_ms - feed->silent_ms : 0;
        patience_ms = stall_ms < patience_ms ? stall_ms : patience_ms;
    }
    left_ms = patience_ms < left_ms ? patience_ms : left_ms;
    return left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
}

/* Nothing came: is that the node's fault? */
static enum turn on_silence(struct slu_feed *feed)
{
    if (slu_feed_nodes_patience(&feed->nodes, slu_clock_ms()) == 0)
        return leave_stale(feed);
    if (slu_feed_nodes_good(&feed->nodes) > 1 && feed->silent_ms >= feed->options.stall_ms)
        return leave(feed, "no height came in time");
    return GO_ON;
}

/* Waits for one reply, and takes it. */
static enum turn read_one(struct reading *reading, uint64_t end_ms)
{
    struct slu_feed *feed = reading->feed;
    Slu__Client__Reply *reply;
    uint64_t before_ms = slu_now_ms();
    int rc = slu_session_receive(feed->session, feed->request_id, &reply, wait_for(feed, end_ms));
    uint64_t waited_ms = slu_now_ms() - before_ms;
    slu_feed_nodes_waited(&feed->nodes, waited_ms);
    feed->silent_ms = rc ? feed->silent_ms + waited_ms : 0;
    if (rc == SLU_ERR_TIMEOUT)
        return on_silence(feed);
    if (rc) {
        char why[256] = "it hung up";
        slu_session_reason(feed->session, why, sizeof why);
        return slu_feed_nodes_patience(&feed->nodes, slu_clock_ms()) == 0 ? leave_stale(feed)
                                                                          : leave(feed, why);
    }
    enum turn turn = on_reply(reading, reply);
    slu_reply_free(reply);
    return turn == GO_ON && slu_feed_nodes_patience(&feed->nodes, slu_clock_ms()) == 0
               ? leave_stale(feed)
               : turn;
}

int slu_feed_step(struct slu_feed *feed, uint32_t timeout_ms)
{
    struct reading reading = {.feed = feed};
    const uint64_t end_ms = slu_now_ms() + timeout_ms;
    if (feed->options.to && feed->heights.expected > feed->options.to)
        return SLU_FEED_END;
    do {
        int rc = feed->session ? SLU_OK : connect_any(feed, end_ms);
        if (rc)
            return rc;
        switch (read_one(&reading, end_ms)) {
        case GO_ON:
            break;
        case WHOLE:
            return SLU_OK;
        case ENDED:
            return SLU_FEED_END;
        case LEAVE: /* the pause is a wait, too: one that always hangs up shows nothing, either */
            slu_feed_nodes_waited(&feed->nodes, PAUSE_MS);
            hang_up(feed);
            pause_ms(PAUSE_MS);
            break;
        case FAILED:
            hang_up(feed);
            feed->faults = feed->refused = 0;
            return reading.rc;
        }
    } while (slu_now_ms() < end_ms);
    return SLU_ERR_TIMEOUT;
}

int slu_feed_next(struct slu_feed *feed, const struct slu_feed_height **height, uint32_t timeout_ms)
{
    int rc = feed->held ? SLU_OK : slu_feed_step(feed, timeout_ms);
    if (rc)
        return rc;
    *height = &feed->made.height;
    rc = slu_feed_make(&feed->made, &feed->heights, feed->release->digest);
    feed->held = rc != 0;
    if (rc)
        snprintf(feed->why, sizeof feed->why, "%s", slu_strerror(rc));
    return rc;
}
