/* The inside of the core: one struct, in the order of the stations. Private to consensus/; every
 * other room uses core.h. Each station's functions stand under its name; the .c files have the rules.
 *
 *     submit -> lane -> ack --> report -> view -> chain -> order -> keygen, sealing -> opener -> release
 *                 \     inbox ----^        queue ---^------^             (calendar)
 *                  \__________ fetch __________/           (keygen speaks through the inbox)
 */
#ifndef SLU_CONSENSUS_STATE_H
#define SLU_CONSENSUS_STATE_H

#include "base/arena.h"
#include "base/limits.h"
#include "consensus/core.h"
#include "consensus/idset.h"
#include "consensus/keygen.h"
#include "consensus/opener.h"
#include "consensus/release.h"

#define SLU_NONE UINT32_MAX

/** Longest canonical body of a message that is not a REPORT, HEADERS or BLOCKS. */
#define SLU_SMALL_MESSAGE_BYTES (8u * 1024u)

/* ---- lanes (lane.c): a tree of headers per lane, rooted at the delivered and the final cut ---- */

struct slu_header {
    struct slu_batch_header h;
    uint32_t parent, first_child, next_sibling; /* places in the lane's pool, or SLU_NONE */
    uint32_t hash_next;                         /* chain of its bucket, or of the free list */
    uint64_t support;                           /* nodes whose acks cover it */
    bool held;                                  /* its body is on my disk (or in this turn) */
    bool whole;                                 /* held, and everything down to a cut is too */
    bool known;                                 /* its header is known; false: only a cut's tip */
    bool certified;
};

/* Batches that came before their parent: on disk already, waiting to be placed. When full, the oldest
 * is forgotten and will be fetched. */
#define SLU_ORPHANS_MAX 64u

/* The outstanding request for a lane's batches. */
struct slu_want {
    bool active;
    uint16_t peer;
    uint64_t sent_ms;
    struct slu_tip to;
    uint64_t first_ms; /* when the lack was first seen; 0: none */
};

struct slu_lane {
    struct slu_header *pool;
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint32_t free_list, used;
    struct slu_tip delivered; /* cut of the last delivered block */
    struct slu_tip committed; /* cut of the last final block known */
    uint32_t mine;            /* tip of the chain that I hold and ack */
    uint32_t certified;       /* highest certified header, or SLU_NONE */
    struct slu_tip acked;     /* highest ack that I sent or am about to send */
    bool ack_dirty;           /* acked is newer than my last ack vector */
    bool forked;              /* two headers at one position were seen ... */
    bool equivocated;         /* ... of one incarnation: the owner's fault */
    uint32_t frozen_below;    /* I ack nothing of a lower incarnation (clause 3.13) */
    uint64_t window_bytes;    /* held above the committed cut */
    struct slu_want bodies;
    struct slu_batch_header *orphans; /* SLU_ORPHANS_MAX, a ring */
    uint32_t orphan_count;            /* ever taken; the ring holds the newest */
    uint32_t history_window;     /* which part of the next block is asked for next */
    bool from_tip; /* ... from its tip down: others of the owner's take the places */
    uint64_t whole_height;       /* all bodies of the final blocks up to here are held */
    uint8_t frozen_nonce[32];    /* of the rejoin that frozen_below answers */
    struct slu_batch_header two[2]; /* the first two headers of one incarnation at one position ... */
    bool has_two;                   /* ... when there were two */
};

/* ---- fetch (fetch.c): small things asked for, each once per retry time ---- */

#define SLU_SMALL_WANTS 256u

struct slu_small_want {
    struct slu_fetch fetch;
    uint64_t sent_ms;
    uint32_t tries; /* 0: free */
};

/* ---- acks (ack.c): who acked what, with the signed vector that shows it ---- */

struct slu_ack_slot {
    struct slu_ack_vector vector;
    uint32_t references;
};

struct slu_ack_state {
    struct slu_tip tip;
    uint32_t slot; /* of the sender's vectors, or SLU_NONE */
};

