/* Every compiled bound, by name. Bounds that affect blocks or delivery are parameters of the
 * hashed genesis (wire/genesis.h, defaults in docs/PROTOCOL.md clause 9); here stand the caps that
 * those parameters may not pass and the sizes that memory is taken by. */
#ifndef SLU_BASE_LIMITS_H
#define SLU_BASE_LIMITS_H

#define SLU_PROTOCOL_VERSION 1u

#define SLU_DIGEST_BYTES     32u
#define SLU_SIGNATURE_BYTES  64u

/* Committee and tables */
#define SLU_NODES_MAX        64u   /* a set of nodes is one uint64_t */
#define SLU_ROLLUPS_MAX      1024u /* rows of the genesis' rollup table */
#define SLU_NAME_BYTES_MAX   64u   /* chain and rollup names */
#define SLU_ADDRESS_BYTES_MAX 128u /* a node's URL */
#define SLU_ROLLUP_ID_MAX    ((UINT64_C(1) << 53) - 1)

/* Transactions and batches: caps of the genesis parameters */
#define SLU_TX_BYTES_MAX_CAP     (128u * 1024u)
#define SLU_BATCH_BYTES_MAX_CAP  (512u * 1024u)
#define SLU_LANE_WINDOW_BYTES_CAP (64u * 1024u * 1024u)
#define SLU_LANE_WINDOW_BATCHES_CAP 4096u
#define SLU_LANE_QUOTA_BYTES_CAP (8u * 1024u * 1024u)
#define SLU_ENTRIES_PER_BLOCK_CAP 65536u
#define SLU_DEDUP_ENTRIES_CAP    (16u * 1024u * 1024u)
#define SLU_WINDOW_MS_CAP        (10u * 60u * 1000u) /* dedup window */
#define SLU_TIMER_MS_CAP         60000u              /* any one protocol timer */
#define SLU_KEYGEN_RETRY_MS_CAP  (24u * 60u * 60u * 1000u)

/* The inbox (docs/PROTOCOL.md clause 6) */
#define SLU_INBOX_PER_REPORT_MAX   256u          /* ids in one report; slu_inbox_per_report */
#define SLU_QUEUED_BYTES_MAX       (384u * 1024u) /* the list of one block */
#define SLU_BLOCK_LISTS_BYTES      (512u * 1024u) /* the lists of all blocks of one message */
#define SLU_HOLDS_PER_MESSAGE_MAX  64u
#define SLU_HOLDS_RESENT_MAX       256u  /* to a peer whose link came up */
#define SLU_INBOX_ITEMS_CAP        65536u /* unqueued, of all takers */
#define SLU_INBOX_BYTES_CAP        (256u * 1024u * 1024u)
#define SLU_INBOX_IDS_CAP          (1024u * 1024u) /* queued ids that are remembered */
#define SLU_INBOX_STRAYS_MAX       64u   /* items known only by a hold, per node that signed it */
#define SLU_EVIDENCE_HELD_MAX      64u   /* items of one offence that a node ever takes */
#define SLU_FORCED_BYTES_CAP       (4u * 1024u * 1024u) /* per block */
#define SLU_POSTAGE_BLOCKS         4096u /* final blocks that postage may name */
#define SLU_PENDING_LIST_BYTES     (8u * 1024u * 1024u) /* lists of the blocks above the final one */

/* Sealed transactions (docs/CRYPTO.md) */
#define SLU_SEALED_MESSAGE_BYTES_MAX (96u * 1024u) /* the largest bucket */
#define SLU_SHARE_CHUNK_MAX 1024u /* shares under one proof that crypto/ can handle ... */
#define SLU_SHARES_MAX      64u   /* ... and in one SHARES message */
#define SLU_SHARE_SLOTS     128u  /* SHARES messages of one node that are kept, at least */
#define SLU_OPENING_HEIGHTS 64u   /* delivered heights that may be closed still */
#define SLU_CALENDAR_ENTRY_BYTES 1024u /* what an entry in the calendar counts, at least */
#define SLU_CALENDAR_CAP    (UINT64_C(16) << 30)
#define SLU_DUE_BYTES_CAP   (4u * 1024u * 1024u) /* of what is opened at one height */
#define SLU_UNLOCK_HORIZON_MS_CAP (UINT64_C(3652) * 24 * 3600 * 1000) /* ten years */
#define SLU_REVEAL_OPS      48u   /* openings, shares and checks of sealings in one turn, about 5 ms */

/* Releases (docs/PROTOCOL.md clauses 8.4 to 8.7) */
#define SLU_RELEASE_RUN     8u   /* every height that is a multiple is signed by everybody */
#define SLU_RELEASE_RUN_LONG 512u /* heights above the last certificate: lower ones are waited for first */
#define SLU_RELEASE_RUN_MAX 65536u /* of heights that one certificate covers that a reader takes */
#define SLU_RELEASES_PER_MESSAGE 512u /* of one run, to a reader */
#define SLU_RELEASES_SERVED 64u  /* certificates answered to one fetch */

/* Frames and messages between nodes */
#define SLU_FRAME_BYTES_MAX   (1024u * 1024u) /* plaintext of one frame on any link */
#define SLU_HEADERS_PER_MESSAGE_MAX 256u
#define SLU_BLOCKS_PER_MESSAGE_MAX  64u
#define SLU_SERVE_BYTES_MAX   (4u * 1024u * 1024u) /* answered to one fetch */

/* Core tables */
#define SLU_VIEW_WINDOW       1024u /* views above the last final one that are remembered */
#define SLU_REPORT_VIEWS      16u   /* views whose reports are held */
#define SLU_PENDING_BLOCKS    2048u /* blocks above the last final one */
#define SLU_FINAL_BLOCKS      1024u /* final blocks not delivered yet */
#define SLU_INCARNATION_MAX   (1u << 31) /* that a rejoining node believes */
#define SLU_OWN_PENDING_MAX   262144u /* own transactions that are not delivered yet */
#define SLU_SUBMIT_TXS_MAX    16384u  /* transactions in one submission */
#define SLU_QUERY_IDS_MAX     1024u   /* ids in one query */
#define SLU_TURN_EFFECTS_MAX  36864u /* effects of one event-loop turn: 8192, and what one opened height deletes */
#define SLU_TURN_BYTES_MAX    (144u * 1024u * 1024u) /* what one height opens and lists, and as much again */
#define SLU_DROPPED_IDS_MAX   65536u  /* dropped ids that queries still find */

#endif
