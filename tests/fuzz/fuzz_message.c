/* Every message kind: what decodes must encode to the same bytes and decode again to the same; so
 * must bundles among the transactions that batches and relays carry.
 *
 *     input: kind u8 | payload length u16 | body | payload (the input's last bytes) */
#include <string.h>

#include "base/check.h"
#include "tests/sim/plan.h"
#include "wire/bundle.h"
#include "wire/message.h"
#include "wire/tx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool accept_all(void *context, uint16_t node, const uint8_t digest32[32],
                       const uint8_t signature64[64])
{
    (void)context;
    (void)digest32;
    (void)signature64;
    return node < SLU_NODES_MAX;
}

/* Random bytes never match a payload's digest: put in the right one. */
static void patch_batch(const struct slu_genesis *g, uint8_t *body, size_t body_len,
                        const uint8_t *payload, size_t payload_len)
{
    const size_t digest_at = 4 + 2 + 4 + 8 + 32, length_at = digest_at + 32;
    if (body_len < length_at + 4)
        return;
    slu_payload_digest(body + digest_at, g, payload, payload_len);
    struct slu_writer w = slu_writer_of(body + length_at, 4);
    slu_write_u32(&w, (uint32_t)payload_len);
}

static void check_bundles(const struct slu_genesis *g, const uint8_t *envelopes, size_t len)
{
    static uint8_t again[1 << 16];
    struct slu_reader r = slu_reader_of(envelopes, len);
    struct slu_bundle bundle;
    struct slu_tx tx;
    while (slu_reader_left(&r) > 0 && slu_tx_read(&r, &tx)) {
        size_t again_len;
        enum slu_drop drop = slu_tx_check(g, &tx, tx.valid_until_ms);
        bool formed = slu_bundle_read(&bundle, tx.body, tx.body_len) == 0;
        SLU_CHECK(drop != SLU_DROP_NONE || tx.kind != SLU_TX_BUNDLE ||
                  (formed && tx.rollup == 0 && slu_bundle_known(g, &bundle)));
        SLU_CHECK(formed || (drop != SLU_DROP_NONE && bundle.count == 0) ||
                  tx.kind != SLU_TX_BUNDLE);
        if (formed && slu_bundle_known(g, &bundle))
            SLU_CHECK(!slu_bundle_body(again, sizeof again, &again_len, &bundle) &&
                      again_len == tx.body_len && !memcmp(again, tx.body, again_len));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct slu_genesis genesis;
    static struct slu_message first, second;
    static uint8_t body[1 << 20], encoded[SLU_MESSAGE_BYTES_MAX];
    if (!genesis.n) {
        struct sim_plan plan;
        sim_plan_quiet(&plan, 0, 4);
        sim_plan_genesis(&plan, &genesis);
    }
    struct slu_reader r = slu_reader_of(data, size);
    uint8_t kind = slu_read_u8(&r);
    size_t payload_len = slu_read_u16(&r);
    if (r.failed || slu_reader_left(&r) > sizeof body)
        return 0;
    if (payload_len > slu_reader_left(&r))
        payload_len = slu_reader_left(&r);
    size_t body_len = slu_reader_left(&r) - payload_len;
    const uint8_t *payload = r.end - payload_len;
    memcpy(body, r.at, body_len);
    if (kind == SLU_MSG_BATCH)
        patch_batch(&genesis, body, body_len, payload, payload_len);
    if (slu_message_read(&first, &genesis, kind, body, body_len, payload, payload_len))
        return 0;
    struct slu_writer w = slu_writer_of(encoded, sizeof encoded);
    slu_message_write(&w, &first);
    SLU_CHECK(!w.failed && slu_writer_len(&w) == body_len && !memcmp(encoded, body, body_len));
    SLU_CHECK(!slu_message_read(&second, &genesis, kind, encoded, body_len, payload, payload_len));
    struct slu_verifier verifier = {.verify = accept_all};
    SLU_CHECK(!slu_message_verify(&first, &genesis, &verifier));
    if (kind == SLU_MSG_BATCH || kind == SLU_MSG_RELAY)
        check_bundles(&genesis, payload, payload_len);
    return 0;
}
