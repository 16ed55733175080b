/* What readers get of one height, at most, by the genesis alone (docs/PROTOCOL.md clause 9.5): so
 * that nobody can make a reader take more than that before a lie shows. */
#ifndef SLU_WIRE_HEIGHT_BOUND_H
#define SLU_WIRE_HEIGHT_BOUND_H

#include "wire/genesis.h"

struct slu_height_bound {
    size_t bytes;     /* of its entries, as in wire/entry.h */
    uint32_t entries; /* with openings */
};

/** Of a reader of all rollups; one of a single rollup gets no more. */
struct slu_height_bound slu_height_bound(const struct slu_genesis *genesis);

#endif
