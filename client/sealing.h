/* What sealing adds to a submission: the committee's key out of a node's mouth, kept for a while,
 * and the sealing to it (sluice/seal.h).
 *
 *     what is wanted ─▶ slu_sealing_refresh (a node: key, time, height)
 *                              ─▶ slu_sealing_envelope, for each payload
 *
 * What a node says is checked with the genesis where it can be: the key. Its height is taken as it
 * is, and so is its time: a wrong one makes a transaction that is refused, or dropped. But "from
 * now on" counts from this machine's clock where that is later: a node whose time is behind, or who
 * says so, must not have anything opened before its sender wanted it. One thread. */
#ifndef SLU_CLIENT_SEALING_H
#define SLU_CLIENT_SEALING_H

#include "client/committee_key.h"

struct slu_sealing {
    const char *command; /* the subcommand, for words */
    bool on;
    const struct slu_genesis *genesis; /* of the chain that it is for; outlives this */
    /* as asked for: a height; a stream time in ms, or, `relative`, so many seconds from now on */
    enum slu_unlock unlock_kind;
    bool relative;
    uint64_t wanted;
    /* what a node said */
    struct slu_key_answer node;
    bool has_key;
    uint64_t asked_ms; /* monotonic */
    bool weaker; /* this key opens with fewer nodes than the genesis wants; the last did not */
    bool passed; /* the unlock is reached already, by what the node or this machine's clock says */
    bool told_passed;
};

/** Why an error of slu_sealing_refresh refuses a transaction, as a reason in JSON. Static storage.
 */
const char *slu_sealing_reason(int error);

/** Makes sure that there is a key which the node of `session` gave not long ago. Errors: those of
 * slu_committee_key_ask; LIMIT: the unlock is beyond the horizon. `why` gets one line for a person.
 */
SLU_MUST_USE int slu_sealing_refresh(struct slu_sealing *sealing, struct slu_session *session,
                                     char *why, size_t why_cap);
/** Whether the key is old enough to be asked for again. */
bool slu_sealing_stale(const struct slu_sealing *sealing);
/** Stream time now, as far as the node said. */
uint64_t slu_sealing_stream_ms(const struct slu_sealing *sealing);

/** Seals one payload, opened as asked for counted from stream time `stream_ms`, or from this
 * machine's clock when that is later; says the unlock that this came to. Errors: LIMIT (too long
 * for a bucket, or for the chain), MALFORMED. */
SLU_MUST_USE int slu_sealing_envelope(const struct slu_sealing *sealing, uint8_t *envelope,
                                      size_t cap, size_t *len, uint8_t id32[32], uint64_t *unlock,
                                      uint64_t stream_ms, uint64_t valid_until_ms, uint64_t rollup,
                                      const uint8_t *payload, size_t payload_len);

/** The longest payload that the chain takes sealed. */
size_t slu_sealing_payload_max(const struct slu_genesis *genesis);

#endif
