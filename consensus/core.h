/* The core: the whole protocol of one node behind one door. Pure and deterministic: no I/O, no
 * clock, no thread, no heap; but for the fresh bytes of proofs in the key generation (crypto/proof.h),
 * which the simulator fixes. The daemon (node/) and the simulator (tests/sim) run the very same code.
 *
 *         events                                            effects, in this order
 *   message, submission,  --->  slu_core_step(core, ev, fx) --->  PERSIST (one sync for all)
 *   force, receipt, timer,                                        SEND, SERVE, READ
 *   body, query, ... , TURN                                       ADMITTED, TAKEN, DURABLE, ANSWER, DELIVERED
 *                                                                 the next deadline (fx->deadline_ms)
 *
 * A *turn* is a burst of events that ends with a TURN event; the core flushes what it gathered (an
 * own batch, an ack vector) and the caller then executes the turn's effects:
 *   1. every PERSIST is written, and, when the turn `promises`, synced with all written before it;
 *   2. only then every other effect is executed, in order.
 * Turns are executed strictly one after another. The core does not wait for them: it may run ahead,
 * since no vote, ack or own batch leaves the node before it and everything before it is durable
 * (invariant 7). What needs no sync of its own is what a quorum's signatures prove anyway (final
 * blocks, what they deliver) and bodies, which are only promised by an ack.
 *
 * Restart: slu_core_init, slu_core_boot (consensus/recover.c) over the store, then a START event.
 *
 * Ownership: bytes that an effect points to live in the slu_effects or in the event's own message,
 * so an event's message and payload must stay valid until the effects of its turn were executed.
 * Thread: one thread owns a core. */
#ifndef SLU_CONSENSUS_CORE_H
#define SLU_CONSENSUS_CORE_H

#include "base/arena.h"
#include "base/limits.h"
#include "consensus/store.h"
#include "crypto/dkg.h"
#include "crypto/keyguard.h"
#include "wire/genesis.h"
#include "wire/message.h"
#include "wire/release.h"
#include "wire/tx.h"

struct slu_core;

#define SLU_TO_ALL UINT16_MAX /* every other node */

enum slu_event_kind {
    SLU_EVENT_START,    /* once, after boot */
    SLU_EVENT_MESSAGE,  /* decoded, bounded, signature-checked */
    SLU_EVENT_PEER_UP,  /* a link to `from` came up */
    SLU_EVENT_SUBMIT,   /* transactions of a local client */
    SLU_EVENT_FORCE,    /* a forced transaction of a local client, with its postage */
    SLU_EVENT_RECEIPT,  /* a client asks for a receipt of an inbox item */
    SLU_EVENT_QUERY,    /* where are these ids */
    SLU_EVENT_BODY,     /* answer to a READ effect */
    SLU_EVENT_TIMER,    /* the deadline passed (an early one does no harm) */
    SLU_EVENT_TURN,     /* end of a burst */
};

struct slu_event {
    enum slu_event_kind kind;
    uint64_t now_ms;   /* monotonic; never falls */
    uint64_t clock_ms; /* wall clock; may jump */
    uint16_t from;     /* MESSAGE: the link's peer, PEER_UP */
    union {
        const struct slu_message *message;
        struct {
            uint64_t token;          /* returned in ADMITTED */
            const uint8_t *envelopes; /* `count` envelopes back to back, checked for form */
            size_t bytes;
            uint32_t count; /* 1..SLU_SUBMIT_TXS_MAX */
        } submit;
        struct {
            uint64_t token; /* returned in TAKEN */
            const uint8_t *envelope; /* exactly one, checked for form; copied */
            size_t bytes;
            struct slu_postage postage; /* names a block of slu_core_inbox_status */
        } force;
        struct {
            uint64_t token; /* returned in TAKEN */
            uint8_t id[32];
        } receipt;
        struct {
            uint64_t token;        /* returned in ANSWER */
            const uint8_t *ids;    /* count * 32 bytes */
            uint32_t count;        /* 1..SLU_QUERY_IDS_MAX */
        } query;
        struct {
            uint64_t tag; /* of the READ */
            const uint8_t *record; /* as it was written; NULL: it could not be read */
            size_t bytes;
        } body;
    };
};

