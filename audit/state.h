/* The inside of an audit: one struct, in the order in which a height goes through the rules.
 * Private to audit/. Functions return 0, SLU_AUDIT_FAULT (a rule does not hold, the report says
 * which), or a negative SLU_ERR_* of the store. */
#ifndef SLU_AUDIT_STATE_H
#define SLU_AUDIT_STATE_H

#include "audit/audit.h"
#include "base/bytes.h"
#include "consensus/block.h"
#include "consensus/calendar.h"
#include "consensus/idset.h"
#include "consensus/keygen_replay.h"
#include "consensus/order.h"
#include "crypto/sealed.h"
#include "crypto/verify_keys.h"
#include "wire/entry.h"
#include "wire/block.h"
#include "wire/release.h"
#include "wire/report.h"
#include "wire/space.h"
#include "wire/tx.h"

#define SLU_AUDIT_FAULT 1

/* Bytes that grow. */
struct audit_bytes {
    uint8_t *at;
    size_t len, cap;
};

/* A batch of the height, in the order in which it is delivered. */
struct audit_batch {
    struct slu_batch_header header;
    size_t payload; /* its place in `bodies` */
};

/* What of a header the walk from a reported tip needs; direct mapped by digest. */
#define AUDIT_HEADERS 8192u
struct audit_header {
    uint8_t digest[32], parent[32];
    uint64_t position;
    uint32_t payload_bytes, txs;
};

/* A forced item, until it is delivered and can be queued no more. */
struct audit_queued {
    struct slu_inbox_tuple tuple;
    uint64_t due, height, time_ms, tail_height;
    bool done; /* its id was delivered before its height came */
};

/* What is due at the height. */
struct audit_due {
    struct slu_sealed_entry e;
    uint32_t index;
    bool invalid; /* out of the queue, and no valid sealing */
    bool has_r;
    uint8_t r32[32]; /* of its ciphertext, once known */
    int key;         /* number; -1: not known */
    uint8_t outcome; /* slu_void, as shown */
};

struct slu_audit {
    const struct slu_genesis *g;
    uint16_t n, f, q;
    const struct slu_store *store;
    const struct slu_store *const *others;
    size_t other_count;
    struct slu_verify_keys *keys;
    struct slu_verifier verifier;
    struct slu_audit_report *report;
    void *memory[16]; /* taken at the start */
    size_t memory_count;
    uint64_t from;
    bool whole; /* from height 1 on: all state is computed */
    uint64_t height;

    /* chain */
    struct slu_block parent, block;
    struct audit_bytes parent_list, list;
    uint64_t unproven; /* the lowest block that no certificate covers yet; 0: none */

    /* reports, cuts */
    struct slu_report *reports; /* q */
    const struct slu_report *named[SLU_NODES_MAX];
    bool has_reports;
    struct audit_header *headers;
    struct audit_bytes bodies;
    struct audit_batch *lane_batches; /* all lanes', each from its tip down */
    size_t batch_count, batch_cap;
    size_t lane_first[SLU_NODES_MAX], lane_count[SLU_NODES_MAX];
    uint32_t *plan; /* places in lane_batches, in order of delivery */
    size_t plan_cap;
    struct audit_header *path; /* of one lane, from its tip down */
    size_t path_cap;

    /* queue */
    struct audit_queued *ring;
    uint64_t ring_cap, ring_first, ring_top;
    struct slu_idset ring_ids;
    bool queue_known; /* all that counts of earlier blocks */
    struct audit_bytes work_list;

    /* delivery */
    struct audit_bytes delivered_bytes, ids, drops, record;
    struct slu_delivered delivered;
    struct slu_idset dedup;
    bool dedup_known;
    uint64_t start_ms; /* stream time below the range */
    uint32_t entries;
    uint32_t drop_batch, drop_tx; /* the record's next drop */
    uint8_t drop_reason;
    bool has_drop;

    /* sealed */
    struct slu_key_replay *replay;
    struct slu_calendar calendar;
    uint32_t budget[SLU_DUE_QUEUES_MAX];
    uint64_t invalid_lanes, forced_taken;
    struct audit_due *dues;
    uint32_t due_count, due_cap;
    struct slu_delivered_due *shown; /* the record's */
    uint32_t shown_count, shown_cap;
    uint8_t *plain; /* for one opening */

