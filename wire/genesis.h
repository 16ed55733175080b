/* The genesis: what a chain is. Its canonical binary form is hashed into the 32-byte chain id, so
 * two nodes that disagree on any of it are on different chains (docs/PROTOCOL.md clauses 1, 9). */
#ifndef SLU_WIRE_GENESIS_H
#define SLU_WIRE_GENESIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/proof.h"

/** Parameters that affect blocks or delivery. Units are in the names. Clause 9 has the defaults. */
struct slu_params {
    uint32_t batch_bytes_max;     /* payload of one batch */
    uint32_t batch_linger_ms;     /* longest wait of a transaction for its batch to close */
    uint32_t ack_tick_ms;         /* shortest time between two ack vectors */
    uint32_t lane_window_bytes;   /* held above a lane's committed cut, headers counted */
    uint32_t lane_window_batches; /* the same in batches */
    uint32_t lane_quota_bytes;    /* of one lane in one block */
    uint32_t entries_per_block_max;
    uint32_t heartbeat_ms;        /* an idle chain's block interval at first ... */
    uint32_t heartbeat_idle_ms;   /* ... and at last */
    uint32_t delta_ms;            /* the assumed bound on message delay */
    uint32_t resend_ms;
    uint32_t standstill_ms;
    uint32_t timer_cap_ms;
    uint32_t skip_ms;             /* silence after which a leader's turn is skipped */
    uint32_t tx_bytes_max;        /* one envelope */
    uint32_t dedup_window_ms;
    uint32_t dedup_entries_max;   /* ids remembered in the window */
    uint32_t release_lag_max;     /* heights that delivery may lag behind the blocks */
    uint32_t forced_delay;        /* heights from queueing to delivery, at least */
    uint32_t forced_bytes_per_block; /* of queued items delivered at one height (slu_queue_cost) */
    uint32_t postage_base;        /* work for a begun KiB on an empty queue, in hashes */
    uint32_t postage_age_ms;      /* how old the block that postage names may be */
    uint32_t inbox_items_max;     /* unqueued items of all takers; each has a share of 1/n */
    uint32_t inbox_bytes_max;     /* the same in bytes */
    uint32_t inbox_ids_max;       /* queued ids that are remembered */
    uint32_t due_bytes_per_block;
    uint32_t sealing;             /* 1: the chain generates a committee key; 0: it has none */
    uint32_t seal_threshold;      /* shares that open; 0: slu_genesis_seal_threshold resolves it */
    uint32_t seal_threshold_min;  /* what key generation may fall back to; 0: the same */
    uint32_t keygen_window_ms;    /* stream time for one step of key generation */
    uint32_t keygen_retry_ms;     /* stream time between two attempts at a better key */
    uint64_t unlock_horizon_ms;
    uint64_t calendar_bytes_max;
};

struct slu_genesis_node {
    uint8_t public32[32];
    char address[SLU_ADDRESS_BYTES_MAX + 1]; /* where peers dial it, e.g. tcp://10.0.0.1:7000 */
    /* Its encryption key P for key generation, and the proof that the owner of `public32` holds P's
     * secret (docs/CRYPTO.md clause 7.1). */
    uint8_t seal_public32[32];
    uint8_t seal_proof48[SLU_PROOF_BYTES];
    uint64_t stake; /* what evidence puts at stake; the slashing record marks it (clause 8.3) */
};

struct slu_genesis_rollup {
    uint64_t id; /* 1..2^53-1 */
    char name[SLU_NAME_BYTES_MAX + 1];
    bool sealed_only;
    uint64_t ethereum_chain_id; /* 0: none */
    uint32_t rate_share;        /* weight in admission, at least 1 */
};

struct slu_genesis {
    uint32_t version; /* SLU_PROTOCOL_VERSION */
    char name[SLU_NAME_BYTES_MAX + 1];
    uint64_t created_ms; /* stream time starts here */
    uint16_t n;
    struct slu_genesis_node nodes[SLU_NODES_MAX];
    bool open_rollups; /* any rollup id is allowed; the table may then be empty */
    uint16_t rollup_count;
    struct slu_genesis_rollup rollups[SLU_ROLLUPS_MAX];
    struct slu_params params;
    uint8_t chain_id[32]; /* derived: set by slu_genesis_seal */
};

#define SLU_GENESIS_BYTES_MAX (256u * 1024u)

/** Fills `params` with the defaults of docs/PROTOCOL.md clause 9. */
void slu_params_defaults(struct slu_params *params);

/** Checks every bound (names unique and printable, ids in range and sorted, parameters within
 * base/limits.h and consistent) and every proof of possession, then derives chain_id. `why` gets
 * words for what is wrong, naming the field. Errors: CONFIG, MISMATCH (version). */
SLU_MUST_USE int slu_genesis_seal(struct slu_genesis *genesis, char *why, size_t why_cap);

/** f = floor((n-1)/3): how many nodes may be Byzantine. */
uint16_t slu_genesis_f(const struct slu_genesis *genesis);
/** q = n - f: the quorum. */
uint16_t slu_genesis_q(const struct slu_genesis *genesis);
/** How many shares open a sealed transaction: q unless `seal_threshold` says otherwise. */
uint16_t slu_genesis_seal_threshold(const struct slu_genesis *genesis);
/** The least that key generation may fall back to: f+1 unless `seal_threshold_min` says so. */
uint16_t slu_genesis_seal_threshold_min(const struct slu_genesis *genesis);
/** Transactions that one lane may put into one block: entries_per_block_max / n, at least 1. */
uint32_t slu_genesis_lane_quota_txs(const struct slu_genesis *genesis);
/** Envelope bytes of sealed entries that one height opens, at most: what is shared, what the queue
 * delivers, and one entry for each of the 2n+1 parts (docs/PROTOCOL.md clause 7.7). */
size_t slu_genesis_due_bytes_max(const struct slu_genesis *genesis);
/** The table's row of `rollup`; NULL when it has none, also where any id is allowed. */
const struct slu_genesis_rollup *slu_genesis_rollup(const struct slu_genesis *genesis,
                                                     uint64_t rollup);
/** Whether `rollup` may carry ordinary transactions on this chain. */
bool slu_genesis_rollup_known(const struct slu_genesis *genesis, uint64_t rollup);

#endif
