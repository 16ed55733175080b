/* Proofs to hand on (wire/proof.h), as the command judges and prints them. */
#ifndef SLU_CLIENT_PROOFS_H
#define SLU_CLIENT_PROOFS_H

#include "client/text.h"
#include "wire/proof.h"

/** Reads and checks a proof, in place. Uses memory of its own: one thread at a time. */
SLU_MUST_USE enum slu_proof_fault slu_proof_judge(struct slu_proof *proof,
                                                  const struct slu_genesis *genesis,
                                                  const uint8_t *bytes, size_t len);

/** The fields of `facts` behind the id, without braces. */
void slu_proof_facts_json(struct slu_text *text, const struct slu_proof_facts *facts);

#endif
