#include "client/proofs.h"

#include "client/committee_key.h"
#include "client/heights.h"
#include "wire/bundle.h"

enum slu_proof_fault slu_proof_judge(struct slu_proof *proof, const struct slu_genesis *genesis,
                                     const uint8_t *bytes, size_t len)
{
    static uint8_t scratch[SLU_PROOF_SCRATCH_BYTES];
    const struct slu_verifier verifier = {.context = (void *)(uintptr_t)genesis,
                                          .verify = slu_committee_signed};
    enum slu_proof_fault fault = slu_proof_read(proof, bytes, len);
    return fault ? fault : slu_proof_check(proof, genesis, &verifier, scratch);
}

static void add_number(struct slu_text *text, const char *name, uint64_t number)
{
    slu_text_add(text, name);
    slu_text_add_number(text, number);
}

static void add_bytes(struct slu_text *text, const char *name, const uint8_t *bytes, size_t len)
{
    slu_text_add(text, name);
    slu_text_add(text, "\"0x");
    slu_text_add_hex(text, bytes, len);
    slu_text_add(text, "\"");
}

static void add_opened(struct slu_text *text, const struct slu_proof_facts *f)
{
    add_number(text, ",\"opened\":{\"height\":", f->opened_height);
    add_number(text, ",\"time_ms\":", f->opened_time_ms);
    add_number(text, ",\"index\":", f->opened_index);
    if (f->outcome == SLU_ENTRY_VOID) {
        slu_text_add(text, ",\"void\":\"");
        slu_text_add(text, slu_void_name((enum slu_void)f->reason));
        slu_text_add(text, "\"");
    }
    slu_text_add(text, "}");
}

static void add_legs(struct slu_text *text, const struct slu_proof_facts *f)
{
    struct slu_bundle bundle;
    if (slu_bundle_read(&bundle, f->payload, f->payload_len))
        return; /* what is not checked may claim anything */
    slu_text_add(text, ",\"legs\":[");
    for (size_t i = 0; i < bundle.count; i++) {
        add_number(text, i > 0 ? ",{\"rollup\":" : "{\"rollup\":", bundle.legs[i].rollup);
        add_bytes(text, ",\"payload\":", bundle.legs[i].payload, bundle.legs[i].payload_len);
        slu_text_add(text, "}");
    }
    slu_text_add(text, "]");
}

void slu_proof_facts_json(struct slu_text *text, const struct slu_proof_facts *f)
{
    add_number(text, "\"height\":", f->height);
    add_number(text, ",\"time_ms\":", f->time_ms);
    add_number(text, ",\"index\":", f->index);
    add_number(text, ",\"rollup\":", f->rollup);
    slu_text_add(text, ",\"kind\":\"");
    slu_text_add(text, slu_entry_kind_name(f->kind));
    slu_text_add(text, f->kind & SLU_ENTRY_FORCED ? "\",\"forced\":true" : "\",\"forced\":false");
    if (f->queued_height)
        add_number(text, ",\"queued_at\":", f->queued_height);
    if (f->valid_until_ms)
        add_number(text, ",\"valid_until_ms\":", f->valid_until_ms);
    if (f->outcome)
        add_opened(text, f);
    if (f->payload)
        add_bytes(text, ",\"payload\":", f->payload, f->payload_len);
    if (f->payload && f->bundle)
        add_legs(text, f);
    add_number(text, ",\"certified\":", f->certified);
}
