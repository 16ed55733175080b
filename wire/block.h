/* Blocks and proposals (docs/PROTOCOL.md clauses 3.3, 3.5). A block is computed, never chosen: a
 * function of its parent and of the q reports that the proposal names. Height 0 is the genesis
 * block: view 0, empty cut, time = created_ms.
 *
 * A block's list of queued items is of any length up to slu_inbox_per_block, while struct slu_block is
 * kept in the thousands. So the struct has the list's count and a pointer to its canonical bytes, and
 * whoever keeps a block says where the list lies: in the buffer that was read (slu_block_read), beside
 * the blocks of a message (struct slu_blocks), in the core's list memory (consensus/chain.c). */
#ifndef SLU_WIRE_BLOCK_H
#define SLU_WIRE_BLOCK_H

#include "wire/batch.h"
#include "wire/evidence.h"
#include "wire/genesis.h"
#include "wire/inbox.h"

struct slu_block {
    uint32_t epoch;
    uint64_t view;
    uint64_t height;
    uint8_t parent[32];
    uint64_t time_ms;  /* stream time */
    uint32_t idle_run; /* consecutive blocks up to this one that ordered nothing */
    uint16_t n;
    struct slu_tip cut[SLU_NODES_MAX]; /* per lane, after clamping */
    struct slu_queue_tail tail;        /* of the queue, after this block's items */
    uint64_t evident[SLU_OFFENCES];    /* sets of nodes with evidence queued up to this block */
    uint8_t reports[32];               /* digest over the q reports' digests, in node order */
    uint16_t queued_count;             /* inbox items queued by this block, ids rising ... */
    const uint8_t *queued;             /* ... as canonical tuples; not owned */
    uint8_t digest[32];                /* derived */
};

/** Longest block without its list, and with it. */
#define SLU_BLOCK_BYTES_MAX                                                                        \
    (4u + 8u + 8u + 32u + 8u + 4u + 2u + SLU_NODES_MAX * 40u + 12u + 8u * SLU_OFFENCES + 32u + 2u)
#define SLU_LONG_BLOCK_BYTES_MAX (SLU_BLOCK_BYTES_MAX + SLU_QUEUED_BYTES_MAX)

/** Length of the canonical form, with its list. */
size_t slu_block_bytes(const struct slu_block *block);
/** Bytes of the list. */
static inline size_t slu_block_list_bytes(const struct slu_block *block)
{
    return (size_t)block->queued_count * SLU_INBOX_TUPLE_BYTES;
}
/** Nodes with evidence against them up to this block: slashed from the moment it is final. */
uint64_t slu_block_slashed(const struct slu_block *block);

void slu_block_digest(struct slu_block *block, const struct slu_genesis *g);
void slu_block_write(struct slu_writer *w, const struct slu_block *block);
/** block->queued points into the reader's buffer. */
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
