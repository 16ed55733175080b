/* Proofs to hand on: all that shows, with the genesis alone, where a transaction stands in the
 * stream (docs/PROTOCOL.md clause 8.9). What a node hands out, `sluice verify` checks, and a
 * contract could.
 *
 *     run       a release, those above it, a quorum's signatures of the last (wire/release.h)
 *     ordered   the entry ──▶ its rollup's list ──▶ the height's space ──▶ its release
 *     queued    of a forced one: the block that queued it, whose digest is in a release, and that
 *               block's parent, from which the height where it is delivered follows
 *     opened    of a sealed one, once it is opened or void: as ordered, and the key's certificate
 *
 *     proof     "SLPROOF" | version u8 | chain id 32 | parts u8 | runs u8 | runs x run |
 *               ordered | queued, opened where parts says so
 *     run       count u16 | release 176 | count - 1 x (time u64 | block 32 | ordered 32 |
 *               opened 32 | state 32) | q u16 | q x (node u16 | signature 64)
 *     ordered   place | valid_until u64 | len u32 | payload | shown
 *     queued    height u64 | len u32 | parent | len u32 | block
 *     opened    place | id 32 | len u32 | payload | shown | len u16 | key certificate
 *     place     height u64 | index u32 | kind u8 | rollup u64
 *     shown     space proof of the list's own leaf | position in the list u32 | hashes
 *
 * Height and `previous` of a release follow from the one below it, and an id from its envelope. The
 * envelope of what was opened follows from the opening, so there the payload under `ordered` is
 * empty. Reading needs no genesis, and says what a proof claims; checking, whether it is so. */
#ifndef SLU_WIRE_PROOF_H
#define SLU_WIRE_PROOF_H

#include "wire/entry.h"
#include "wire/opening.h"
#include "wire/release.h"

#define SLU_PROOF_VERSION  1u
#define SLU_PROOF_MAGIC    "SLPROOF"
#define SLU_PROOF_RUNS_MAX 3u
#define SLU_PROOF_RUN_MAX  4096u /* releases; usually up to 8 */
/** So that it fits into a frame. Only the queueing in a flood of forced transactions can be longer:
 * then it is left out. */
#define SLU_PROOF_BYTES_MAX (SLU_FRAME_BYTES_MAX - 4096u)

/** Why something proves nothing. */
enum slu_proof_fault {
    SLU_PROOF_GOOD = 0,
    SLU_PROOF_NONE,          /* reading: it starts otherwise */
    SLU_PROOF_OTHER_VERSION, /* reading */
    SLU_PROOF_FORM,          /* reading: cut off, too long, a count out of bounds */
    SLU_PROOF_PARTS,         /* reading: an entry of this kind has no such parts */
    SLU_PROOF_RUNS,          /* reading: not exactly the releases of its heights */
    SLU_PROOF_CHAIN,
    SLU_PROOF_SIGNERS,
    SLU_PROOF_SIGNATURE,
    SLU_PROOF_KEY,
    SLU_PROOF_CONTENT,
    SLU_PROOF_ROLLUP,
    SLU_PROOF_SPACE,
    SLU_PROOF_LIST,
    SLU_PROOF_QUEUE_BLOCK,
    SLU_PROOF_QUEUE_PARENT,
    SLU_PROOF_NOT_QUEUED,
    SLU_PROOF_DUE,
    SLU_PROOF_OPENED_ROLLUP,
    SLU_PROOF_OPENED_SPACE,
    SLU_PROOF_OPENED_LIST,
    SLU_PROOF_OPENED_PLACE,
    SLU_PROOF_EARLY,
    SLU_PROOF_FAULTS
};

/** One line for people. Static storage. */
const char *slu_proof_fault_words(enum slu_proof_fault fault);

/* ---- reading and writing: everything in place ---- */

struct slu_proof_run {
    uint64_t first; /* height */
    uint16_t count; /* releases, the last of them signed */
    uint16_t signers;
    const uint8_t *releases; /* as above: slu_proof_run_bytes(count) */
    const uint8_t *signatures;
};

struct slu_proof_place {
    uint64_t height;
    struct slu_entry entry; /* id32 only of what was opened, valid_until_ms of what was ordered */
    const uint8_t *shown;
    size_t shown_len;
};