/* ---- inbox (inbox.c): items that no final block queued yet, and who signed that they hold them ---- */

struct slu_inbox_entry {
    struct slu_inbox_tuple tuple;
    uint8_t digest[32];    /* of the tuple: what a hold signs */
    uint64_t holders;      /* nodes whose signature is in the table */
    uint32_t hash_next;    /* of its bucket (by id), or of the free list */
    uint32_t older, newer; /* in order of arrival */
    uint16_t taker;        /* held: in whose share it counts */
    uint16_t stray_of;     /* neither held nor certified: whose hold made it; else SLU_NODES_MAX */
    uint32_t tries;        /* times that its content was asked for */
    uint64_t since_ms;
    bool used, held, certified;
    bool unsaid; /* held, and my own hold is still to be signed */
};

struct slu_inbox_share {
    uint32_t items; /* held, unqueued, forced */
    uint64_t bytes; /* of them, as slu_queue_cost */
    uint32_t strays;
};

struct slu_inbox {
    struct slu_inbox_entry *pool;
    uint8_t (*signatures)[64]; /* n per place */
    uint32_t *buckets;
    uint32_t bucket_mask, cap;
    uint32_t free_list, fresh; /* places given back; places from here on were never used */
    uint32_t oldest, newest;
    uint32_t count, certified, missing, unsaid; /* entries; of them certified, not held, unsaid */
    uint32_t resend_at;                         /* the place where the next resend goes on */
    struct slu_inbox_share shares[SLU_NODES_MAX];
};

/* ---- queue (queue.c): what final blocks queued, until it is delivered and cannot be queued again ---- */

struct slu_queued {
    uint8_t id[32];
    uint64_t due;
    uint64_t valid_until_ms;
    uint64_t height, time_ms, tail_height; /* of the block that queued it */
    uint64_t holders;
    uint32_t bytes;
    uint16_t node; /* KEYGEN: whose, and of which phase */
    uint8_t kind, phase;
    bool held;
    bool done; /* its id was delivered before its height came */
};

/* Evidence of one offence of one node: at most one is ever queued. */
struct slu_offence_slot {
    struct slu_inbox_tuple tuple; /* queued; before that: the lowest id that I hold */
    uint64_t holders;
    uint64_t height; /* of the block that queued it; 0: none yet */
    uint32_t taken;  /* items ever held of it */
    bool held;
};

/* A final block that postage may name. */
struct slu_named {
    uint64_t height; /* 0: free */
    uint64_t time_ms;
    uint64_t booked_bytes;
    uint8_t digest[32];
};

struct slu_queue {
    struct slu_queued *ring; /* by sequence number */
    uint32_t cap;
    uint64_t first, due, top; /* the oldest, the first that is not delivered, one past the newest */
    struct slu_idset ids;     /* a: sequence number */
    struct slu_offence_slot *offences; /* [offence * n + offender] */
    struct slu_named *named;           /* SLU_POSTAGE_BLOCKS, by height */
    uint8_t *work_list;                /* slu_inbox_per_block tuples: of work_block */
};

/* ---- reports (report.c) ---- */

#define SLU_REPORTS_PER_NODE 2u

struct slu_report_slot {
    struct slu_report report;
    bool present;
    bool verified; /* I hold a certificate for each of its tips */
};

struct slu_report_view {
    uint64_t view;
    struct slu_report_slot *slots; /* n * SLU_REPORTS_PER_NODE */
};

/* ---- views (view.c) ---- */

struct slu_vote_slot {
    bool present;
    uint8_t block[32];
    uint8_t signature[64];
};

struct slu_view_slot {
    uint64_t view; /* 0: free */
    struct slu_vote_slot *votes[SLU_VOTE_KINDS]; /* n each */
    bool certified[SLU_VOTE_KINDS];
    uint8_t notarized[32];  /* the block of N and F */
    bool has_proposal;
    bool to_relay;          /* its N is still to be relayed */
    bool refused;           /* the proposal is invalid for good */
    struct slu_proposal proposal;
    bool own[SLU_VOTE_KINDS]; /* what I signed in this view; durable */
};

