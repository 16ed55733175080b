#include "client/sealing_options.h"

#include "client/command.h"

#define UNLOCK_S_MAX (UINT64_C(1) << 40)

static int take_unlock(struct slu_sealing *s, enum slu_unlock kind, const char *option,
                       const char *argument, uint64_t low, uint64_t high)
{
    if (s->unlock_kind != SLU_UNLOCK_NONE)
        return slu_complain(s->command, -1, "%s: one unlock is enough", option);
    s->unlock_kind = kind;
    return slu_argument_number(s->command, option, argument, low, high, &s->wanted) ? 1 : -1;
}

int slu_sealing_option(struct slu_sealing *sealing, int option, const char *argument)
{
    switch (option) {
    case 'S':
        sealing->on = true;
        return 1;
    case 'H':
        return take_unlock(sealing, SLU_UNLOCK_HEIGHT, "--unlock-height", argument, 1, INT64_MAX);
    case 'A':
        return take_unlock(sealing, SLU_UNLOCK_TIME, "--unlock-at", argument, 1, INT64_MAX);
    case 'I':
        sealing->relative = true;
        return take_unlock(sealing, SLU_UNLOCK_TIME, "--unlock-in", argument, 0, UNLOCK_S_MAX);
    default:
        return 0;
    }
}

bool slu_sealing_complete(const struct slu_sealing *sealing, const char *genesis_path)
{
    const char *bad = !sealing->on && sealing->unlock_kind != SLU_UNLOCK_NONE
                          ? "--unlock-height, --unlock-at and --unlock-in are for --sealed"
                      : sealing->on && !genesis_path
                          ? "--sealed needs --genesis FILE: the committee's key is checked with it"
                          : NULL;
    if (bad)
        slu_complain(sealing->command, 0, "%s", bad);
    return !bad;
}

bool slu_sealing_use(struct slu_sealing *sealing, const struct slu_genesis *genesis)
{
    sealing->genesis = genesis;
    if (!genesis->params.sealing)
        slu_complain(sealing->command, 0,
                     "--sealed: this chain has no committee key: its genesis says so");
    return genesis->params.sealing;
}

void slu_sealing_warn(struct slu_sealing *sealing)
{
    if (sealing->weaker)
        slu_complain(sealing->command, 0,
                     "warning: the committee's key in force was made with a node away: %u nodes "
                     "together can open what is sealed to it, not %u as the genesis wants",
                     sealing->node.k, slu_genesis_seal_threshold(sealing->genesis));
    if (sealing->passed && !sealing->told_passed)
        slu_complain(
            sealing->command, 0,
            "warning: %s %llu is reached already: what is sealed opens as soon as its place is "
            "final",
            sealing->unlock_kind == SLU_UNLOCK_HEIGHT ? "height" : "stream time",
            (unsigned long long)sealing->wanted);
    sealing->told_passed = sealing->told_passed || sealing->passed;
    sealing->weaker = false;
}