struct slu_proof {
    const uint8_t *chain_id32;
    uint8_t runs;
    struct slu_proof_run run[SLU_PROOF_RUNS_MAX]; /* rising */
    struct slu_proof_place ordered;
    bool has_queued, has_opened;
    uint64_t queued_height;
    const uint8_t *parent, *block; /* wire/block.h; no parent: that is the genesis' block */
    uint32_t parent_len, block_len;
    struct slu_proof_place opened;
    const uint8_t *key_cert; /* wire/key_cert.h; of a void one none */
    uint16_t key_cert_len;
};

/** Whether `bytes` start as a proof does. */
bool slu_proof_is(const uint8_t *bytes, size_t len);
SLU_MUST_USE enum slu_proof_fault slu_proof_read(struct slu_proof *proof, const uint8_t *bytes,
                                                 size_t len);
void slu_proof_write(struct slu_writer *w, const struct slu_proof *proof);

/** Time of the release at `height`, which is in a run. */
uint64_t slu_proof_time_ms(const struct slu_proof *proof, uint64_t height);
/** The id of the entry that is ordered, were this its body; returns the length of its envelope, or
 * of evidence. */
uint32_t slu_proof_envelope_id(uint8_t id32[32], const struct slu_proof *proof, const uint8_t *body,
                               uint32_t len);
/** The rollup in whose list a place is shown. */
uint64_t slu_proof_list_rollup(const struct slu_proof_place *place);

/** What a proof claims; of one that was checked, what is so. Pointers are into its bytes. */
struct slu_proof_facts {
    uint8_t id[32];
    uint64_t height, time_ms;
    uint32_t index;
    uint64_t rollup; /* in whose list it stands (what is opened: that); of a bundle one leg's */
    bool bundle;     /* `payload` is a bundle's body, with all legs */
    uint8_t kind;    /* of the entry that was ordered, with SLU_ENTRY_FORCED */
    uint64_t valid_until_ms;
    const uint8_t *payload; /* of the entry; of one that is opened what was inside */
    uint32_t payload_len;
    uint64_t queued_height; /* 0: not shown */
    uint8_t outcome;        /* SLU_ENTRY_OPENED, SLU_ENTRY_VOID, or 0: not shown */
    uint8_t reason;         /* slu_void, of a void one */
    uint64_t opened_height, opened_time_ms;
    uint32_t opened_index;
    uint64_t certified; /* the highest height that a quorum's signatures here cover */
};

void slu_proof_claims(struct slu_proof_facts *facts, const struct slu_proof *proof);

/* ---- making one ---- */

/** Bytes of the `count` releases of a run. */
static inline size_t slu_proof_run_bytes(size_t count)
{
    return SLU_RELEASE_BYTES + (count - 1) * (SLU_RELEASE_BYTES - 40u);
}
/** The next release of a run: `first` whole. */
void slu_proof_release_write(struct slu_writer *w, const struct slu_release *release, bool first);
/** The signatures of a run: cert->count of them. */
void slu_proof_signers_write(struct slu_writer *w, const struct slu_release_cert *cert);

struct slu_proof_span {
    uint64_t from, to; /* `to` is certified */
};

/** Which runs show `count` <= 3 heights, rising and each once, in the fewest bytes. `certified`
 * gives the lowest certified height at or above one, 0: there is none. Returns how many; 0: not all
 * can be shown: one has no certificate above it, or none near enough. */
uint8_t slu_proof_plan(struct slu_proof_span spans[SLU_PROOF_RUNS_MAX], const uint64_t *heights,
                       uint8_t count, uint16_t q,
                       uint64_t (*certified)(void *context, uint64_t height), void *context);

/* ---- checking ---- */

/** Sealing again needs room. */
#define SLU_PROOF_SCRATCH_BYTES SLU_SEAL_ENVELOPE_BYTES_MAX

/** Whether all that a proof claims is so. Pure; any thread. */
SLU_MUST_USE enum slu_proof_fault slu_proof_check(const struct slu_proof *proof,
                                                  const struct slu_genesis *genesis,
                                                  const struct slu_verifier *verifier,
                                                  uint8_t *scratch);

#endif
