/* Answering fetches from the store: history that the core does not hold in memory (batches and final
 * blocks). Pure over slu_store, so that the daemon and the simulator serve alike. Bounded by
 * SLU_SERVE_BYTES_MAX per fetch; the asker asks again for the rest. */
#ifndef SLU_CONSENSUS_SERVE_H
#define SLU_CONSENSUS_SERVE_H

#include "consensus/store.h"
#include "wire/fetch.h"
#include "wire/genesis.h"

/** Takes one answer message: kind, canonical body, payload (batches and inbox items). Bytes are valid during the
 * call. */
typedef void (*slu_serve_sink)(void *context, uint8_t message_kind, const uint8_t *body,
                               size_t body_len, const uint8_t *payload, size_t payload_len);

/** Answers `fetch` (BATCHES, FINALS, ITEM or SHARES) with zero or more messages. Errors: IO, CORRUPT (the store's);
 * what is not there is simply not answered. */
SLU_MUST_USE int slu_serve(const struct slu_store *store, const struct slu_genesis *genesis,
                           const struct slu_fetch *fetch, slu_serve_sink sink, void *sink_context);

#endif