struct slu_core {
    const struct slu_genesis *g;
    uint16_t n, self, f, q;
    struct slu_signer signer;
    const struct slu_seal_secrets *seal; /* NULL: none */
    uint64_t random;
    uint64_t now_ms, clock_ms;
    uint64_t turn;
    bool started;
    struct slu_effects *fx;
    struct slu_core_stats stats;
    uint64_t heard_ms[SLU_NODES_MAX]; /* last time something signed by the node came in */
    bool heard_ever[SLU_NODES_MAX];

    /* submit */
    struct slu_idset pending; /* a: own position, b: 0 */
    uint8_t *open_payload;
    uint32_t open_bytes, open_txs;
    uint64_t opened_ms;
    uint32_t incarnation;

    /* lanes, acks */
    struct slu_lane *lanes;
    struct slu_ack_slot *ack_slots; /* n senders * ack_slots_each */
    uint32_t ack_slots_each;
    struct slu_ack_state *applied; /* [sender * n + lane] */
    struct slu_ack_state *waiting; /* the same, acks of headers that I do not know yet */
    uint64_t last_ack_ms;

    /* reports */
    struct slu_report_view reports[SLU_REPORT_VIEWS];
    uint64_t reported_view; /* highest view that I made a report for */
    struct slu_report own_report;

    /* views */
    struct slu_view_slot *views; /* SLU_VIEW_WINDOW */
    uint64_t view;
    uint64_t entered_ms, view_deadline_ms, heartbeat_due_ms;
    uint64_t view_took_ms; /* the time spent in the view before this one */
    bool shortened;
    bool progress_wanted;
    uint32_t growth_steps;
    uint64_t final_view;
    uint64_t voted_view;      /* the highest that I signed a vote in */
    uint64_t vote_floor;      /* no vote in views at or below (clauses 3.12, 3.13) */
    uint64_t forgotten_view;  /* vote records below are deleted */
    uint64_t resend_due_ms, last_final_ms;
    uint64_t relay_due_ms;    /* when N and F are relayed; 0: nothing to relay */
    uint64_t relayed_final;   /* the view of the last F that was relayed */
    uint64_t resend_view;     /* the view at the last resend tick */

    /* fetch */
    struct slu_small_want wants[SLU_SMALL_WANTS];
    uint64_t fetch_again_ms; /* when to ask again; 0: nothing is asked */

    /* inbox, queue */
    struct slu_inbox inbox;
    struct slu_queue queue;
    uint64_t slashed; /* set of nodes, as of the last final block */

    /* chain */
    struct slu_block *blocks; /* above the final view or a gap, in order of arrival: SLU_PENDING_BLOCKS */
    uint32_t block_count;
    uint8_t *block_lists;     /* their lists, in the same order: SLU_PENDING_LIST_BYTES */
    size_t block_lists_used;
    uint8_t *head_list;       /* of head */
    uint8_t *gap_lists;       /* of the blocks above a gap: SLU_PENDING_LIST_BYTES */
    size_t gap_lists_used;
    const struct slu_block **block_path; /* scratch of a walk */
    struct slu_block head;            /* last final block whose content I have */
    struct slu_cert head_cert;
    bool has_head_cert;
    struct slu_cert want_head;        /* an F whose block I lack */
    bool wants_head;
    struct slu_block *finals;         /* ring by height: delivered+1 .. finals_top; without lists */
    uint64_t finals_top;
    uint64_t finals_fetch_ms;
    uint64_t gap_low, gap_top;        /* final ones in the ring above a gap; 0: there is none */
    uint8_t gap_parent[32];           /* the block below gap_low: what is asked for next */
    struct slu_cert gap_cert;         /* F of gap_top */

    /* order */
    struct slu_block delivered; /* last delivered block; without its list */
    struct slu_idset dedup;     /* a: height, b: outcome, c: low bits of its time */
    struct slu_idset dropped;   /* the same, of dropped ones; answers queries only */
    struct slu_order *order;
    bool order_wanted;          /* a block may have become deliverable */

