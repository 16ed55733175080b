/* Submitting transactions through any of several nodes, and learning what became of them.
 *
 *     chain, URLs ──▶ slu_submitter_open ──▶ submitter
 *
 *     payloads ──▶ slu_submitter_submit ──▶ ids, accepted or refused
 *                       │  envelopes are made here and kept; lost, stalled, foreign, full, lying:
 *                       └▶ node A ─▶ node B ─▶ node C      the same envelope goes to the next one
 *     ids ──▶ slu_submitter_wait ──▶ ordered at (height, index), or dropped, or expired
 *
 * "Accepted" is one node's promise that the transaction is on its disk and will be ordered. A node
 * may break it, or die with its disk: slu_submitter_wait finds out, and gives the same envelope to
 * another one. The id is the hash of the envelope and is ordered once only, so that nothing is
 * ordered twice however often it is sent. For the same reason two equal plain payloads for one
 * rollup that are submitted within a second are one transaction (`known` says so): what must count
 * twice differs in a byte.
 *
 * Where a transaction stands is the word of the node that is asked. Who must not believe one node
 * reads the stream with its proofs.
 *
 * Errors are those of sluice/error.h, with one line for a person in `why` (never NULL; at least 256
 * bytes hold all of it). Nothing is printed, and no signal is raised. One thread at a time uses a
 * submitter; different ones are independent. All buffers are the caller's, and nothing of theirs is
 * kept; the chain must outlive the submitter. */
#ifndef SLUICE_CLIENT_H
#define SLUICE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sluice/chain.h"
#include "sluice/error.h"
#include "sluice/seal.h"

#ifdef __cplusplus
extern "C" {
#endif

/** URLs of one submitter, at most. */
#define SLU_SUBMITTER_URLS_MAX 64u
/** A reason, with its terminating zero. */
#define SLU_REASON_BYTES 32u

struct slu_submitter;

/** All of it may be zero: the defaults, in brackets. */
struct slu_submitter_options {
    uint32_t connect_ms;   /* [3000] longest wait for one connection */
    uint32_t answer_ms;    /* [10000] a node without an answer, or without a new height, for so long
                              has stalled */
    uint32_t give_up_ms;   /* [30000] a submission is tried for so long, at node after node */
    uint32_t valid_for_ms; /* [what the chain allows] for so long it may be ordered: the time in
                              which an answer is to be had, or another try to be made */
    size_t kept_bytes_max; /* [128 MiB] envelopes that are kept until their outcome is known */
    /** [NULL] Told of every node that is left, and why: one line. On the calling thread. */
    void (*on_trouble)(void *context, const char *url, const char *why);
    void *context;
};

/** Opens with the nodes' client URLs ("tcp://127.0.0.1:7601"), of which the first that answers is
 * used until it fails. `options` may be NULL. Errors: CONFIG (a URL that cannot be one, none, or
 * too many), CLOSED (no node of this chain answers), MEMORY. */
SLU_MUST_USE int slu_submitter_open(struct slu_submitter **submitter, const struct slu_chain *chain,
                                    const char *const *urls, size_t url_count,
                                    const struct slu_submitter_options *options, char *why,
                                    size_t why_cap);
/** Closes and frees; what was accepted is ordered all the same. NULL is allowed. */
void slu_submitter_close(struct slu_submitter *submitter);

/** What is submitted. */
enum slu_submission_kind {
    SLU_SUBMIT_PLAIN = 0,
    SLU_SUBMIT_SEALED = 1,   /* sealed here to the committee's newest key, whose certificate is
                                checked with the genesis (sluice/seal.h) */
    SLU_SUBMIT_ENVELOPE = 2, /* `payload` is a whole envelope, of slu_seal_envelope for one */
};

/** How far a submission is. */
enum slu_submission_state {
    SLU_SUBMISSION_OPEN = 0, /* no answer yet; with an id, it may be ordered all the same */
    SLU_SUBMISSION_ACCEPTED = 1,
    SLU_SUBMISSION_REFUSED = 2, /* here, or by every node: `reason` */
};

struct slu_submission {
    /* To be set; the rest is to be zero. */
    enum slu_submission_kind kind;
    uint64_t rollup; /* not of an envelope */
    const uint8_t *payload;
    size_t payload_len;
    enum slu_unlock unlock_kind; /* sealed: as slu_seal_envelope has it */
    uint64_t unlock;
    /* What became of it. */
    enum slu_submission_state state;
    bool has_id;
    bool known; /* the node had it already */
    uint8_t id32[32];
    /* "": none. Found here: "size", "rollup", "sealed_only", "no_key", "unlock", "malformed",
     * "kind"; "not_kept": it was submitted before, and is past waiting for. Else the nodes' word:
     * "lane_full", "rate_rollup", "expired", ... */
    char reason[SLU_REASON_BYTES];
};

/** Submits a list. Returns when each of it is accepted or refused. On an error those that are OPEN
 * have no answer: calling again with the same list sends them again, each as the same transaction,
 * and leaves the others as they are. Errors: BUSY (kept_bytes_max: wait for some outcomes; nothing
 * was sent), CLOSED (no node answered within give_up_ms), MEMORY. */
SLU_MUST_USE int slu_submitter_submit(struct slu_submitter *submitter,
                                      struct slu_submission *submissions, size_t count, char *why,
                                      size_t why_cap);

/** Where a transaction ended. */
enum slu_outcome_kind {
    SLU_OUTCOME_OPEN = 0,
    SLU_OUTCOME_ORDERED = 1, /* final, at (height, index) */
    SLU_OUTCOME_DROPPED = 2, /* left out at `height` for the `reason` */
    SLU_OUTCOME_EXPIRED = 3, /* its time is over, and it was not ordered */
};

struct slu_outcome {
    uint8_t id32[32]; /* to be set; the rest is to be zero */
    enum slu_outcome_kind kind;
    uint64_t height;
    uint32_t index;
    char reason[SLU_REASON_BYTES];
};

/** How far a wait may run over its timeout, in ms: at the end a node is given so long to answer the
 * last question, or a connection to come about. */
#define SLU_WAIT_OVER_MS 250u

/** Waits until every outcome of a list is known, those that are not OPEN as they are, for
 * `timeout_ms` and at most SLU_WAIT_OVER_MS more; 0 asks once. Of what this submitter submitted it
 * keeps the envelopes until then. Other ids are only asked for, and an unknown one stays OPEN. What
 * a wait has begun (a search of a node's history) the next one goes on with. Errors: TIMEOUT (some
 * are OPEN still; wait again), MEMORY. */
SLU_MUST_USE int slu_submitter_wait(struct slu_submitter *submitter, struct slu_outcome *outcomes,
                                    size_t count, uint32_t timeout_ms, char *why, size_t why_cap);

#ifdef __cplusplus
}
#endif

#endif