enum slu_effect_kind {
    SLU_EFFECT_PERSIST,   /* write a record */
    SLU_EFFECT_FORGET,    /* delete the records of [key, key_end) */
    SLU_EFFECT_SEND,      /* a message to a peer, or SLU_TO_ALL */
    SLU_EFFECT_SERVE,     /* answer a peer's fetch from the store (consensus/serve.h) */
    SLU_EFFECT_READ,      /* read a BATCH, INBOX or CALENDAR record, answer with BODY */
    SLU_EFFECT_ADMITTED,  /* what became of a submission's transactions */
    SLU_EFFECT_TAKEN,     /* what became of a FORCE or RECEIPT; by then the item is durable */
    SLU_EFFECT_DURABLE,   /* own batches up to `position` are durable: the accepted are accepted */
    SLU_EFFECT_ANSWER,    /* of a query */
    SLU_EFFECT_DELIVERED, /* a height is delivered: its record is written */
    SLU_EFFECT_OPENED,    /* all that is due up to a height is open: readers may see it */
    SLU_EFFECT_RELEASED,  /* a certificate of the releases up to a height is there */
    SLU_EFFECT_DIVERGED,  /* this node's state is not the others': it must stop */
    SLU_EFFECT_TRACE,     /* a line for the log, rate limited by the caller */
};

/** What became of one submitted transaction. */
struct slu_admission {
    uint8_t id[32];
    uint8_t status;    /* slu_admission_status */
    uint64_t position; /* own lane's batch that carries it, when ACCEPTED */
};

enum slu_admission_status {
    SLU_ADMIT_ACCEPTED = 0,
    SLU_ADMIT_KNOWN = 1,     /* the same id is in the lane or was delivered: counts as accepted */
    SLU_ADMIT_LANE_FULL = 2, /* the lane's window is full: try later or elsewhere */
    SLU_ADMIT_BEHIND = 3,    /* the node is catching up: its stream time is old */
    SLU_ADMIT_POSTAGE = 4,   /* FORCE: too little work, or for a block that is too old or unknown */
    SLU_ADMIT_INBOX_FULL = 5, /* FORCE: this node took its share: try elsewhere */
    SLU_ADMIT_UNKNOWN = 6,   /* RECEIPT: the item is not held here */
    SLU_ADMIT_DROP = 16,     /* + slu_drop: refused by a rule of clause 5 */
};

/** The answer to FORCE and RECEIPT. ACCEPTED and KNOWN come with a receipt whenever the item is held. */
struct slu_taken {
    uint8_t id[32];
    uint8_t status; /* slu_admission_status */
    bool has_receipt;
    uint64_t work_needed; /* of POSTAGE: the price here, now */
    struct slu_receipt receipt;
};

enum slu_tx_stage {
    SLU_STAGE_UNKNOWN = 0,
    SLU_STAGE_ACCEPTED = 1,  /* in this node's lane */
    SLU_STAGE_CERTIFIED = 2, /* held by a quorum */
    SLU_STAGE_ORDERED = 3,   /* in the cut of a final block that is not delivered here yet */
    SLU_STAGE_FINAL = 4,     /* delivered at (height, index) */
    SLU_STAGE_DROPPED = 5,   /* ordered and dropped at height, for `drop`; or an inbox item that expired */
    SLU_STAGE_HELD = 6,      /* inbox: held here, not certified yet */
    SLU_STAGE_HELD_CERTIFIED = 7, /* inbox: f+1 nodes hold it: the next block queues it */
    SLU_STAGE_QUEUED = 8,    /* inbox: queued by the final block of `queued`, to be delivered at `due` */
};

struct slu_tx_status {
    uint8_t id[32];
    uint8_t stage; /* slu_tx_stage */
    uint8_t drop;  /* slu_drop */
    bool forced;   /* of the inbox; FINAL: it came out of the queue, told with `queued` */
    uint64_t height; /* FINAL, DROPPED: where */
    uint64_t queued; /* the height that queued it, while that is remembered; 0: none, or forgotten */
    uint64_t due;    /* with `queued`: the delivery height that was fixed then */
    uint32_t index;
};