    /* sealed entries */
    struct slu_keygen *keygen;
    struct slu_calendar calendar;
    struct slu_sealing sealing;
    struct slu_opener opener;

    /* releases */
    struct slu_releases releases;

    /* rejoin (recover.c) */
    bool rejoining;
    uint8_t rejoin_nonce[32];
    uint64_t rejoin_due_ms;    /* when to ask again */
    uint64_t froze;            /* nodes whose freeze I have */
    uint32_t rejoin_as;        /* the incarnation that q must stand by; 0: not known yet */
    uint32_t froze_as[SLU_NODES_MAX]; /* below which incarnation each of them acks nothing */
    struct slu_tip *freezes;   /* n of them: each node's highest ack of my lane */
    bool lane_closed;          /* own lane may not grow until its old tip is back */
    uint64_t lane_open_ms;     /* when claims that nobody could prove are dropped */
    bool first_start;

    struct slu_message *scratch; /* for encoding what is sent */
    struct slu_block work_block;
    uint32_t *path;              /* lane walks: lane_window_batches + 1 */
};

/* core.c */
uint64_t slu_random(struct slu_core *c);
static inline struct slu_tip slu_tip_zero(void)
{
    return (struct slu_tip){.position = 0};
}
bool slu_digest_is(const uint8_t a[32], const uint8_t b[32]);

/* effects.c: appending effects; all bytes go to the turn's arena */
void slu_fx_send(struct slu_core *c, uint16_t to, const struct slu_message *message);
void slu_fx_send_batch(struct slu_core *c, uint16_t to, const struct slu_batch_header *header,
                       const uint8_t *payload);
void slu_fx_persist(struct slu_core *c, const struct slu_record_key *key, const uint8_t *value,
                    size_t len, const uint8_t *payload, size_t payload_len);
void slu_fx_forget(struct slu_core *c, const struct slu_record_key *from,
                   const struct slu_record_key *to);
