/* What `sluice submit --sealed` adds to a submission, forced or not: the options, the committee's
 * key out of a node's mouth, and the sealing (sluice/seal.h).
 *
 *     options ─▶ slu_sealing_option, _complete ─▶ slu_sealing_refresh (a node: key, time, height)
 *                                                      ─▶ slu_sealing_envelope, for each payload
 *
 * What a node says is checked with the genesis where it can be: the key. Its time and height are
 * taken as they are: a wrong one makes a transaction that is refused, or dropped. One thread. */
#ifndef SLU_CLIENT_SEALING_H
#define SLU_CLIENT_SEALING_H

#include <getopt.h>

#include "client/committee_key.h"
#include "client/text.h"

struct slu_sealing {
    bool on;
    /* as asked for: a height; a stream time in ms, or, `relative`, so many seconds from now on */
    enum slu_unlock unlock_kind;
    bool relative;
    uint64_t wanted;
    const struct slu_genesis *genesis;
    /* what a node said */
    struct slu_key_answer node;
    bool has_key;
    uint64_t asked_ms; /* monotonic */
};

/** Rows of a getopt_long table; the letters are for slu_sealing_option. */
#define SLU_SEALING_OPTIONS                                                                        \
    {"sealed", no_argument, NULL, 'S'}, {"unlock-height", required_argument, NULL, 'H'},           \
        {"unlock-at", required_argument, NULL, 'A'},                                               \
    {                                                                                              \
        "unlock-in", required_argument, NULL, 'I'                                                  \
    }

#define SLU_SEALING_USAGE                                                                          \
    "  --sealed             nobody, no node either, can read it before its place is final; "       \
    "needs\n"                                                                                      \
    "                       --genesis, with which the committee's key is checked\n"                \
    "  --unlock-height H    sealed: stays closed until height H ...\n"                             \
    "  --unlock-at MS       ... or until this stream time ...\n"                                   \
    "  --unlock-in SECONDS  ... or for so long from now on\n"

/** Takes one option. Returns 1; 0: it is none of these; -1 after a complaint. */
int slu_sealing_option(struct slu_sealing *sealing, int option, const char *argument);
/** Whether the options fit together. False after a complaint. */
SLU_MUST_USE bool slu_sealing_complete(const struct slu_sealing *sealing, const char *genesis_path);

/** What is sealed is for the chain of `genesis`, which must outlive it. False after a complaint:
 * that chain makes no key. */
SLU_MUST_USE bool slu_sealing_use(struct slu_sealing *sealing, const struct slu_genesis *genesis);
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

/** Seals one payload, opened as asked for counted from stream time `stream_ms`; says the unlock
 * that this came to. Errors: LIMIT (too long for a bucket, or for the chain), MALFORMED. */
SLU_MUST_USE int slu_sealing_envelope(const struct slu_sealing *sealing, uint8_t *envelope,
                                      size_t cap, size_t *len, uint8_t id32[32], uint64_t *unlock,
                                      uint64_t stream_ms, uint64_t valid_until_ms, uint64_t rollup,
                                      const uint8_t *payload, size_t payload_len);

/** The longest payload that the chain takes sealed. */
size_t slu_sealing_payload_max(const struct slu_genesis *genesis);

/** An unlock as JSON: null, {"height":H} or {"time_ms":T}. */
void slu_unlock_json(struct slu_text *text, unsigned unlock_kind, uint64_t unlock);

#endif
