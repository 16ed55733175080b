/* Ack vectors (docs/PROTOCOL.md clause 2.4): what a node newly holds, over all lanes, in one signed
 * message. An ack of a position covers every position below it on the same chain. */
#ifndef SLU_WIRE_ACK_H
#define SLU_WIRE_ACK_H

#include "base/bytes.h"
#include "wire/batch.h"
#include "wire/genesis.h"

struct slu_lane_tip {
    uint16_t lane;
    struct slu_tip tip;
};

struct slu_ack_vector {
    uint32_t epoch;
    uint16_t node;
    uint16_t count; /* lanes strictly rising, positions >= 1 */
    struct slu_lane_tip acks[SLU_NODES_MAX];
    uint8_t signature[64];
    uint8_t digest[32]; /* derived: what is signed */
};

#define SLU_ACK_VECTOR_BYTES_MAX (4u + 2u + 2u + SLU_NODES_MAX * 42u + 64u)

/** Sets v->digest from the other fields. */
void slu_ack_vector_digest(struct slu_ack_vector *v, const struct slu_genesis *g);
void slu_ack_vector_write(struct slu_writer *w, const struct slu_ack_vector *v);
SLU_MUST_USE int slu_ack_vector_read(struct slu_reader *r, const struct slu_genesis *g,
                                     struct slu_ack_vector *v);

/** The lane list that ack vectors and reports share: u16 count, then (lane, position, digest) with
 * strictly rising lanes. */
void slu_lane_tips_write(struct slu_writer *w, const struct slu_lane_tip *tips, uint16_t count);
SLU_MUST_USE int slu_lane_tips_read(struct slu_reader *r, const struct slu_genesis *g,
                                    struct slu_lane_tip *tips, uint16_t *count);

#endif
