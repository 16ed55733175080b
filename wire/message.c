#include "wire/message.h"

#include <string.h>

#include "sluice/error.h"
#include "wire/keygen.h"

const char *slu_message_name(enum slu_message_kind kind)
{
    static const char *const names[SLU_MSG_KINDS] = {
        [SLU_MSG_BATCH] = "batch",     [SLU_MSG_ACKS] = "acks",
        [SLU_MSG_REPORT] = "report",   [SLU_MSG_PROPOSAL] = "proposal",
        [SLU_MSG_VOTE] = "vote",       [SLU_MSG_CERT] = "cert",
        [SLU_MSG_HEADERS] = "headers", [SLU_MSG_BLOCKS] = "blocks",
        [SLU_MSG_FETCH] = "fetch",     [SLU_MSG_REJOIN] = "rejoin",
        [SLU_MSG_FREEZE] = "freeze",   [SLU_MSG_RELAY] = "relay",
        [SLU_MSG_HOLDS] = "holds",     [SLU_MSG_SHARES] = "shares",
        [SLU_MSG_RELEASE] = "release", [SLU_MSG_RELEASE_CERT] = "release_cert",
    };
    return (unsigned)kind < SLU_MSG_KINDS && names[kind] ? names[kind] : "unknown";
}

#define SIZE_WITH(member) (offsetof(struct slu_message, member) + sizeof(((struct slu_message *)0)->member))

size_t slu_message_size(enum slu_message_kind kind)
{
    static const size_t sizes[SLU_MSG_KINDS] = {
        [SLU_MSG_BATCH] = SIZE_WITH(batch),     [SLU_MSG_ACKS] = SIZE_WITH(acks),
        [SLU_MSG_REPORT] = SIZE_WITH(report),   [SLU_MSG_PROPOSAL] = SIZE_WITH(proposal),
        [SLU_MSG_VOTE] = SIZE_WITH(vote),       [SLU_MSG_CERT] = SIZE_WITH(cert),
        [SLU_MSG_HEADERS] = SIZE_WITH(headers), [SLU_MSG_BLOCKS] = SIZE_WITH(blocks),
        [SLU_MSG_FETCH] = SIZE_WITH(fetch),     [SLU_MSG_REJOIN] = SIZE_WITH(rejoin),
        [SLU_MSG_FREEZE] = SIZE_WITH(freeze),   [SLU_MSG_RELAY] = SIZE_WITH(relay),
        [SLU_MSG_HOLDS] = SIZE_WITH(holds),     [SLU_MSG_SHARES] = SIZE_WITH(shares),
        [SLU_MSG_RELEASE] = SIZE_WITH(release),
        [SLU_MSG_RELEASE_CERT] = SIZE_WITH(release_cert),
    };
    return (unsigned)kind < SLU_MSG_KINDS && sizes[kind] ? sizes[kind] : sizeof(struct slu_message);
}

static void write_headers(struct slu_writer *w, const struct slu_headers *h)
{
    slu_write_u16(w, h->count);
    for (uint16_t i = 0; i < h->count; i++)
        slu_batch_header_write(w, &h->items[i]);
}

static void write_blocks(struct slu_writer *w, const struct slu_blocks *b)
{
    slu_write_u16(w, b->count);
    for (uint16_t i = 0; i < b->count; i++)
        slu_block_write(w, &b->items[i]);
    slu_write_u8(w, b->has_cert);
    if (b->has_cert)
        slu_cert_write(w, &b->cert);
}

