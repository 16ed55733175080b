/* Reports (docs/PROTOCOL.md clause 3.2): what node i tells the leader of a view to order. A block is
 * computed from exactly q of them. Never durable by themselves, never evidence. */
#ifndef SLU_WIRE_REPORT_H
#define SLU_WIRE_REPORT_H

#include "wire/ack.h"
#include "wire/inbox.h"

struct slu_report {
    uint32_t epoch;
    uint64_t view;
    uint16_t node;
    uint64_t released; /* highest height that the node has delivered */
    uint64_t clock_ms; /* the node's wall clock */
    uint16_t count;    /* certified tips above the committed cut, lanes strictly rising */
    struct slu_lane_tip tips[SLU_NODES_MAX];
    uint8_t signature[64];
    uint8_t digest[32]; /* derived: what is signed */
    /* Certified inbox items that no ancestor queued, ids rising: canonical tuples. Last, so that a copy
     * takes only what is in use. */
    uint16_t inbox_count;
    uint8_t inbox[SLU_INBOX_PER_REPORT_MAX * SLU_INBOX_TUPLE_BYTES];
};

#define SLU_REPORT_BYTES_MAX                                                                       \
    (4u + 8u + 2u + 8u + 8u + 2u + SLU_NODES_MAX * 42u + 2u +                                      \
     SLU_INBOX_PER_REPORT_MAX * SLU_INBOX_TUPLE_BYTES + 64u)

/** Copies what is in use. */
void slu_report_copy(struct slu_report *to, const struct slu_report *from);
/** Length of the canonical form. */
size_t slu_report_bytes(const struct slu_report *report);

void slu_report_digest(struct slu_report *report, const struct slu_genesis *g);
void slu_report_write(struct slu_writer *w, const struct slu_report *report);
SLU_MUST_USE int slu_report_read(struct slu_reader *r, const struct slu_genesis *g,
                                 struct slu_report *report);

#endif
