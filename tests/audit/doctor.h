/* Doctors a copy of a node's store: what a liar with every node's key could show, for the audit to find.
 * Everything that follows from a change is made consistent again (digests, certificates, the release
 * chain), as far as that goes, so that nothing but the rule itself can catch it. */
#ifndef SLU_TESTS_AUDIT_DOCTOR_H
#define SLU_TESTS_AUDIT_DOCTOR_H

#include "consensus/order.h"
#include "consensus/release_record.h"
#include "crypto/keyguard.h"
#include "node/store.h"
#include "wire/block.h"
#include "wire/report.h"

#define BYTES_MAX (8u * 1024u * 1024u)

struct bytes {
    uint8_t at[BYTES_MAX];
    size_t len;
};

struct doctor {
    struct slu_genesis genesis;
    struct slu_keyguard *guards[SLU_NODES_MAX];
    struct slu_disk *disk;
    struct slu_disk_view *view;
    uint64_t from, top; /* where to look for a place */
    struct bytes a, b, c;
};

/* A block out of a FINAL record. */
struct final {
    struct slu_block block;
    uint8_t list[SLU_QUEUED_BYTES_MAX];
    bool has_cert;
};

/* store.c. All of these end the program when something is not as it must be. */
void doctor_open(struct doctor *d, const char *data, const char *cluster, uint64_t from);
void doctor_close(struct doctor *d);
__attribute__((noreturn)) void doctor_die(const char *words);
bool doctor_get(struct doctor *d, enum slu_record_kind kind, uint64_t a, uint64_t b,
                const uint8_t *digest32, struct bytes *out);
void doctor_put(struct doctor *d, enum slu_record_kind kind, uint64_t a, uint64_t b,
                const uint8_t *digest32, const void *bytes, size_t len);
void doctor_delete(struct doctor *d, enum slu_record_kind kind, uint64_t a, uint64_t b,
                   const uint8_t *digest32);
void doctor_sign(struct doctor *d, uint16_t node, uint8_t signature64[64],
                 const uint8_t digest32[32]);
void doctor_get_final(struct doctor *d, uint64_t height, struct final *out);
/** Writes a changed block of `height`, and all above it, on top of one another: blocks, certificates, what
 * names them. */
void doctor_put_final(struct doctor *d, struct final *changed);
/** Writes a changed release, and all above it. `tail`: the leaves behind it in its record. */
void doctor_put_release(struct doctor *d, const struct slu_release *changed, const uint8_t *tail,
                        size_t tail_len);

/* cases.c: each finds the first place from d->from on, changes it, and returns the height at which the
 * audit must fail; 0: there is no such place. */
struct doctor_case {
    const char *name, *rule;
    uint64_t (*change)(struct doctor *d);
};

extern const struct doctor_case doctor_cases[];
extern const size_t doctor_case_count;

#endif
