/* The committee's keys, for clients that ask: the newest, and by their id all that ever were in
 * force, since what was sealed to an old one is opened by it, and whoever checks that needs its
 * certificate (docs/PROTOCOL.md clauses 7.5, 7.12). Bytes come from the runtime's view of the core;
 * what is kept here is which key has which number. One thread: the gateway's. */
#ifndef SLU_NODE_COMMITTEE_H
#define SLU_NODE_COMMITTEE_H

#include "node/clients.h"
#include "node/runtime.h"

struct slu_committee;

/** NULL when memory is refused. What it is given must outlive it. */
struct slu_committee *slu_committee_new(const struct slu_genesis *genesis,
                                        struct slu_runtime *runtime, const struct slu_place *place);
void slu_committee_free(struct slu_committee *committee);

/** Answers at once. */
void slu_committee_answer(struct slu_committee *committee, struct slu_client *client,
                          uint64_t request_id, const Slu__Client__KeyQuery *query);

#endif
