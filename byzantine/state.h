/* The inside of a deviant. Private to byzantine/. A file per kind of lie:
 *
 *     deviant  the door: dispatch before and after the core
 *     speech   making and signing messages, adding them to the turn, holding them for delay_ms
 *     censor   what it will not say or take: a rollup, forced items, certificates, its own views
 *     fork     two batches at one position
 *     lead     two proposals in one view; the worst quorum
 *     vote     votes that contradict each other
 *     share    decryption shares that it keeps, or makes wrong
 *     release  the same of its signatures of releases
 *     answer   garbage and old things for those who ask */
#ifndef SLU_BYZANTINE_STATE_H
#define SLU_BYZANTINE_STATE_H

#include "byzantine/deviant.h"
#include "wire/message.h"

#define SLU_SPEECH_BYTES 16384u /* longest body of what a deviant makes itself */
#define SLU_HELD_SENDS   16384u /* messages that wait for delay_ms */
#define SLU_KEPT_BLOCKS  64u
#define SLU_KEPT_TUPLES  64u /* a block with a longer list is not kept: no variant is made of it */
#define SLU_KEPT_VIEWS   64u

/* ---- speech ---- */

/* A message, or a fetch to be served from the store, that leaves at due_ms. */
struct slu_held_send {
    uint64_t due_ms;
    uint64_t targets;
    bool serve;
    uint8_t kind;
    uint32_t body_len, payload_len;
    size_t at; /* of the body, then the payload, in held_bytes */
    struct slu_fetch fetch;
};

/* ---- lead ---- */

/* Reports of others for the next view that the deviant leads, until it has a choice. */
struct slu_held_reports {
    uint64_t view; /* 0: none */
    uint64_t first_ms;
    uint64_t present;         /* set of nodes */
    bool fed;                 /* the core has got those that were chosen */
    struct slu_report *items; /* n */
};

/* The other proposal of a view, with the own report that it names. */
struct slu_variant {
    uint64_t view;    /* 0: none */
    uint64_t targets; /* who gets it; the rest gets the core's */
    struct slu_report report;
    struct slu_proposal proposal;
};

/* ---- vote ---- */

/* Blocks that somebody voted for in a view. */
struct slu_candidates {
    uint64_t view;
    uint32_t count;
    uint8_t blocks[2][32];
};

/* ---- answer ---- */

struct slu_kept {
    uint32_t len;
    uint8_t bytes[SLU_SPEECH_BYTES];
};

struct slu_deviant {
    const struct slu_genesis *g;
    uint16_t n, self, q;
    struct slu_behaviours behaviours;
    struct slu_signer signer;
    struct slu_core *core;
    uint64_t random;
    uint64_t now_ms, clock_ms;
    struct slu_deviant_stats stats;
    uint64_t told_ms[SLU_BEHAVIOURS]; /* when a behaviour was last traced */

    struct slu_effects *fx;         /* of the step */
    bool own[SLU_TURN_EFFECTS_MAX]; /* effects that are the deviant's own: not looked at again */
    struct slu_effect core_effects[SLU_TURN_EFFECTS_MAX]; /* scratch of TURN */
    struct slu_message heard, said; /* scratch: what the core sends, what the deviant makes */

    struct slu_held_send *held;
    uint32_t held_first, held_count;
    uint8_t *held_bytes;
    size_t held_cap, held_at;

    uint64_t tainted[SLU_NODES_MAX]; /* per lane: first position with the refused rollup; 0: none */

    uint64_t fork_from;  /* the first own position with two batches */
    uint64_t fork_side;  /* who is shown the fork */
    struct slu_tip fork; /* its tip */

    struct slu_block blocks[SLU_KEPT_BLOCKS];
    uint8_t lists[SLU_KEPT_BLOCKS][SLU_KEPT_TUPLES * SLU_INBOX_TUPLE_BYTES]; /* theirs */
    uint8_t variant_list[SLU_KEPT_TUPLES * SLU_INBOX_TUPLE_BYTES];
    uint32_t block_count;
    struct slu_report own_report; /* of the last own view */
    struct slu_held_reports reports;
    struct slu_variant variant;

    struct slu_candidates candidates[SLU_KEPT_VIEWS];

    struct slu_kept fresh[SLU_MSG_KINDS], old[SLU_MSG_KINDS];
    uint64_t renewed_ms;
};

static inline bool slu_dv_does(const struct slu_deviant *d, enum slu_behaviour which)
{
    return slu_behaves(&d->behaviours, which);
}

static inline bool slu_dv_leads(const struct slu_deviant *d, uint64_t view)
{
    return view % d->n == d->self;
}

