/* What a client knows of a chain without its genesis: the id, from the connection. Enough to make
 * ids and postage, and to read receipts and evidence; signatures can be checked with the genesis
 * only. */
#ifndef SLU_CLIENT_OUTLINE_H
#define SLU_CLIENT_OUTLINE_H

#include "wire/genesis.h"

/** Sets chain_id, and every bound that readers of wire objects compare with as wide as it can be.
 */
void slu_outline(struct slu_genesis *genesis, const uint8_t chain_id32[32]);

#endif
