/* Sends a load at its pace over K sessions: every tick all payloads that are due go out, split over
 * the sessions. Open loop: payload i is due at start + i/rate, whatever the nodes do; what a full
 * socket holds back keeps its due time and goes out later. Closed loop: as many as keep
 * `outstanding` payloads between sending and delivery. One thread. */
#ifndef SLU_CLIENT_PACER_H
#define SLU_CLIENT_PACER_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/check.h"
#include "client/bench.h"
#include "client/load.h"
#include "client/meter.h"
#include "client/sealing.h"
#include "client/session.h"

#define SLU_PACER_TXS_MAX   1024u          /* in one request */
#define SLU_PACER_BYTES_MAX (384u * 1024u) /* the same */
#define SLU_PACER_OPEN_MAX  4096u          /* requests of one session without an answer */

struct slu_pacer_submitter {
    struct slu_meter *meter;
    struct slu_session *session;
    uint64_t requests; /* tried so far: the session numbers them from 1 */
    _Atomic uint64_t answers;
    _Atomic uint64_t resting_until_ns; /* after a refusal, in a closed loop */
    bool lost;
    _Atomic uint32_t txs[SLU_PACER_OPEN_MAX]; /* of request r at r mod OPEN_MAX */
};

struct slu_pacer {
    const struct slu_bench_options *options;
    const struct slu_load *load;
    const struct slu_sealing *sealing; /* NULL: plain */
    struct slu_meter *meter;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t next; /* payload number */
    uint64_t lost; /* of a closed loop: given up as neither refused nor delivered */
    uint64_t moved_ns, moved_delivered;
    size_t turn; /* the session whose turn it is */
    size_t count;
    struct slu_pacer_submitter submitters[SLU_BENCH_SUBMITTERS_MAX];
    uint8_t *bytes; /* payloads, or envelopes, of one request */
    uint8_t *payload; /* of a sealed load: one */
};

/** Opens the sessions, round-robin over options->nodes. With `sealing`, which has its key, every payload
 * is sealed when it is sent. False after a complaint. */
SLU_MUST_USE bool slu_pacer_open(struct slu_pacer *pacer, const struct slu_bench_options *options,
                                 const struct slu_load *load, const struct slu_sealing *sealing,
                                 struct slu_meter *meter);
/** Sends what is due at `now_ns`; returns when to come again. */
uint64_t slu_pacer_step(struct slu_pacer *pacer, uint64_t now_ns);
/** How many sessions are dead. */
uint64_t slu_pacer_lost(const struct slu_pacer *pacer);
void slu_pacer_close(struct slu_pacer *pacer);

#endif
