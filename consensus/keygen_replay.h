/* The key generation and the keys of a chain, worked out again from its delivered entries by somebody
 * who is no node (audit/): the state machine of keygen.h alone, without a voice in it. */
#ifndef SLU_CONSENSUS_KEYGEN_REPLAY_H
#define SLU_CONSENSUS_KEYGEN_REPLAY_H

#include "consensus/store.h"
#include "crypto/sealed.h"
#include "wire/key_cert.h"

struct slu_key_replay;

size_t slu_key_replay_bytes(const struct slu_genesis *g);
/** As of height 0. `memory`, zeroed, of slu_key_replay_bytes, 16-byte aligned. */
struct slu_key_replay *slu_key_replay_init(void *memory, const struct slu_genesis *g);
/** Takes the keys that a store shows instead, in force from the heights that it says; the certificates
 * are not checked. Errors: CORRUPT, IO. */
SLU_MUST_USE int slu_key_replay_load(struct slu_key_replay *replay, const struct slu_store *store);

/** A delivered message of the key generation, and the end of every height: as slu_keygen_deliver and
 * slu_keygen_height_done. */
void slu_key_replay_deliver(struct slu_key_replay *replay, uint64_t height, const uint8_t *envelope,
                            size_t len);
void slu_key_replay_height_done(struct slu_key_replay *replay, uint64_t height, uint64_t time_ms);

/** The part of the state (docs/PROTOCOL.md clause 8.4). */
void slu_key_replay_digest(const struct slu_key_replay *replay, uint8_t digest32[32]);

/** The number of a key; -1: there is none. */
int slu_key_replay_find(const struct slu_key_replay *replay, const uint8_t key_id32[32]);
/** Whether new entries may be sealed to it (clause 7.5). */
bool slu_key_replay_counts(const struct slu_key_replay *replay, int number, uint64_t height,
                           uint64_t time_ms);
uint16_t slu_key_replay_count(const struct slu_key_replay *replay);
/** Of one that there is. */
const struct slu_key_cert *slu_key_replay_cert(const struct slu_key_replay *replay, int number);
const struct slu_opening_key *slu_key_replay_opening(const struct slu_key_replay *replay,
                                                     int number);

#endif
