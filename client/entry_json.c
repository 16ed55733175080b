#include "client/entry_json.h"

#include "client/offence.h"
#include "sluice/error.h"
#include "sluice/seal.h"
#include "wire/opening.h"
#include "wire/tx.h"

static void add_hex(struct slu_text *text, const char *name, const uint8_t *bytes, size_t len)
{
    slu_text_add(text, ",\"");
    slu_text_add(text, name);
    slu_text_add(text, "\":\"");
    slu_text_add_hex(text, bytes, len);
    slu_text_add(text, "\"");
}

static void add_payload(struct slu_text *text, const uint8_t *bytes, size_t len)
{
    slu_text_add(text, ",\"payload\":\"0x");
    slu_text_add_hex(text, bytes, len);
    slu_text_add(text, "\"");
}

/* A bundle's legs, or else the payload. */
static void add_content(struct slu_text *text, const struct slu_entry *entry,
                        const uint8_t *payload, size_t len)
{
    struct slu_bundle bundle;
    if (slu_entry_bundle(&bundle, entry)) {
        add_payload(text, payload, len);
        return;
    }
    slu_text_add(text, ",\"legs\":[");
    for (size_t i = 0; i < bundle.count; i++) {
        const struct slu_bundle_leg *leg = &bundle.legs[i];
        slu_text_add(text, i ? ",{\"rollup\":" : "{\"rollup\":");
        slu_text_add_number(text, leg->rollup);
        add_payload(text, leg->payload, leg->payload_len);
        slu_text_add(text, "}");
    }
    slu_text_add(text, "]");
}

static void add_evidence(struct slu_text *text, const struct slu_entry *entry,
                         const struct slu_genesis *genesis)
{
    struct slu_evidence evidence;
    if (slu_evidence_outline(&evidence, genesis, entry->payload, entry->payload_len) == SLU_OK) {
        slu_text_add(text, ",");
        slu_offence_json(text, &evidence);
    }
}

static void add_sealed(struct slu_text *text, const struct slu_entry *entry)
{
    struct slu_sealed sealed;
    /* A forced one is ordered whatever it holds. */
    if (slu_sealed_read(&sealed, entry->payload, entry->payload_len, 0) == SLU_OK) {
        add_hex(text, "key_id", sealed.key_id32, 32);
        slu_text_add(text, ",\"unlock\":");
        slu_unlock_json(text, sealed.label.unlock_kind, sealed.label.unlock);
    } else {
        slu_text_add(text, ",\"key_id\":null,\"unlock\":null");
    }
    slu_text_add(text, ",\"bytes\":");
    slu_text_add_number(text, (uint64_t)SLU_TX_HEAD_BYTES + entry->payload_len);
}

static void add_ordered(struct slu_text *text, const struct slu_opening *opening)
{
    slu_text_add(text, ",\"ordered\":{\"height\":");
    slu_text_add_number(text, opening->height);
    slu_text_add(text, ",\"index\":");
    slu_text_add_number(text, opening->index);
    slu_text_add(text, "}");
}

static void add_opened(struct slu_text *text, const struct slu_entry *entry)
{
    struct slu_opening opening;
    SLU_CHECK(slu_opening_read(&opening, entry->payload, entry->payload_len, true) == SLU_OK);
    add_ordered(text, &opening);
    add_hex(text, "key_id", opening.key_id32, 32);
    slu_text_add(text, ",\"unlock\":");
    slu_unlock_json(text, opening.unlock_kind, opening.unlock);
    slu_text_add(text, ",\"valid_until_ms\":");
    slu_text_add_number(text, opening.valid_until_ms);
    add_hex(text, "e", opening.e16, SLU_CHALLENGE_BYTES);
    add_hex(text, "z", opening.z32, 32);
    add_hex(text, "rho", opening.rho32, SLU_RHO_BYTES);
    add_content(text, entry, opening.payload, opening.payload_len);
}

static void add_void(struct slu_text *text, const struct slu_entry *entry)
{
    struct slu_opening place;
    SLU_CHECK(slu_opening_read(&place, entry->payload + 1, entry->payload_len - 1, false) ==
              SLU_OK);
    slu_text_add(text, ",\"reason\":\"");
    slu_text_add(text, slu_void_name((enum slu_void)entry->payload[0]));
    slu_text_add(text, "\"");
    add_ordered(text, &place);
}

void slu_entry_json(struct slu_text *text, const struct slu_entry *entry,
                    const struct slu_genesis *genesis, bool with_rollup)
{
    slu_text_add(text, "{\"index\":");
    slu_text_add_number(text, entry->index);
    if (with_rollup) {
        slu_text_add(text, ",\"rollup\":");
        slu_text_add_number(text, entry->rollup);
    }
    add_hex(text, "id", entry->id32, 32);
    slu_text_add(text, ",\"kind\":\"");
    slu_text_add(text, slu_entry_kind_name(entry->kind));
    slu_text_add(text, entry->kind & SLU_ENTRY_FORCED ? "\",\"forced\":true" : "\"");
    if (entry->kind == SLU_ENTRY_OPENED)
        add_opened(text, entry);
    else if (entry->kind == SLU_ENTRY_VOID)
        add_void(text, entry);
    if ((entry->kind & ~SLU_ENTRY_FORCED) == SLU_TX_SEALED)
        add_sealed(text, entry);
    if (entry->kind == SLU_ENTRY_EVIDENCE)
        add_evidence(text, entry, genesis);
    if (entry->kind != SLU_ENTRY_OPENED && entry->kind != SLU_ENTRY_VOID)
        add_content(text, entry, entry->payload, entry->payload_len);
    slu_text_add(text, "}");
}

void slu_unlock_json(struct slu_text *text, unsigned unlock_kind, uint64_t unlock)
{
    if (unlock_kind != SLU_UNLOCK_HEIGHT && unlock_kind != SLU_UNLOCK_TIME) {
        slu_text_add(text, "null");
        return;
    }
    slu_text_add(text, unlock_kind == SLU_UNLOCK_HEIGHT ? "{\"height\":" : "{\"time_ms\":");
    slu_text_add_number(text, unlock);
    slu_text_add(text, "}");
}