void slu_message_write(struct slu_writer *w, const struct slu_message *m)
{
    switch (m->kind) {
    case SLU_MSG_BATCH:
        slu_batch_header_write(w, &m->batch.header);
        return;
    case SLU_MSG_ACKS:
        slu_ack_vector_write(w, &m->acks);
        return;
    case SLU_MSG_REPORT:
        slu_report_write(w, &m->report);
        return;
    case SLU_MSG_PROPOSAL:
        slu_proposal_write(w, &m->proposal);
        return;
    case SLU_MSG_VOTE:
        slu_vote_write(w, &m->vote);
        return;
    case SLU_MSG_CERT:
        slu_cert_write(w, &m->cert);
        return;
    case SLU_MSG_HEADERS:
        write_headers(w, &m->headers);
        return;
    case SLU_MSG_BLOCKS:
        write_blocks(w, &m->blocks);
        return;
    case SLU_MSG_FETCH:
        slu_fetch_write(w, &m->fetch);
        return;
    case SLU_MSG_REJOIN:
        slu_rejoin_write(w, &m->rejoin);
        return;
    case SLU_MSG_FREEZE:
        slu_freeze_write(w, &m->freeze);
        return;
    case SLU_MSG_RELAY:
        slu_relay_write(w, &m->relay);
        return;
    case SLU_MSG_HOLDS:
        slu_holds_write(w, &m->holds);
        return;
    case SLU_MSG_SHARES:
        slu_signed_shares_write(w, &m->shares);
        return;
    case SLU_MSG_RELEASE:
        slu_signed_release_write(w, &m->release);
        return;
    case SLU_MSG_RELEASE_CERT:
        slu_release_cert_write(w, &m->release_cert);
        return;
    case SLU_MSG_KINDS:
        break;
    }
    w->failed = true;
}

static int read_headers(struct slu_reader *r, const struct slu_genesis *g, struct slu_headers *h)
{
    h->count = slu_read_u16(r);
    if (r->failed || h->count == 0)
        return SLU_ERR_MALFORMED;
    if (h->count > SLU_HEADERS_PER_MESSAGE_MAX)
        return SLU_ERR_LIMIT;
    for (uint16_t i = 0; i < h->count; i++) {
        struct slu_batch_header *item = &h->items[i];
        int rc = slu_batch_header_read(r, g, item);
        if (rc)
            return rc;
        if (i > 0 && (item->lane != h->items[0].lane ||
                      item->position != h->items[i - 1].position + 1 ||
                      memcmp(item->parent, h->items[i - 1].digest, 32) != 0))
            return SLU_ERR_MALFORMED;
    }
    return SLU_OK;
}

static int read_blocks(struct slu_reader *r, const struct slu_genesis *g, struct slu_blocks *b)
{
    b->count = slu_read_u16(r);
    if (r->failed || b->count == 0)
        return SLU_ERR_MALFORMED;
    if (b->count > SLU_BLOCKS_PER_MESSAGE_MAX)
        return SLU_ERR_LIMIT;
    size_t used = 0;
    for (uint16_t i = 0; i < b->count; i++) {
        int rc = slu_block_read(r, g, &b->items[i]);
        if (rc)
            return rc;
        size_t list = slu_block_list_bytes(&b->items[i]);
        if (list > sizeof b->lists - used)
            return SLU_ERR_LIMIT;
        memcpy(b->lists + used, b->items[i].queued, list);
        b->items[i].queued = b->lists + used;
        used += list;
        if (i > 0 && (b->items[i].height != b->items[i - 1].height + 1 ||
                      memcmp(b->items[i].parent, b->items[i - 1].digest, 32) != 0))
            return SLU_ERR_MALFORMED;
    }
    uint8_t has_cert = slu_read_u8(r);
    if (r->failed || has_cert > 1)
        return SLU_ERR_MALFORMED;
    b->has_cert = has_cert;
    if (!has_cert)
        return SLU_OK;
    int rc = slu_cert_read(r, g, &b->cert);
    if (rc)
        return rc;
    if (b->cert.kind != SLU_FINALIZE ||
        memcmp(b->cert.block, b->items[b->count - 1].digest, 32) != 0)
        return SLU_ERR_MALFORMED;
    return SLU_OK;
}

