/* An entry of the stream as JSON. */
#ifndef SLU_CLIENT_ENTRY_JSON_H
#define SLU_CLIENT_ENTRY_JSON_H

#include "client/heights.h"
#include "client/text.h"
#include "wire/genesis.h"

/** Appends `entry`, as slu_heights_add let it pass, as one object:
 *     any: index, rollup (`with_rollup`), id, kind, forced (when true)
 *     plain, keygen, unknown: payload
 *     bundle: legs, each with rollup, payload
 *     evidence: offence, offender, at, payload
 *     sealed: key_id, unlock (both null: the body is malformed), bytes (of the envelope), payload
 *     opened: ordered, key_id, unlock, valid_until_ms, e, z, rho, payload (of a bundle: legs)
 *     void: reason, ordered
 * A bundle that came out of the queue malformed, past more than f liars, has payload, too. */
void slu_entry_json(struct slu_text *text, const struct slu_entry *entry,
                    const struct slu_genesis *genesis, bool with_rollup);

/** An unlock as JSON: null, {"height":H} or {"time_ms":T}. */
void slu_unlock_json(struct slu_text *text, unsigned unlock_kind, uint64_t unlock);

#endif
