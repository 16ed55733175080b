#include "client/offence.h"

void slu_offence_json(struct slu_text *text, const struct slu_evidence *evidence)
{
    slu_text_add(text, "\"offence\":\"");
    slu_text_add(text, slu_offence_name(evidence->offence));
    slu_text_add(text, "\",\"offender\":");
    slu_text_add_number(text, evidence->offender);
    slu_text_add(text, ",\"at\":");
    slu_text_add_number(text, evidence->at);
}
