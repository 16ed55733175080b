#include "client/verifier.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lists.h"
#include "crypto/verify_keys.h"
#include "sluice/error.h"

#define RUN_MIN 64u /* releases that there is room for at first */

struct slu_feed_verifier {
    const struct slu_genesis *genesis;
    struct slu_verify_keys *keys;
    struct slu_lists *lists;
    uint64_t next;           /* height that is due; 0: any */
    bool has_last;           /* a height was accepted, ... */
    struct slu_release last; /* ... the release of the newest one */
    uint32_t count, at;      /* releases of the run, and which of them is due */
    uint32_t cap;
    bool certified; /* the run is; else more of it must come */
    struct slu_release_cert cert;
    struct slu_release *run;
};

struct slu_feed_verifier *slu_feed_verifier_new(const struct slu_genesis *genesis, uint64_t rollup,
                                                uint64_t from)
{
    uint8_t public32[SLU_NODES_MAX][32];
    struct slu_feed_verifier *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    for (uint16_t i = 0; i < genesis->n; i++)
        memcpy(public32[i], genesis->nodes[i].public32, 32);
    v->genesis = genesis;
    v->next = from;
    v->keys = slu_verify_keys_new((const uint8_t(*)[32])public32, genesis->n);
    v->lists = slu_lists_new(genesis->chain_id, rollup);
    if (v->keys && v->lists)
        return v;
    slu_feed_verifier_free(v);
    return NULL;
}

void slu_feed_verifier_free(struct slu_feed_verifier *v)
{
    if (!v)
        return;
    slu_verify_keys_free(v->keys);
    slu_lists_free(v->lists);
    free(v->run);
    free(v);
}

void slu_feed_verifier_restart(struct slu_feed_verifier *v)
{
    v->count = v->at = 0;
    v->certified = false;
}

__attribute__((format(printf, 3, 4))) static int refuse(char *why, uint64_t height,
                                                        const char *format, ...)
{
    va_list values;
    int put = snprintf(why, SLU_VERIFIER_WHY_BYTES, "height %llu: ", (unsigned long long)height);
    va_start(values, format);
    vsnprintf(why + put, SLU_VERIFIER_WHY_BYTES - (size_t)put, format, values);
    va_end(values);
    return SLU_ERR_MISMATCH;
}

/* ---- a run ---- */

/* What is wrong with a certificate that does not parse. */
static int blame_certificate(const struct slu_feed_verifier *v, const uint8_t *bytes, size_t len,
                             uint64_t height, char *why)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    uint16_t count, q = slu_genesis_q(v->genesis);
    slu_read_bytes(&r, SLU_RELEASE_BYTES);
    count = slu_read_u16(&r);
    if (r.failed || height == 0)
        return refuse(why, height, "a certificate that is none");
    if (count != q)
        return refuse(why, height, "its certificate has %u signatures, a quorum's has %u", count,
                      q);
    if (len != slu_release_cert_bytes(v->genesis))
        return refuse(why, height, "a certificate that is none");
    return refuse(why, height,
                  "its certificate has a node's signature twice, out of order, or of no node");
}

static int read_certificate(struct slu_feed_verifier *v, const uint8_t *bytes, size_t len,
                            char *why)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    int rc = slu_release_cert_read(&r, v->genesis, &v->cert);
    if (!rc && slu_reader_done(&r))
        return SLU_OK;
    return blame_certificate(v, bytes, len, v->cert.release.height, why);
}

/* One signature that does not hold is forged; when none holds, this was never signed here. */
static int check_signatures(const struct slu_feed_verifier *v, char *why)
{
    struct slu_verify_item items[SLU_NODES_MAX];
    const struct slu_release_cert *cert = &v->cert;
    bool good[SLU_NODES_MAX];
    uint16_t held = 0, forged = 0;
    for (uint16_t i = 0; i < cert->count; i++)
        items[i] = (struct slu_verify_item){.digest32 = cert->release.digest,
                                            .signature64 = cert->signers[i].signature,
                                            .index = cert->signers[i].node};
    slu_verify_keys_all(v->keys, good, items, cert->count);
    for (uint16_t i = 0; i < cert->count; i++) {
        held += good[i];
        forged = good[i] ? forged : cert->signers[i].node;
    }
    if (held == cert->count)
        return SLU_OK;
    if (held == 0)
        return refuse(why, cert->release.height,
                      "no signature of its certificate holds: it is of another chain, or made up");
    return refuse(why, cert->release.height,
                  "the signature of node %u in its certificate is forged", forged);
}