struct slu_effect {
    enum slu_effect_kind kind;
    union {
        struct {
            struct slu_record_key key;
            const uint8_t *value;
            size_t value_len;
            const uint8_t *payload; /* appended to value; may be NULL */
            size_t payload_len;
        } persist;
        struct {
            struct slu_record_key from, to;
        } forget;
        struct {
            uint16_t to;
            uint8_t message_kind;
            const uint8_t *body;
            size_t body_len;
            const uint8_t *payload;
            size_t payload_len;
        } send;
        struct {
            uint16_t to;
            struct slu_fetch fetch;
        } serve;
        struct {
            uint64_t tag;
            struct slu_record_key key;
        } read;
        struct {
            uint64_t token;
            const struct slu_admission *items;
            uint32_t count;
            uint64_t position; /* highest own position that an ACCEPTED one is in; 0: none */
        } admitted;
        struct {
            uint64_t token;
            const struct slu_taken *taken;
        } taken;
        uint64_t durable_position;
        struct {
            uint64_t token;
            const struct slu_tx_status *items;
            uint32_t count;
        } answer;
        struct {
            uint64_t height;
            uint64_t time_ms;
            uint32_t entries; /* delivered, without the dropped ones */
            uint32_t forced;  /* of them out of the queue */
            uint32_t evidence; /* of them evidence, entries of rollup 0 */
        } delivered;
        struct {
            uint64_t height;
            uint32_t opened; /* at this height */
            uint32_t voids;  /* the same, of what did not open */
        } opened;
        uint64_t released_height;
        struct {
            struct slu_release mine, theirs; /* of one height; theirs has f+1 signatures at least */
        } diverged;
        struct {
            const char *text; /* logfmt fields, static or in the effects' bytes */
        } trace;
    };
};

/** The effects of one turn. The caller owns it and resets it after executing them. */
struct slu_effects {
    uint64_t turn; /* number of the turn, rising by one; set by the core at TURN */
    /** The turn signs or acknowledges something: it must be synced before anything of it is executed
     * but PERSIST. Without, its records are written, and become durable with the next sync. */
    bool promises;
    uint32_t count;
    struct slu_effect items[SLU_TURN_EFFECTS_MAX];
    struct slu_arena bytes;
    uint64_t deadline_ms; /* when the core wants a TIMER next (monotonic); UINT64_MAX: never */
    /** Set when another step might not fit, or much was computed: the caller should end the turn now. */
    bool nearly_full;
    uint32_t work; /* of SLU_REVEAL_OPS, about 0.1 ms each */
};

/** `arena_memory` of SLU_TURN_BYTES_MAX. */
void slu_effects_init(struct slu_effects *effects, void *arena_memory);
void slu_effects_reset(struct slu_effects *effects);

/** Counters and gauges, for metrics, status and tests. Only ever grow, unless said. */
struct slu_core_stats {
    uint64_t view;            /* gauge: current view */
    uint64_t final_view;      /* gauge */
    uint64_t final_height;    /* gauge: height of the last final block known */
    uint64_t delivered_height;/* gauge */
    uint64_t stream_time_ms;  /* gauge: time of the last delivered block */
    uint64_t views_notarized, views_nullified, views_skipped;
    uint64_t blocks_proposed, blocks_final, blocks_empty;
    uint64_t batches_made, batches_held, batches_adopted, batches_refused;
    uint64_t headers_dropped; /* for want of a place */
    uint64_t acks_sent, reports_sent, votes_sent[SLU_VOTE_KINDS];
    uint64_t fetches_sent, fetches_served, fetch_retries;
    uint64_t txs_admitted, txs_known, txs_delivered, bytes_delivered;
    uint64_t txs_refused[SLU_DROP_COUNT], txs_refused_lane_full;
    uint64_t txs_dropped[SLU_DROP_COUNT];
    uint64_t inbox_taken, inbox_held, inbox_certified, inbox_refused, inbox_expired;
    uint64_t holds_sent, forced_queued, forced_delivered, forced_skipped;
    uint64_t evidence_made, evidence_queued, evidence_delivered;
    uint64_t equivocations_seen; /* two headers of one owner at one position, two votes ... */
    uint64_t own_pending_txs, own_pending_bytes; /* gauges: own lane, not delivered yet */
    uint64_t dedup_entries;   /* gauge */
    uint64_t window_full_views; /* times a view could not be entered for SLU_VIEW_WINDOW */
    uint64_t freezes_signed;
    uint64_t opened_height;   /* gauge: all that is due up to here is open */
    uint64_t sealed_ordered, sealed_opened, sealed_void;
    uint64_t shares_sent, shares_refused, shares_wrong; /* messages; wrong: a proof that failed */
    uint64_t released_height, certified_height; /* gauges: my newest release; the newest certificate */
    uint64_t releases_signed;
    uint64_t calendar_entries, calendar_bytes; /* gauges: sealed entries that wait */
};