void slu_fx_trace(struct slu_core *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** relay->content must stay valid until the turn was executed. */
void slu_fx_send_relay(struct slu_core *c, uint16_t to, const struct slu_relay *relay);
uint8_t *slu_fx_take(struct slu_core *c, size_t bytes);
/** Counts arithmetic, in units of about 0.1 ms: a turn ends after SLU_REVEAL_OPS of it. */
void slu_fx_work(struct slu_core *c, uint32_t ops);
struct slu_effect *slu_fx_add(struct slu_core *c, enum slu_effect_kind kind);

/* submit.c: own transactions, own batches */
void slu_submit(struct slu_core *c, const struct slu_event *event);
void slu_submit_turn(struct slu_core *c);
uint64_t slu_submit_deadline(const struct slu_core *c);
void slu_query(struct slu_core *c, const struct slu_event *event);
void slu_own_delivered(struct slu_core *c, uint64_t position);
void slu_submit_restore(struct slu_core *c, const struct slu_batch_header *header,
                        const uint8_t *payload);

/* lane_pool.c: the places of a lane's headers; the tree that they form */
size_t slu_pool_bytes(const struct slu_genesis *g);
void slu_pool_init(const struct slu_genesis *g, struct slu_lane *lane, struct slu_arena *arena);
uint32_t slu_lane_find(const struct slu_lane *lane, const uint8_t digest32[32]);
/** A place for a new header, linked to nothing. When all are taken, others go, but not the one at
 * `keep`; for one that is `ordered`, or as good as that, so many that there always is one. Counted in
 * headers_dropped. SLU_NONE: there is none. */
uint32_t slu_pool_take(struct slu_core *c, uint16_t lane, const uint8_t digest32[32], uint32_t keep,
                       bool ordered);
/** The highest position of history that is kept for the delivery to come, and asked for. */
uint64_t slu_pool_history_top(const struct slu_core *c, const struct slu_lane *lane);
void slu_pool_link(struct slu_lane *lane, uint32_t place, uint32_t parent);
void slu_pool_unlink(struct slu_lane *lane, uint32_t place);
void slu_pool_free_tree(struct slu_lane *lane, uint32_t root);
/** Bytes that a node takes of the lane's window: of its batch, when that is held above the committed
 * cut; of all nodes; of those that a cut at `place` leaves behind on other forks. */
size_t slu_pool_window_cost(const struct slu_lane *lane, const struct slu_header *node);
uint64_t slu_pool_recount(const struct slu_genesis *g, const struct slu_lane *lane);
uint64_t slu_pool_left_behind(const struct slu_genesis *g, const struct slu_lane *lane,
                              uint32_t place);

/* lane.c */
size_t slu_lane_bytes(const struct slu_genesis *g);
void slu_lane_init(struct slu_core *c, uint16_t lane, struct slu_arena *arena);
void slu_lane_on_batch(struct slu_core *c, const struct slu_batch *batch, bool own);
void slu_lane_on_headers(struct slu_core *c, const struct slu_headers *headers);
void slu_lane_restore(struct slu_core *c, const struct slu_batch_header *header);
/** The first batch that is not held, going down from the final block's `tip`. A place is kept for it:
 * it is taken whatever else its owner made, and then so is its parent. False: no such one is known of. */
bool slu_lane_lacks(struct slu_core *c, uint16_t lane, const struct slu_tip *tip,
                    struct slu_tip *lacking);
void slu_lane_certified(struct slu_core *c, uint16_t lane, uint32_t place);
void slu_lane_commit(struct slu_core *c, uint16_t lane, const struct slu_tip *tip);
void slu_lane_delivered(struct slu_core *c, uint16_t lane, const struct slu_tip *tip);
void slu_lane_extend(struct slu_core *c, uint16_t lane);
uint32_t slu_lane_path(struct slu_core *c, const struct slu_lane *lane, uint32_t place,
                       uint64_t above, const uint8_t above_digest32[32], uint32_t *path);
bool slu_lane_descends(const struct slu_lane *lane, uint32_t place, uint32_t from);
bool slu_lane_usable(const struct slu_lane *lane, uint32_t place);

/* ack.c */
void slu_ack_on_vector(struct slu_core *c, const struct slu_ack_vector *vector);
void slu_ack_header_known(struct slu_core *c, uint16_t lane, uint32_t place);
void slu_ack_forget(struct slu_core *c, uint16_t lane, uint64_t up_to);
/** The header at `place` is given up: who acked it last acked its parent, as far as is known here. */
void slu_ack_retreat(struct slu_core *c, uint16_t lane, uint32_t place);
void slu_ack_turn(struct slu_core *c);
void slu_ack_send_new(struct slu_core *c);
void slu_ack_send_full(struct slu_core *c, uint16_t to);
void slu_ack_serve(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch);
uint64_t slu_ack_deadline(const struct slu_core *c);

/* inbox.c: forced items and evidence until a final block queues them */
size_t slu_inbox_bytes(const struct slu_genesis *g);
void slu_inbox_init(struct slu_core *c, struct slu_arena *arena);
void slu_inbox_force(struct slu_core *c, const struct slu_event *event);
void slu_inbox_receipt(struct slu_core *c, const struct slu_event *event);
void slu_inbox_on_relay(struct slu_core *c, const struct slu_relay *relay);
void slu_inbox_on_holds(struct slu_core *c, const struct slu_holds *holds);
/** Signs, takes in and relays an item of this node's own; its content must outlive the turn. */
void slu_inbox_take(struct slu_core *c, struct slu_relay *relay);
/** Signs and sends holds of what was taken in since the last turn. */
void slu_inbox_turn(struct slu_core *c);
void slu_inbox_resend(struct slu_core *c);
void slu_inbox_send_all(struct slu_core *c, uint16_t to);
void slu_inbox_fetch(struct slu_core *c);
void slu_inbox_serve(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch);
/** Whether this tuple needs no certificate any more, or I hold one. */
bool slu_inbox_backed(const struct slu_core *c, const struct slu_inbox_tuple *tuple);
/** Whether something certified is not queued by `base` or an ancestor. */
bool slu_inbox_has_new(const struct slu_core *c, const struct slu_block *base);
/** Fills a report's list: certified, not queued by an ancestor of a child of `base`, longest held
 * first; ids rising. */
void slu_inbox_report(const struct slu_core *c, const struct slu_block *base,
                      struct slu_report *report);
/** A final block queued this: hands over who holds it, and forgets it here. */
void slu_inbox_queued(struct slu_core *c, const struct slu_inbox_tuple *tuple, bool *held,
                      uint64_t *holders);
/** After a commit: forgets what no later block can queue. */
void slu_inbox_expire(struct slu_core *c);
/** The place of a tuple in the table, or SLU_NONE. */
uint32_t slu_inbox_place(const struct slu_core *c, const struct slu_inbox_tuple *tuple);
void slu_inbox_drop(struct slu_core *c, uint32_t place);
struct slu_inbox_entry *slu_inbox_find(const struct slu_core *c, const uint8_t id32[32]);
/** At boot: an item that the disk holds and that no final block queued. */
void slu_inbox_restore(struct slu_core *c, const struct slu_relay *relay);

/* queue.c: the queue along the chain */
size_t slu_queue_bytes(const struct slu_genesis *g);
void slu_queue_init(struct slu_core *c, struct slu_arena *arena);
/** Computes out->queued, tail and evident (clause 6.4). False: an ancestor's list is missing. */
bool slu_queue_compute(struct slu_core *c, struct slu_block *out, const struct slu_block *parent,
                       const struct slu_report *const *reports);
/** Whether `base` or a pending ancestor of it queued this id. Final ones are not looked at. */
bool slu_queue_pending_has(const struct slu_core *c, const struct slu_block *base,
                           const uint8_t id32[32]);
/** The remembered queue entry of an id, or NULL. */
struct slu_queued *slu_queue_find(const struct slu_core *c, const uint8_t id32[32]);
struct slu_offence_slot *slu_queue_offence(const struct slu_core *c, uint8_t offence,
                                           uint16_t offender);
bool slu_queue_has_room(const struct slu_core *c, const struct slu_block *block);
/** The next final block: its items get their heights. `before` is its parent. */
void slu_queue_push(struct slu_core *c, const struct slu_block *block,
                    const struct slu_queue_tail *before);
/** A final block that postage may name; NULL: unknown or too long ago. */
const struct slu_named *slu_queue_named(const struct slu_core *c, uint64_t height,
                                        const uint8_t digest32[32]);
/** Whether all that is delivered out of the queue at `height` is held; asks for what is not. */
bool slu_queue_ready(struct slu_core *c, uint64_t height);
/** Heights up to c->delivered were delivered: forgets what can neither come nor be queued again. */
void slu_queue_delivered(struct slu_core *c);
/** An id was delivered by a lane. */
void slu_queue_mark_done(struct slu_core *c, const uint8_t id32[32]);
/** At boot: the same, of an id delivered or found delivered at `height`. */
void slu_queue_restore_done(struct slu_core *c, const uint8_t id32[32], uint64_t height);
/** Number of the first entry that was queued at `height` or later. */
uint64_t slu_queue_of_height(const struct slu_core *c, uint64_t height);
/** Whether a restart that delivers on after `delivered` needs what this block queued. */
bool slu_queue_remembers(const struct slu_core *c, const struct slu_block *block,
                         const struct slu_block *delivered);

/* evidence.c */
void slu_evidence_turn(struct slu_core *c);
/** Looks at a vote beside what is known of its view; before it is counted. */
void slu_evidence_on_vote(struct slu_core *c, const struct slu_view_slot *slot,
                          enum slu_vote_kind kind, uint16_t node, const uint8_t block32[32],
                          const uint8_t signature64[64]);

/** Evidence of a SHARES message whose proof failed, under this key, for this list. */
void slu_evidence_wrong_share_of(struct slu_core *c, const struct slu_key_cert *cert,
                                 const struct slu_signed_shares *shares,
                                 const uint8_t ids_hash32[32], const uint8_t (*r32)[32]);
/** `cert`, and the `count` releases below it, show that `message` signs another than was released. */
void slu_evidence_wrong_release_of(struct slu_core *c, const struct slu_release_cert *cert,
                                   const struct slu_release *const *below, uint8_t count,
                                   const struct slu_signed_release *message);

/* block.c: the pure computation */
bool slu_block_compute(struct slu_core *c, struct slu_block *out, const struct slu_block *parent,
                       uint64_t view, const struct slu_report *const *reports);
uint64_t slu_heartbeat_ms(const struct slu_genesis *g, const struct slu_block *parent);

/* report.c */
void slu_report_on_report(struct slu_core *c, const struct slu_report *report, bool wanted);
bool slu_report_has_new(const struct slu_core *c, const struct slu_block *base);
void slu_report_make(struct slu_core *c, uint64_t view);
void slu_report_maybe(struct slu_core *c);
void slu_report_recheck(struct slu_core *c);
uint32_t slu_report_count(const struct slu_core *c, uint64_t view, bool verified, bool others);
void slu_report_restore(struct slu_core *c, const struct slu_report *report);
struct slu_report_slot *slu_report_find(struct slu_core *c, uint64_t view, uint16_t node,
                                        const uint8_t digest32[32]);
struct slu_report_slot *slu_report_any(struct slu_core *c, uint64_t view, uint16_t node,
                                       bool verified);
bool slu_report_is_wanted(struct slu_core *c, const struct slu_report *report);
/** Writes the reports of a block that is final, if they are all here. */
void slu_report_persist(struct slu_core *c, const struct slu_block *block);

/* view.c */
struct slu_view_slot *slu_view_slot(struct slu_core *c, uint64_t view);
struct slu_view_slot *slu_view_peek(const struct slu_core *c, uint64_t view);
void slu_view_enter(struct slu_core *c, uint64_t view);
/** Notes that a proposal or a Notarize may have become possible; slu_view_run then tries. */
void slu_view_progress(struct slu_core *c);
void slu_view_run(struct slu_core *c);
void slu_view_tick(struct slu_core *c);
uint64_t slu_view_deadline(const struct slu_core *c);
void slu_view_reports_changed(struct slu_core *c);
void slu_view_finalized(struct slu_core *c);
uint16_t slu_view_leader(const struct slu_core *c, uint64_t view);
/** Whether views follow one another closely, so that a vote of mine, with its sync, is near: what can
 * wait a moment rides along with it (clauses 2.2, 2.4). */
bool slu_view_is_moving(const struct slu_core *c);
/* The parent of a proposal of `view`; false while certificates are missing (they are asked for). */
bool slu_view_parent(struct slu_core *c, uint64_t view, uint64_t *parent_view,
                     uint8_t digest32[32]);
void slu_view_on_proposal(struct slu_core *c, const struct slu_proposal *proposal);

/* vote.c */
void slu_vote_on_vote(struct slu_core *c, const struct slu_vote *vote, uint16_t from);
void slu_vote_on_cert(struct slu_core *c, const struct slu_cert *cert, uint16_t from);
bool slu_vote_allowed(const struct slu_core *c, uint64_t view);
void slu_vote_notarize(struct slu_core *c, struct slu_view_slot *slot,
                       const struct slu_block *block, const struct slu_report *const *reports);
void slu_vote_nullify(struct slu_core *c, uint64_t view);
void slu_vote_finalize(struct slu_core *c, struct slu_view_slot *slot);
bool slu_vote_cert(const struct slu_core *c, uint64_t view, enum slu_vote_kind kind,
                   struct slu_cert *out);
void slu_vote_send_own(struct slu_core *c, uint16_t to, uint64_t view);
void slu_vote_send_entry(struct slu_core *c, uint16_t to);
void slu_vote_relay_tick(struct slu_core *c);
void slu_vote_resend_above_final(struct slu_core *c, uint16_t to);
void slu_vote_restore(struct slu_core *c, const struct slu_vote *vote);
void slu_vote_restore_cert(struct slu_core *c, const struct slu_cert *cert);
void slu_vote_tally(struct slu_core *c, struct slu_view_slot *slot, enum slu_vote_kind kind,
                    uint16_t node, const uint8_t block32[32], const uint8_t signature64[64]);
void slu_vote_serve_views(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch);

/* chain.c */
const struct slu_block *slu_chain_find(const struct slu_core *c, const uint8_t digest32[32]);
const struct slu_block *slu_chain_best(struct slu_core *c);
void slu_chain_add(struct slu_core *c, const struct slu_block *block);
void slu_chain_on_blocks(struct slu_core *c, const struct slu_blocks *blocks, uint16_t from);
void slu_chain_final(struct slu_core *c, const struct slu_cert *cert, uint16_t from);
void slu_chain_restore_head(struct slu_core *c, const struct slu_block *block,
                            const struct slu_cert *cert);
const struct slu_block *slu_chain_final_at(const struct slu_core *c, uint64_t height);
void slu_chain_restore_final(struct slu_core *c, const struct slu_block *block);
/** Whether the lists of all final blocks went into the queue. */
bool slu_chain_queue_known(const struct slu_core *c);
/** Below the head's known ancestors: the digest of the next one, which I lack; NULL: no gap. */
const uint8_t *slu_chain_missing(struct slu_core *c);
void slu_chain_serve_block(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch);

/* order.c */
size_t slu_order_bytes(const struct slu_genesis *g);
void slu_order_init(struct slu_core *c, struct slu_arena *arena);
void slu_order_progress(struct slu_core *c);
void slu_order_on_body(struct slu_core *c, const struct slu_event *event);
/** What queries find of an id that will not be delivered. */
void slu_order_note_dropped(struct slu_core *c, const uint8_t id32[32], uint64_t height,
                            uint32_t reason);
/** The IDS record of `block`; `in_window`: its ids still count as delivered. */
int slu_order_restore_ids(struct slu_core *c, const struct slu_block *block, bool in_window,
                          const uint8_t *value, size_t len);

/* fetch.c */
void slu_fetch_tick(struct slu_core *c);
uint64_t slu_fetch_deadline(const struct slu_core *c);
/** Asks for something small (certificates, a report, a block) unless it was asked a moment ago. First
 * a node of the set `preferred`, then, on each retry, another one. digest32 may be NULL. */
void slu_fetch_want(struct slu_core *c, enum slu_fetch_what what, uint16_t lane, uint64_t from,
                    uint64_t until, const uint8_t *digest32, uint64_t preferred);
/** Asks for the headers of a lane up to `tip`. */
void slu_fetch_headers(struct slu_core *c, uint16_t lane, const struct slu_tip *tip,
                       uint64_t preferred);
/** Whether something with this digest was asked for. */
bool slu_fetch_is_wanted(const struct slu_core *c, enum slu_fetch_what what,
                         const uint8_t digest32[32]);
void slu_fetch_on_request(struct slu_core *c, const struct slu_fetch *fetch, uint16_t from);
/** Whether Δ passed since `since_ms`: what is missing is usually on its way. Wakes the core then. */
bool slu_fetch_patience(struct slu_core *c, uint64_t since_ms);
/** The batch at `position` of the lane came in. */
void slu_fetch_progress(struct slu_core *c, uint16_t lane, uint64_t position);

/* recover.c: boot; rejoin.c: the rule for a lost disk */
#define SLU_REJOIN_RECORD_BYTES 13u
void slu_vote_recount(struct slu_core *c);
void slu_view_restart(struct slu_core *c);
void slu_rejoin_start(struct slu_core *c);
void slu_rejoin_tick(struct slu_core *c);
void slu_rejoin_on_request(struct slu_core *c, const struct slu_rejoin *rejoin, uint16_t from);
void slu_rejoin_on_freeze(struct slu_core *c, const struct slu_freeze *freeze);
void slu_rejoin_lane(struct slu_core *c);
uint64_t slu_rejoin_deadline(const struct slu_core *c);

#endif