    /* releases */
    struct slu_space_maker ordered, opened;
    uint8_t parts[SLU_STATE_PARTS][32];
    bool parts_known;
    uint8_t previous[32];
    bool previous_known;
};

/* result.c */
int audit_fault(struct slu_audit *a, enum slu_audit_rule rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Counts what was checked; `whole`: nothing of it was left out at this height. */
void audit_count(struct slu_audit *a, enum slu_audit_rule rule, uint64_t count, bool whole);
void audit_skip(struct slu_audit *a, enum slu_audit_rule rule, uint64_t count);
/** Reads a record. `value` is the store's until its next call. Errors: NOT_FOUND, IO, CORRUPT. */
int audit_get(const struct slu_store *store, enum slu_record_kind kind, uint64_t a, uint64_t b,
              const uint8_t *digest32, const uint8_t **value, size_t *len);
bool audit_same(const uint8_t a32[32], const uint8_t b32[32]);
/** Appends, or keeps, bytes. Errors: MEMORY. */
int audit_bytes_add(struct audit_bytes *to, const void *bytes, size_t len);
int audit_bytes_set(struct audit_bytes *to, const void *bytes, size_t len);
void audit_bytes_free(struct audit_bytes *bytes);
/** Room for `count` elements of `size`. Errors: MEMORY. */
int audit_grow(void **array, size_t *cap, size_t count, size_t size);

/* chain.c */
int audit_read_block(struct slu_audit *a, uint64_t height, struct slu_block *block,
                     struct audit_bytes *list, struct slu_reader *rest);
int audit_chain(struct slu_audit *a);
/** No more heights: whether what no certificate covered yet is final by one above. */
int audit_chain_end(struct slu_audit *a);
int audit_reports(struct slu_audit *a);

/* cuts.c */
int audit_clock(struct slu_audit *a);
/** Reads the batches of the height into the plan of its delivery. */
int audit_cuts(struct slu_audit *a);

/* queue.c */
int audit_queue_init(struct slu_audit *a);
int audit_queue(struct slu_audit *a);
struct audit_queued *audit_queued_at(const struct slu_audit *a, uint64_t number);
struct audit_queued *audit_queued_find(const struct slu_audit *a, const uint8_t id32[32]);
/** What a block below the range queued. */
int audit_queue_push(struct slu_audit *a, const struct slu_block *block,
                     const struct slu_queue_tail *before);
void audit_queue_trim(struct slu_audit *a);

/* deliver.c */
int audit_deliver(struct slu_audit *a);

/* sealed.c */
int audit_sealed_init(struct slu_audit *a);
/** The keys that the store shows, by their certificates: for a range that begins above 1. */
int audit_keys_load(struct slu_audit *a);
void audit_sealed_begin(struct slu_audit *a);
bool audit_sealed_keep_forced(struct slu_audit *a, uint32_t bytes);
int audit_sealed_forced(struct slu_audit *a, const struct slu_tx *tx, const uint8_t id32[32],
                        uint32_t index);
int audit_sealed_waited(struct slu_audit *a);
/** A lane's; `shown` is the reason that the record gives, 0: none. */
int audit_sealed_judge(struct slu_audit *a, uint16_t lane, const struct slu_tx *tx,
                       const uint8_t id32[32], uint8_t shown, enum slu_drop *drop);
/** The dues of the height against the record's. */
int audit_sealed_end(struct slu_audit *a);

/* openings.c */
int audit_openings(struct slu_audit *a);

/* releases.c */
int audit_releases_init(struct slu_audit *a);
int audit_releases_start(struct slu_audit *a);
int audit_entry(struct slu_audit *a, uint32_t index, uint8_t kind, const uint8_t id32[32],
                const struct slu_tx *tx);
/* The same of any entry, into one of the two spaces; `content32` as slu_entry_leaf has it. */
int audit_list(struct slu_audit *a, enum slu_audit_rule rule, struct slu_space_maker *space,
               const struct slu_entry *entry, const uint8_t *content32);
int audit_releases(struct slu_audit *a);

#endif