struct slu_lane_status {
    struct slu_tip acked;     /* highest that I acked */
    struct slu_tip certified; /* highest known certified */
    struct slu_tip committed; /* cut of the last final block */
    uint64_t window_bytes;    /* held above the committed cut */
    uint32_t incarnation;
};

/** The inbox and its price, for clients that want to force a transaction (clause 6.6). */
struct slu_inbox_status {
    struct slu_postage block; /* what postage should name now: height and digest; nonce 0 */
    uint64_t block_time_ms;
    uint64_t booked_bytes;    /* of the queue, at that block: slu_queue_booked */
    uint64_t unqueued_bytes;  /* taken by this node and not queued yet: it charges for these, too */
    uint32_t unqueued_items;  /* held here, of all takers */
    uint32_t queued_items;    /* queued by final blocks, not delivered yet */
    uint64_t slashed;         /* set of nodes with queued evidence, as of the last final block */
};

/** Where the key generation stands, as of the last delivered height (docs/PROTOCOL.md clause 7.2). */
enum slu_keygen_state {
    SLU_KEYGEN_RESTING = 0,  /* no attempt is under way */
    SLU_KEYGEN_DEALING = 1,
    SLU_KEYGEN_SETTLING = 2, /* complaints and READYs */
};

struct slu_keygen_status {
    uint64_t height; /* that all of this is a function of, but has_share */
    bool between; /* part of the next height is counted already */
    enum slu_keygen_state phase;
    uint32_t attempt; /* the newest; 0: none yet */
    uint16_t k;       /* of it */
    uint64_t dealt, out, ready; /* sets of nodes */
    bool has_key;
    bool has_share; /* this node can take part in openings */
    uint16_t key_k;
    uint64_t key_dealers;
    uint64_t key_from_height;
    uint8_t key_id[32], y[32];
    uint16_t keys; /* that were ever in force; the one here is the newest */
};

struct slu_core_config {
    const struct slu_genesis *genesis; /* must outlive the core */
    uint16_t self;
    struct slu_signer signer;
    uint64_t seed; /* of the core's own generator (fetch order, table hashing) */
    const struct slu_seal_secrets *seal; /* must outlive the core; NULL: takes no part in key generation */
};

/** Bytes of memory that a core of this genesis needs (virtual; touched as it fills). */
size_t slu_core_bytes(const struct slu_genesis *genesis);
/** Builds a core in `memory` of slu_core_bytes, zeroed by the caller. */
struct slu_core *slu_core_init(void *memory, const struct slu_core_config *config);

/** Feeds a restarted core what its disk has. `first_start`: the disk is empty because this is the
 * node's first start ever, so that it may vote from view 1; an empty disk without it follows the rule
 * for a lost disk (clause 3.13). The permission may be given again until the first turn was synced,
 * which holds the record that replaces it. Errors: CORRUPT (a record does not parse), IO. */
SLU_MUST_USE int slu_core_boot(struct slu_core *core, const struct slu_store *store,
                               bool first_start);

/** The one door. Never fails: bad input was refused before, and a bug stops the process. */
void slu_core_step(struct slu_core *core, const struct slu_event *event,
                   struct slu_effects *effects);

const struct slu_core_stats *slu_core_stats(const struct slu_core *core);
void slu_core_lane_status(const struct slu_core *core, uint16_t lane,
                          struct slu_lane_status *status);
/** A FORCE here must pay slu_postage_price(genesis, booked_bytes + unqueued_bytes, envelope bytes). */
void slu_core_inbox_status(const struct slu_core *core, struct slu_inbox_status *status);
void slu_core_keygen_status(const struct slu_core *core, struct slu_keygen_status *status);
/** The certificate of key `number`, from 0 in order of their heights, as canonical bytes
 * (wire/key_cert.h) into `out` of SLU_KEY_CERT_BYTES_MAX; returns how many, 0: there is no such key.
 */
size_t slu_core_key_cert(const struct slu_core *core, uint16_t number, uint8_t *out);
/** Milliseconds since something signed by `node` was heard; UINT64_MAX: never. */
uint64_t slu_core_heard_ms_ago(const struct slu_core *core, uint16_t node, uint64_t now_ms);
/** Whether the node holds back its votes because it lost its disk and is not yet back. */
bool slu_core_rejoining(const struct slu_core *core);

#endif
