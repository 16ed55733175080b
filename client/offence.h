/* Evidence as the `sluice` command prints it, wherever it does. */
#ifndef SLU_CLIENT_OFFENCE_H
#define SLU_CLIENT_OFFENCE_H

#include "client/text.h"
#include "wire/evidence.h"

/** Appends "offence":WORD,"offender":NODE,"at":POSITION-OR-VIEW, fields of a JSON object. */
void slu_offence_json(struct slu_text *text, const struct slu_evidence *evidence);

#endif
