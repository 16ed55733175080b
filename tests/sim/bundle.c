#include "tests/sim/bundle.h"

#include <string.h>

#define NO_ROLLUP 99u

/* What is wrong with one. */
enum fault {
    GOOD,
    ONE_LEG,
    MANY_LEGS, /* 17 of them, or as many said as there are not */
    EMPTY_LEG, /* a payload of no bytes */
    LEFT_OVER, /* a byte behind the last leg */
    CUT_SHORT, /* the last payload is longer than what is left */
    ROLLUP,    /* a leg for a rollup that there is not */
    ROLLUP_0,  /* a leg for none */
    STRICT,    /* a leg for a rollup that takes sealed ones only: good when sealed */
    NOTHING,   /* but a byte */
    FAULTS
};

static uint32_t leg_bytes(uint32_t payload)
{
    return 12 + payload;
}

static void write_leg(struct slu_writer *w, uint64_t rollup, uint32_t said, const uint8_t *payload,
                      uint32_t len)
{
    slu_write_u64(w, rollup);
    slu_write_u32(w, said);
    slu_write_bytes(w, payload, len);
}

uint32_t sim_bundle_draw(struct sim_rng *r, uint8_t *body, uint32_t cap, uint64_t number,
                         uint32_t odd_permille)
{
    static const uint64_t rollups[] = {1, 2, 7};
    enum fault fault =
        sim_rng_chance(r, odd_permille) ? (enum fault)sim_rng_range(r, ONE_LEG, FAULTS - 1) : GOOD;
    uint8_t payload[SIM_BUNDLE_MAX];
    struct slu_writer w = slu_writer_of(body, cap);
    uint32_t room = cap - 2 - leg_bytes(8); /* for further legs; a byte may be left over */
    uint32_t most = room / leg_bytes(1);
    uint32_t legs = sim_rng_chance(r, 800) ? sim_rng_u32(r, 2, 4) : sim_rng_u32(r, 2, 16);
    if (fault == ONE_LEG)
        legs = 1;
    if (fault == MANY_LEGS)
        legs = 17;
    legs = legs <= 1 + most ? legs : 1 + most;
    uint32_t odd = sim_rng_u32(r, 0, legs - 1), left = room - (legs - 1) * leg_bytes(1);
    memset(payload, (int)(number & 255), sizeof payload);
    memcpy(payload, &number, 8);
    slu_write_u8(&w, (uint8_t)(fault == MANY_LEGS ? 17 : fault == NOTHING ? 0 : legs));
    for (uint32_t i = 0; i < legs && fault != NOTHING; i++) {
        uint64_t rollup = rollups[sim_rng_below(r, 3)];
        uint32_t more = sim_rng_u32(r, 0, left < 60 ? left : 60), len = (i ? 1 : 8) + more;
        left -= more;
        if (i == odd && fault == ROLLUP)
            rollup = NO_ROLLUP;
        else if (i == odd && fault == ROLLUP_0)
            rollup = 0;
        else if (i == odd && fault == STRICT)
            rollup = SIM_STRICT_ROLLUP;
        if (i == odd && i > 0 && fault == EMPTY_LEG)
            len = 0;
        uint32_t said = len + (i == legs - 1 && fault == CUT_SHORT);
        write_leg(&w, rollup, said, payload, len);
    }
    if (fault == LEFT_OVER)
        slu_write_u8(&w, 0);
    SLU_CHECK(!w.failed);
    return (uint32_t)slu_writer_len(&w);
}

void sim_bundle_write(struct sim_rng *r, struct slu_writer *w, uint64_t valid_until_ms,
                      uint32_t cap, uint64_t number, uint32_t odd_permille)
{
    uint8_t body[SIM_BUNDLE_MAX];
    cap = cap < sizeof body ? cap : (uint32_t)sizeof body;
    uint32_t len = sim_bundle_draw(r, body, cap, number, odd_permille);
    uint64_t rollup = sim_rng_chance(r, odd_permille / 8) ? 1 : 0;
    slu_tx_write(w, rollup, valid_until_ms, SLU_TX_BUNDLE, body, len);
}

static uint64_t number_at(const uint8_t *at, size_t width)
{
    uint64_t number = 0;
    while (width > 0)
        number = number << 8 | at[--width];
    return number;
}

uint8_t sim_bundle_judge(const struct slu_genesis *g, const uint8_t *body, size_t len, bool sealed)
{
    uint8_t drop = SLU_DROP_NONE;
    size_t at = 1;
    if (len < 1 || body[0] < 2 || body[0] > 16)
        return SLU_DROP_BUNDLE;
    for (uint8_t i = 0; i < body[0]; i++) {
        if (len - at < 12)
            return SLU_DROP_BUNDLE;
        uint64_t rollup = number_at(body + at, 8), bytes = number_at(body + at + 8, 4);
        at += 12;
        if (bytes == 0 || bytes > len - at)
            return SLU_DROP_BUNDLE;
        at += bytes;
        bool strict = false, known = g->open_rollups && rollup >= 1 && rollup < UINT64_C(1) << 53;
        for (uint16_t k = 0; k < g->rollup_count; k++) {
            known |= g->rollups[k].id == rollup;
            strict |= g->rollups[k].id == rollup && g->rollups[k].sealed_only;
        }
        if (!drop && !known)
            drop = SLU_DROP_ROLLUP;
        else if (!drop && strict && !sealed)
            drop = SLU_DROP_SEALED_ONLY;
    }
    return at == len ? drop : SLU_DROP_BUNDLE;
}
