#include "client/sealing.h"

#include <stdio.h>
#include <string.h>

#include "sluice/error.h"

#define STALE_MS 2000u /* the key may be replaced, and time goes on */

const char *slu_sealing_reason(int error)
{
    return error == SLU_ERR_NOT_FOUND      ? "no_key"
           : error == SLU_ERR_LIMIT        ? "unlock"
           : slu_committee_key_lied(error) ? "false_key"
                                           : "no_answer";
}

static uint64_t present_ms(uint64_t stream_ms)
{
    uint64_t own_ms = slu_clock_ms();
    return own_ms > stream_ms ? own_ms : stream_ms;
}

static uint64_t unlock_of(const struct slu_sealing *s, uint64_t stream_ms)
{
    const uint64_t horizon_ms = s->genesis->params.unlock_horizon_ms;
    const uint64_t wait_ms = s->wanted * 1000u;
    uint64_t unlock = s->relative ? present_ms(stream_ms) + wait_ms : s->wanted;
    /* What is just within the horizon stays so when stream time is a moment behind. */
    if (s->relative && wait_ms <= horizon_ms && unlock > stream_ms + horizon_ms)
        unlock = stream_ms + horizon_ms;
    return unlock;
}

static bool has_passed(const struct slu_sealing *s)
{
    switch (s->unlock_kind) {
    case SLU_UNLOCK_NONE:
        return false;
    case SLU_UNLOCK_HEIGHT:
        return s->wanted <= s->node.height;
    case SLU_UNLOCK_TIME:
        return !s->relative && s->wanted <= present_ms(s->node.stream_ms);
    }
    return false;
}

/* docs/PROTOCOL.md clause 7.5, against what the node says. */
static bool is_within_horizon(const struct slu_sealing *s, char *why, size_t why_cap)
{
    const struct slu_params *p = &s->genesis->params;
    const uint64_t heights = p->unlock_horizon_ms / p->heartbeat_idle_ms;
    const uint64_t unlock = unlock_of(s, s->node.stream_ms);
    if (s->unlock_kind == SLU_UNLOCK_HEIGHT && unlock > s->node.height + heights) {
        snprintf(why, why_cap,
                 "height %llu is beyond the horizon: at most %llu heights above the present %llu",
                 (unsigned long long)unlock, (unsigned long long)heights,
                 (unsigned long long)s->node.height);
        return false;
    }
    if (s->unlock_kind == SLU_UNLOCK_TIME && unlock > s->node.stream_ms + p->unlock_horizon_ms) {
        snprintf(why, why_cap,
                 "an unlock at %llu is beyond the horizon: at most %llu ms after the present %llu",
                 (unsigned long long)unlock, (unsigned long long)p->unlock_horizon_ms,
                 (unsigned long long)s->node.stream_ms);
        return false;
    }
    return true;
}

static void explain(int error, char *why, size_t why_cap)
{
    if (error == SLU_ERR_NOT_FOUND)
        snprintf(why, why_cap, "the committee has no key yet: it makes one after the first start");
    else if (slu_committee_key_lied(error))
        snprintf(why, why_cap, "the key that it gave is not the committee's: %s",
                 slu_strerror(error));
    else if (error == SLU_ERR_REFUSED)
        snprintf(why, why_cap, "it does not say what the committee's key is");
    else
        snprintf(why, why_cap, "%s", slu_strerror(error));
}

bool slu_sealing_stale(const struct slu_sealing *sealing)
{
    return !sealing->has_key || slu_now_ms() - sealing->asked_ms > STALE_MS;
}

int slu_sealing_refresh(struct slu_sealing *sealing, struct slu_session *session, char *why,
                        size_t why_cap)
{
    struct slu_key_answer answer;
    if (!slu_sealing_stale(sealing))
        return is_within_horizon(sealing, why, why_cap) ? SLU_OK : SLU_ERR_LIMIT;
    int rc = memcmp(slu_session_chain_id32(session), sealing->genesis->chain_id, 32) != 0
                 ? SLU_ERR_REFUSED
                 : SLU_OK;
    if (rc) {
        snprintf(why, why_cap, "the node is of another chain");
        return rc;
    }
    rc = slu_committee_key_ask(&answer, session, sealing->genesis, NULL);
    if (rc) {
        explain(rc, why, why_cap);
        return rc;
    }
    if (answer.k < slu_genesis_seal_threshold(sealing->genesis) &&
        (!sealing->has_key || sealing->node.k != answer.k))
        sealing->weaker = true;
    sealing->node = answer;
    sealing->has_key = true;
    sealing->asked_ms = slu_now_ms();
    sealing->passed = has_passed(sealing);
    return is_within_horizon(sealing, why, why_cap) ? SLU_OK : SLU_ERR_LIMIT;
}

uint64_t slu_sealing_stream_ms(const struct slu_sealing *sealing)
{
    return sealing->node.stream_ms + (slu_now_ms() - sealing->asked_ms);
}

size_t slu_sealing_payload_max(const struct slu_genesis *genesis)
{
    size_t payload = SLU_SEAL_PAYLOAD_BYTES_MAX;
    while (payload > 0 && slu_seal_envelope_bytes(payload) > genesis->params.tx_bytes_max)
        payload--;
    return payload;
}

int slu_sealing_envelope(const struct slu_sealing *sealing, uint8_t *envelope, size_t cap,
                         size_t *len, uint8_t id32[32], uint64_t *unlock, uint64_t stream_ms,
                         uint64_t valid_until_ms, uint64_t rollup, const uint8_t *payload,
                         size_t payload_len)
{
    *unlock = sealing->unlock_kind == SLU_UNLOCK_NONE ? 0 : unlock_of(sealing, stream_ms);
    if (slu_seal_envelope_bytes(payload_len) > sealing->genesis->params.tx_bytes_max)
        return SLU_ERR_LIMIT;
    return slu_seal_envelope(envelope, cap, len, id32, &sealing->node.key, sealing->unlock_kind,
                             *unlock, valid_until_ms, rollup, payload, payload_len);
}
