/* Admission: token buckets per client address and per rollup, in transactions and in bytes. The
 * rollup of a sealed one is hidden, so that all of them share buckets of their own instead.
 *
 * A transaction passes when all of its buckets have what it takes: four, and two more for each
 * further rollup of a bundle; otherwise the name of the first
 * that has not is the refusal, and nothing is taken. A rollup's buckets are the config's, times its
 * rate_share in the genesis. Addresses and rollups live in fixed tables; a place is taken over once
 * its buckets are full again, which forgets nothing. When no place is free, the newcomer is refused
 * by the table's bucket. One thread. */
#ifndef SLU_NODE_ADMISSION_H
#define SLU_NODE_ADMISSION_H

#include "config/node_config.h"
#include "wire/tx.h"

struct slu_admission_control;

/** NULL when memory is refused. Both must outlive it. */
struct slu_admission_control *slu_admission_new(const struct slu_node_config *config,
                                                const struct slu_genesis *genesis);
void slu_admission_free(struct slu_admission_control *control);

/** Judges one transaction of `bytes` for the rollups that `tx`, well formed, is for, from the
 * client at `address` at `now_us` (monotonic). NULL: it passes, and is paid for; else
 * "rate_client", "rate_rollup" or "rate_sealed". */
const char *slu_admission_take(struct slu_admission_control *control, uint64_t address,
                               const struct slu_tx *tx, uint64_t now_us);

/** The key of an address text such as "10.0.0.1:4242", "[2001:db8::1]:4242" or "ipc", without its
 * port; IPv6 by its /64. */
uint64_t slu_admission_address(const char *remote);

#endif
