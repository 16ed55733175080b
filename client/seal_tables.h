/* slu_seal_opening_check for who checks many openings under one key: by the key's tables, some five
 * times as fast once they are made. */
#ifndef SLU_CLIENT_SEAL_TABLES_H
#define SLU_CLIENT_SEAL_TABLES_H

#include "crypto/sealed.h"

/** As slu_seal_opening_check (sluice/seal.h) under the tables' key. Errors: of that. */
SLU_MUST_USE int slu_seal_opening_check_by(const struct slu_opening_key *tables,
                                           const struct slu_seal_opening *opening,
                                           const uint8_t id32[32]);

#endif