/* Whether release `r` follows `below`, which is NULL for the first that this reader sees. */
static int check_link(const struct slu_release *r, const struct slu_release *below, char *why)
{
    static const uint8_t zero32[32];
    if (r->height == 1 && memcmp(r->previous, zero32, 32))
        return refuse(why, 1, "its release names one below the first");
    if (!below)
        return SLU_OK;
    if (r->height != below->height + 1)
        return refuse(why, r->height, "its release came where that of %llu was due",
                      (unsigned long long)below->height + 1);
    if (memcmp(r->previous, below->digest, 32))
        return refuse(why, r->height, "its release does not follow that of height %llu",
                      (unsigned long long)below->height);
    if (r->time_ms <= below->time_ms)
        return refuse(why, r->height, "the time in its release is not above that of height %llu",
                      (unsigned long long)below->height);
    return SLU_OK;
}

/* Where the run begins. */
static int check_first(const struct slu_feed_verifier *v, uint64_t first, char *why)
{
    if (v->next && first != v->next)
        return refuse(why, v->next, "it was due, and the release of height %llu came",
                      (unsigned long long)first);
    return SLU_OK;
}

static int append(struct slu_feed_verifier *v, const struct slu_release *release, char *why)
{
    if (v->count == v->cap) {
        uint32_t cap = v->cap ? 2 * v->cap : RUN_MIN;
        struct slu_release *run = realloc(v->run, cap * sizeof *run);
        if (!run) {
            (void)refuse(why, release->height, "%s", slu_strerror(SLU_ERR_MEMORY));
            return SLU_ERR_MEMORY;
        }
        v->run = run;
        v->cap = cap;
    }
    if (v->count == SLU_RELEASE_RUN_MAX)
        return refuse(why, release->height, "no certificate came with %u releases below it",
                      v->count);
    const struct slu_release *below = v->count > 0  ? &v->run[v->count - 1]
                                      : v->has_last ? &v->last
                                                    : NULL;
    int rc = v->count > 0 ? SLU_OK : check_first(v, release->height, why);
    if (!rc)
        rc = check_link(release, below, why);
    if (!rc)
        v->run[v->count++] = *release;
    return rc;
}

static int append_all(struct slu_feed_verifier *v, const uint8_t *bytes, size_t len, char *why)
{
    struct slu_reader r = slu_reader_of(bytes, len);
    struct slu_release release;
    int rc = SLU_OK;
    while (!rc && slu_reader_left(&r) > 0)
        rc = slu_release_read(&r, v->genesis->chain_id, &release)
                 ? refuse(why, v->next, "releases came that are none")
                 : append(v, &release, why);
    return rc;
}

/* The run ends with a release that a quorum signed. */
static int certify(struct slu_feed_verifier *v, const uint8_t *bytes, size_t len, char *why)
{
    int rc = read_certificate(v, bytes, len, why);
    if (!rc && v->next && v->cert.release.height < v->next)
        rc = refuse(why, v->next, "it was due, and an old certificate came, of height %llu",
                    (unsigned long long)v->cert.release.height);
    if (!rc)
        rc = append(v, &v->cert.release, why);
    if (!rc)
        rc = check_signatures(v, why);
    v->certified = !rc;
    return rc;
}

int slu_feed_verifier_releases(struct slu_feed_verifier *v, const uint8_t *releases,
                               size_t releases_len, const uint8_t *certificate,
                               size_t certificate_len, char why[SLU_VERIFIER_WHY_BYTES])
{
    if (v->certified && v->at < v->count)
        return refuse(why, v->run[v->at].height, "it was due, and other releases came");
    if (v->certified)
        slu_feed_verifier_restart(v);
    if (releases_len + certificate_len == 0)
        return refuse(why, v->next, "releases came that are none");
    int rc = append_all(v, releases, releases_len, why);
    if (!rc && certificate_len > 0)
        rc = certify(v, certificate, certificate_len, why);
    if (rc)
        slu_feed_verifier_restart(v);
    return rc;
}

/* ---- a height ---- */

int slu_feed_verifier_height(struct slu_feed_verifier *v, const struct slu_heights *heights,
                             const uint8_t *proof, size_t proof_len,
                             char why[SLU_VERIFIER_WHY_BYTES])
{
    const struct slu_release *release;
    char words[SLU_LISTS_WHY_BYTES];
    if (!v->certified || v->at == v->count)
        return refuse(why, heights->height, "it came without a certified release");
    release = &v->run[v->at];
    if (heights->height != release->height)
        return refuse(why, heights->height, "it came where %llu was due",
                      (unsigned long long)release->height);
    if (heights->time_ms != release->time_ms)
        return refuse(why, heights->height, "its time is not that of its release");
    if (memcmp(heights->block32, release->block, 32))
        return refuse(why, heights->height, "its block is not that of its release");
    int rc = slu_lists_check(v->lists, heights, release, proof, proof_len, words);
    if (rc) {
        (void)refuse(why, heights->height, "%s", words);
        return rc;
    }
    return SLU_OK;
}

const struct slu_release *slu_feed_verifier_accept(struct slu_feed_verifier *v)
{
    SLU_CHECK(v->certified && v->at < v->count);
    v->last = v->run[v->at++];
    v->has_last = true;
    v->next = v->last.height + 1;
    return &v->last;
}