static int read_batch(struct slu_reader *r, const struct slu_genesis *g, struct slu_batch *batch,
                      const uint8_t *payload, size_t payload_len)
{
    int rc = slu_batch_header_read(r, g, &batch->header);
    if (rc)
        return rc;
    if (payload_len != batch->header.payload_bytes)
        return SLU_ERR_MALFORMED;
    uint8_t digest[32];
    slu_payload_digest(digest, g, payload, payload_len);
    if (memcmp(digest, batch->header.payload_digest, 32) != 0)
        return SLU_ERR_MALFORMED;
    batch->payload = payload;
    return SLU_OK;
}

static int read_body(struct slu_message *m, const struct slu_genesis *g, struct slu_reader *r,
                     const uint8_t *payload, size_t payload_len)
{
    switch (m->kind) {
    case SLU_MSG_BATCH:
        return read_batch(r, g, &m->batch, payload, payload_len);
    case SLU_MSG_ACKS:
        return slu_ack_vector_read(r, g, &m->acks);
    case SLU_MSG_REPORT:
        return slu_report_read(r, g, &m->report);
    case SLU_MSG_PROPOSAL:
        return slu_proposal_read(r, g, &m->proposal);
    case SLU_MSG_VOTE:
        return slu_vote_read(r, g, &m->vote);
    case SLU_MSG_CERT:
        return slu_cert_read(r, g, &m->cert);
    case SLU_MSG_HEADERS:
        return read_headers(r, g, &m->headers);
    case SLU_MSG_BLOCKS:
        return read_blocks(r, g, &m->blocks);
    case SLU_MSG_FETCH:
        return slu_fetch_read(r, g, &m->fetch);
    case SLU_MSG_REJOIN:
        return slu_rejoin_read(r, g, &m->rejoin);
    case SLU_MSG_FREEZE:
        return slu_freeze_read(r, g, &m->freeze);
    case SLU_MSG_RELAY:
        return slu_relay_read(r, g, &m->relay, payload, payload_len);
    case SLU_MSG_HOLDS:
        return slu_holds_read(r, g, &m->holds);
    case SLU_MSG_SHARES:
        return slu_signed_shares_read(r, g, &m->shares);
    case SLU_MSG_RELEASE:
        return slu_signed_release_read(r, g, &m->release);
    case SLU_MSG_RELEASE_CERT:
        return slu_release_cert_read(r, g, &m->release_cert);
    case SLU_MSG_KINDS:
        break;
    }
    return SLU_ERR_MALFORMED;
}

int slu_message_read(struct slu_message *m, const struct slu_genesis *g, uint8_t kind,
                     const uint8_t *body, size_t body_len, const uint8_t *payload,
                     size_t payload_len)
{
    if (kind < SLU_MSG_BATCH || kind >= SLU_MSG_KINDS)
        return SLU_ERR_MALFORMED;
    if (kind != SLU_MSG_BATCH && kind != SLU_MSG_RELAY && payload_len != 0)
        return SLU_ERR_MALFORMED;
    m->kind = (enum slu_message_kind)kind;
    struct slu_reader r = slu_reader_of(body, body_len);
    int rc = read_body(m, g, &r, payload, payload_len);
    if (rc)
        return rc;
    return slu_reader_done(&r) ? SLU_OK : SLU_ERR_MALFORMED;
}

static int signed_by(const struct slu_verifier *v, uint16_t node, const uint8_t digest32[32],
                     const uint8_t signature64[64])
{
    return v->verify(v->context, node, digest32, signature64) ? SLU_OK : SLU_ERR_SIGNATURE;
}

int slu_cert_verify(const struct slu_cert *cert, const struct slu_verifier *verifier)
{
    for (uint16_t i = 0; i < cert->count; i++)
        if (signed_by(verifier, cert->votes[i].node, cert->digest, cert->votes[i].signature))
            return SLU_ERR_SIGNATURE;
    return SLU_OK;
}

