/* Blocks and proposals (docs/PROTOCOL.md clauses 3.3, 3.5). A block is computed, never chosen: a
 * function of its parent and of the q reports that the proposal names. Height 0 is the genesis
 * block: view 0, empty cut, time = created_ms. */
#ifndef SLU_WIRE_BLOCK_H
#define SLU_WIRE_BLOCK_H

#include "wire/batch.h"
#include "wire/genesis.h"

struct slu_block {
    uint32_t epoch;
    uint64_t view;
    uint64_t height;
    uint8_t parent[32];
    uint64_t time_ms;  /* stream time */
    uint32_t idle_run; /* consecutive blocks up to this one that ordered nothing */
    uint16_t n;
    struct slu_tip cut[SLU_NODES_MAX]; /* per lane, after clamping */
    uint16_t queued_count;             /* inbox ids queued by this block: 0 */
    uint8_t reports[32];               /* digest over the q reports' digests, in node order */
    uint8_t digest[32];                /* derived */
};

#define SLU_BLOCK_BYTES_MAX (4u + 8u + 8u + 32u + 8u + 4u + 2u + SLU_NODES_MAX * 40u + 2u + 32u)

void slu_block_digest(struct slu_block *block, const struct slu_genesis *g);
void slu_block_write(struct slu_writer *w, const struct slu_block *block);
SLU_MUST_USE int slu_block_read(struct slu_reader *r, const struct slu_genesis *g,
                                struct slu_block *block);
/** The block of height 0, which every node knows. */
void slu_block_genesis(struct slu_block *block, const struct slu_genesis *g);

struct slu_report_ref {
    uint16_t node;
    uint8_t digest[32];
};

struct slu_proposal {
    uint32_t epoch;
    uint64_t view;
    uint16_t node; /* the view's leader */
    uint64_t parent_view;
    uint8_t parent[32];
    uint8_t block[32];
    uint16_t count; /* q reports, nodes strictly rising */
    struct slu_report_ref reports[SLU_NODES_MAX];
    uint8_t notarize[64];  /* the leader's Notarize of `block` in `view` */
    uint8_t signature[64];
    uint8_t digest[32]; /* derived: what is signed */
};

#define SLU_PROPOSAL_BYTES_MAX                                                                     \
    (4u + 8u + 2u + 8u + 32u + 32u + 2u + SLU_NODES_MAX * 34u + 64u + 64u)

void slu_proposal_digest(struct slu_proposal *proposal, const struct slu_genesis *g);
void slu_proposal_write(struct slu_writer *w, const struct slu_proposal *proposal);
SLU_MUST_USE int slu_proposal_read(struct slu_reader *r, const struct slu_genesis *g,
                                   struct slu_proposal *proposal);
/** The digest that a block carries for these reports. */
void slu_reports_digest(uint8_t digest32[32], const struct slu_genesis *g,
                        const struct slu_report_ref *reports, uint16_t count);

#endif
