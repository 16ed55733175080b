/* sluiced_byzantine: sluiced with a deviant at its core's door (byzantine/deviant.h). The
 * behaviours stand in the section [byzantine] of the config; without one the node does what sluiced
 * does. For tests only, built with -DSLU_BYZANTINE=ON and never beside a release build.
 *
 * The deviant signs with the node's key by itself, since the keyguard refuses what it is for. */
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "byzantine/deviant.h"
#include "node/log.h"
#include "node/program.h"
#include "sluice/error.h"

struct liar {
    struct slu_behaviours behaviours;
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    struct slu_deviant *deviant;
};

static int set(void *context, const char *field, const char *value)
{
    struct liar *liar = context;
    return slu_behaviours_set(&liar->behaviours, field, value);
}

static int take_key(void *context, const uint8_t seed32[32])
{
    struct liar *liar = context;
    uint8_t public32[32];
    crypto_sign_seed_keypair(public32, liar->secret, seed32);
    return SLU_OK;
}

/* Whatever it is, in whatever role. */
static int sign(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                const uint8_t digest32[32])
{
    const struct liar *liar = context;
    (void)role;
    (void)view;
    crypto_sign_detached(signature64, NULL, digest32, 32, liar->secret);
    return SLU_OK;
}

static int attach(void *context, const struct slu_genesis *genesis, uint16_t self,
                  struct slu_core *core)
{
    struct liar *liar = context;
    struct slu_deviant_config config = {.genesis = genesis,
                                        .self = self,
                                        .behaviours = liar->behaviours,
                                        .signer = {.context = liar, .sign = sign},
                                        .core = core};
    void *memory = mmap(NULL, slu_deviant_bytes(genesis), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return SLU_ERR_MEMORY;
    randombytes_buf(&config.seed, sizeof config.seed);
    liar->deviant = slu_deviant_init(memory, &config);
    for (int i = 0; i < SLU_BEHAVIOURS; i++)
        if (slu_behaves(&liar->behaviours, (enum slu_behaviour)i))
            slu_log(SLU_LOG_WARN, "event=byzantine behaviour=%s",
                    slu_behaviour_name((enum slu_behaviour)i));
    return SLU_OK;
}

static void step(void *context, const struct slu_event *event, struct slu_effects *effects)
{
    struct liar *liar = context;
    slu_deviant_step(liar->deviant, event, effects);
}

static bool refuses(void *context, const char *remote)
{
    static struct slu_log_limit lines = SLU_LOG_LIMIT(60);
    const struct liar *liar = context;
    if (!slu_behaviours_refuse_client(&liar->behaviours, remote))
        return false;
    slu_log_limited(&lines, SLU_LOG_INFO, "event=deviates behaviour=%s",
                    slu_behaviour_name(SLU_REFUSE_CLIENT));
    return true;
}

int main(int argc, char **argv)
{
    static struct liar liar;
    struct slu_door door = {.context = &liar,
                            .section = {.name = "byzantine", .set = set, .context = &liar},
                            .key = take_key,
                            .attach = attach,
                            .step = step,
                            .refuses = refuses};
    return slu_sluiced_main(argc, argv, &door);
}
