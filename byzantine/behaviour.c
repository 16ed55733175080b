#include "byzantine/behaviour.h"

#include <string.h>

#include "base/limits.h"
#include "sluice/error.h"

static const char *const names[SLU_BEHAVIOURS] = {
    [SLU_REFUSE_ROLLUP] = "refuse_rollup",
    [SLU_REFUSE_CLIENT] = "refuse_client",
    [SLU_REFUSE_FORCED] = "refuse_forced",
    [SLU_EQUIVOCATE_BATCHES] = "equivocate_batches",
    [SLU_EQUIVOCATE_PROPOSALS] = "equivocate_proposals",
    [SLU_WORST_QUORUM] = "worst_quorum",
    [SLU_SILENT_LEADER] = "silent_leader",
    [SLU_DELAY_MS] = "delay_ms",
    [SLU_CERTIFICATES_TO_LEADER] = "certificates_to_leader",
    [SLU_VOTE_TWICE] = "vote_twice",
    [SLU_GARBAGE_ANSWERS] = "garbage_answers",
    [SLU_STALE_ANSWERS] = "stale_answers",
    [SLU_WITHHOLD_SHARES] = "withhold_shares",
    [SLU_LIE_SHARES] = "lie_shares",
    [SLU_WITHHOLD_RELEASES] = "withhold_releases",
    [SLU_LIE_RELEASES] = "lie_releases",
};

const char *slu_behaviour_name(enum slu_behaviour behaviour)
{
    return behaviour < SLU_BEHAVIOURS ? names[behaviour] : "none";
}

/* Decimal digits only, 1..high. */
static bool read_number(const char *text, uint64_t high, uint64_t *out)
{
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > high)
            return false;
    }
    *out = value;
    return value > 0;
}

int slu_behaviours_set(struct slu_behaviours *behaviours, const char *name, const char *value)
{
    uint32_t which = 0;
    uint64_t number;
    size_t len = strlen(value);
    while (which < SLU_BEHAVIOURS && strcmp(names[which], name))
        which++;
    if (which == SLU_BEHAVIOURS)
        return SLU_ERR_NOT_FOUND;
    if (which == SLU_REFUSE_ROLLUP) {
        if (!read_number(value, SLU_ROLLUP_ID_MAX, &behaviours->rollup))
            return SLU_ERR_CONFIG;
    } else if (which == SLU_DELAY_MS) {
        if (!read_number(value, SLU_DEVIANT_DELAY_MS_MAX, &number))
            return SLU_ERR_CONFIG;
        behaviours->delay_ms = (uint32_t)number;
    } else if (which == SLU_REFUSE_CLIENT) {
        if (len == 0 || len >= sizeof behaviours->client)
            return SLU_ERR_CONFIG;
        memcpy(behaviours->client, value, len + 1);
    } else if (strcmp(value, "yes")) {
        return SLU_ERR_CONFIG;
    }
    behaviours->set |= 1u << which;
    return SLU_OK;
}

bool slu_behaviours_refuse_client(const struct slu_behaviours *behaviours, const char *remote)
{
    size_t len = strlen(behaviours->client);
    return slu_behaves(behaviours, SLU_REFUSE_CLIENT) &&
           !strncmp(remote, behaviours->client, len) && (remote[len] == '\0' || remote[len] == ':');
}
