/* What sluice/chain.h loads, for the rest of the client library. */
#ifndef SLU_CLIENT_CHAIN_H
#define SLU_CLIENT_CHAIN_H

#include "sluice/chain.h"
#include "wire/genesis.h"

struct slu_chain {
    struct slu_genesis genesis;
};

#endif