static int verify_proposal(const struct slu_proposal *p, const struct slu_genesis *g,
                           const struct slu_verifier *verifier)
{
    uint8_t digest[32];
    slu_vote_digest(digest, g, SLU_NOTARIZE, p->view, p->block);
    if (signed_by(verifier, p->node, digest, p->notarize))
        return SLU_ERR_SIGNATURE;
    return signed_by(verifier, p->node, p->digest, p->signature);
}

/* An item's signature is its taker's; evidence carries two more, of the offender, and a message of
 * the key generation its node's. */
static int verify_relay(const struct slu_relay *relay, const struct slu_genesis *g,
                        const struct slu_verifier *verifier)
{
    struct slu_evidence evidence;
    if (signed_by(verifier, relay->taker, relay->digest, relay->signature))
        return SLU_ERR_SIGNATURE;
    if (relay->kind == SLU_INBOX_KEYGEN) {
        struct slu_keygen_entry entry;
        int rc = slu_keygen_read(&entry, g, relay->content, relay->tuple.bytes);
        return rc ? rc : signed_by(verifier, entry.node, entry.digest, entry.signature64);
    }
    if (relay->kind != SLU_INBOX_EVIDENCE)
        return SLU_OK;
    return slu_evidence_check(&evidence, g, relay->content, relay->tuple.bytes, verifier);
}

int slu_message_verify(const struct slu_message *m, const struct slu_genesis *genesis,
                       const struct slu_verifier *v)
{
    switch (m->kind) {
    case SLU_MSG_BATCH:
        return signed_by(v, m->batch.header.lane, m->batch.header.digest,
                         m->batch.header.signature);
    case SLU_MSG_ACKS:
        return signed_by(v, m->acks.node, m->acks.digest, m->acks.signature);
    case SLU_MSG_REPORT:
        return signed_by(v, m->report.node, m->report.digest, m->report.signature);
    case SLU_MSG_PROPOSAL:
        return verify_proposal(&m->proposal, genesis, v);
    case SLU_MSG_VOTE:
        return signed_by(v, m->vote.node, m->vote.digest, m->vote.signature);
    case SLU_MSG_CERT:
        return slu_cert_verify(&m->cert, v);
    case SLU_MSG_HEADERS:
        for (uint16_t i = 0; i < m->headers.count; i++) {
            const struct slu_batch_header *h = &m->headers.items[i];
            if (signed_by(v, h->lane, h->digest, h->signature))
                return SLU_ERR_SIGNATURE;
        }
        return SLU_OK;
    case SLU_MSG_BLOCKS:
        return m->blocks.has_cert ? slu_cert_verify(&m->blocks.cert, v) : SLU_OK;
    case SLU_MSG_FREEZE:
        return signed_by(v, m->freeze.node, m->freeze.digest, m->freeze.signature);
    case SLU_MSG_RELAY:
        return verify_relay(&m->relay, genesis, v);
    case SLU_MSG_HOLDS:
        for (uint16_t i = 0; i < m->holds.count; i++) {
            const struct slu_hold *hold = &m->holds.items[i];
            if (signed_by(v, hold->node, hold->digest, hold->signature))
                return SLU_ERR_SIGNATURE;
        }
        return SLU_OK;
    case SLU_MSG_SHARES:
        return signed_by(v, m->shares.node, m->shares.digest, m->shares.signature);
    case SLU_MSG_RELEASE:
        return signed_by(v, m->release.node, m->release.release.digest, m->release.signature);
    case SLU_MSG_RELEASE_CERT:
        return slu_release_cert_verify(&m->release_cert, v);
    case SLU_MSG_FETCH:
    case SLU_MSG_REJOIN:
        return SLU_OK; /* unsigned: the link says who asks */
    case SLU_MSG_KINDS:
        break;
    }
    return SLU_ERR_MALFORMED;
}