/* speech.c */
uint64_t slu_dv_random(struct slu_deviant *d);
uint64_t slu_dv_others(const struct slu_deviant *d);
/* Some of the others: at least one, and not all unless there is only one. */
uint64_t slu_dv_some(struct slu_deviant *d);
void slu_dv_act(struct slu_deviant *d, enum slu_behaviour which);
void slu_dv_sign(struct slu_deviant *d, uint8_t signature64[64], enum slu_role role, uint64_t view,
                 const uint8_t digest32[32]);
/* Appends an effect that is the deviant's own; NULL when the turn is full. */
struct slu_effect *slu_dv_add(struct slu_deviant *d, enum slu_effect_kind kind);
/* Sends bytes that live until the turn is executed. */
void slu_dv_emit(struct slu_deviant *d, uint64_t targets, uint8_t kind, const uint8_t *body,
                 size_t body_len, const uint8_t *payload, size_t payload_len);
/* Encodes and sends; a batch's payload must live until the turn is executed. */
void slu_dv_say(struct slu_deviant *d, uint64_t targets, const struct slu_message *m);
void slu_dv_serve(struct slu_deviant *d, uint16_t to, const struct slu_fetch *fetch);
void slu_dv_release(struct slu_deviant *d);

/* censor.c */
void slu_dv_look_for_rollup(struct slu_deviant *d, const struct slu_batch *batch);
/* Steps the core with what is left of a submission, and answers for the rest. */
void slu_dv_submit(struct slu_deviant *d, const struct slu_event *event);
/* Takes out of an own ack vector or report what it will not vouch for; true when that changed it.
 */
bool slu_dv_strip(struct slu_deviant *d, struct slu_message *m);
/* Whether an own word about an inbox item stays unsaid. */
bool slu_dv_refuses_item(struct slu_deviant *d, const struct slu_message *m);
bool slu_dv_keeps_silent(const struct slu_deviant *d, const struct slu_message *m);
uint64_t slu_dv_narrow(struct slu_deviant *d, const struct slu_message *m, uint64_t targets);

/* fork.c */
void slu_dv_batch(struct slu_deviant *d, const struct slu_batch *batch, uint64_t targets);
void slu_dv_acks(struct slu_deviant *d, const struct slu_ack_vector *acks, uint64_t targets);

/* lead.c */
void slu_dv_note_record(struct slu_deviant *d, const struct slu_effect *persist);
/* Whether this is the core's vote for a block that nobody was shown: with the variant's it would be
 * evidence. */
bool slu_dv_hides_vote(const struct slu_deviant *d, const struct slu_message *m);
void slu_dv_note_block(struct slu_deviant *d, const struct slu_block *block);
/* Whether the report was held back from the core. */
bool slu_dv_hold_report(struct slu_deviant *d, const struct slu_report *report);
void slu_dv_feed_reports(struct slu_deviant *d);
uint64_t slu_dv_feed_deadline(const struct slu_deviant *d);
void slu_dv_report(struct slu_deviant *d, const struct slu_report *report, uint64_t targets);
void slu_dv_proposal(struct slu_deviant *d, const struct slu_proposal *proposal, uint64_t targets);

/* vote.c */
void slu_dv_note_candidate(struct slu_deviant *d, uint64_t view, const uint8_t block32[32]);
void slu_dv_contradict(struct slu_deviant *d, enum slu_vote_kind kind, uint64_t view,
                       const uint8_t block32[32]);

/* share.c */
/* Whether what is sent or served is a share that it keeps. */
bool slu_dv_withholds(const struct slu_deviant *d, const struct slu_effect *e);
/* Makes an own message wrong, and signs it. */
void slu_dv_lie(struct slu_deviant *d, struct slu_signed_shares *shares);
/* The same of the record of one. */
void slu_dv_lie_on_disk(struct slu_deviant *d, struct slu_effect *persist);

/* release.c */
/* Whether what is sent or served stays unsaid: a signature of a release, or certificates. */
bool slu_dv_withholds_release(struct slu_deviant *d, const struct slu_effect *e);
/* Says an own signature, or one of another release, or some of both. */
void slu_dv_missign(struct slu_deviant *d, const struct slu_signed_release *m, uint64_t targets);

/* answer.c */
void slu_dv_keep(struct slu_deviant *d, const struct slu_message *m, const uint8_t *body,
                 size_t len);
/* Whether the request was answered, or left without an answer, in the core's place. */
bool slu_dv_answer(struct slu_deviant *d, const struct slu_fetch *fetch, uint16_t to);
bool slu_dv_age_report(struct slu_deviant *d, struct slu_report *report);

#endif
