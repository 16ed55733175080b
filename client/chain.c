#include "client/chain.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/sealing.h"
#include "config/genesis_json.h"
#include "wire/tx.h"

_Static_assert(SLU_CHAIN_NAME_BYTES == SLU_NAME_BYTES_MAX + 1, "a name and its end");

int slu_chain_load(struct slu_chain **out, const char *genesis_path, char *why, size_t why_cap)
{
    struct slu_chain *chain = sodium_init() < 0 ? NULL : malloc(sizeof *chain);
    if (!chain) {
        snprintf(why, why_cap, "%s: %s", genesis_path, slu_strerror(SLU_ERR_MEMORY));
        return SLU_ERR_MEMORY;
    }
    int rc = slu_genesis_load(&chain->genesis, genesis_path, why, why_cap);
    if (rc) {
        free(chain);
        return rc;
    }
    *out = chain;
    return SLU_OK;
}

void slu_chain_free(struct slu_chain *chain)
{
    free(chain);
}

const uint8_t *slu_chain_id(const struct slu_chain *chain)
{
    return chain->genesis.chain_id;
}

const char *slu_chain_name(const struct slu_chain *chain)
{
    return chain->genesis.name;
}

uint16_t slu_chain_nodes(const struct slu_chain *chain)
{
    return chain->genesis.n;
}

bool slu_chain_seals(const struct slu_chain *chain)
{
    return chain->genesis.params.sealing != 0;
}

size_t slu_chain_payload_bytes_max(const struct slu_chain *chain, bool sealed)
{
    const size_t whole = chain->genesis.params.tx_bytes_max;
    if (sealed)
        return slu_chain_seals(chain) ? slu_sealing_payload_max(&chain->genesis) : 0;
    return whole > SLU_TX_HEAD_BYTES ? whole - SLU_TX_HEAD_BYTES : 0;
}

static void describe(struct slu_chain_rollup *out, const struct slu_genesis_rollup *row)
{
    memcpy(out->name, row->name, sizeof out->name);
    out->id = row->id;
    out->sealed_only = row->sealed_only;
    out->ethereum_chain_id = row->ethereum_chain_id;
}

int slu_chain_rollup(const struct slu_chain *chain, uint64_t id, struct slu_chain_rollup *rollup)
{
    const struct slu_genesis_rollup *row = slu_genesis_rollup(&chain->genesis, id);
    *rollup = (struct slu_chain_rollup){.id = id};
    if (row)
        describe(rollup, row);
    return slu_genesis_rollup_known(&chain->genesis, id) ? SLU_OK : SLU_ERR_NOT_FOUND;
}

int slu_chain_rollup_named(const struct slu_chain *chain, const char *name,
                           struct slu_chain_rollup *rollup)
{
    const struct slu_genesis *g = &chain->genesis;
    *rollup = (struct slu_chain_rollup){0};
    for (uint16_t i = 0; i < g->rollup_count; i++)
        if (strcmp(g->rollups[i].name, name) == 0) {
            describe(rollup, &g->rollups[i]);
            return SLU_OK;
        }
    return SLU_ERR_NOT_FOUND;
}
