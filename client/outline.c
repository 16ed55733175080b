#include "client/outline.h"

#include <string.h>

void slu_outline(struct slu_genesis *genesis, const uint8_t chain_id32[32])
{
    memset(genesis, 0, sizeof *genesis);
    genesis->version = SLU_PROTOCOL_VERSION;
    genesis->n = SLU_NODES_MAX;
    genesis->open_rollups = true;
    slu_params_defaults(&genesis->params);
    genesis->params.batch_bytes_max = UINT32_MAX;
    genesis->params.entries_per_block_max = UINT32_MAX;
    memcpy(genesis->chain_id, chain_id32, 32);
}
