/* The chain of blocks: those above the last final one, the final ones that wait for delivery, and
 * catching up by ranges of final blocks. */
#include <string.h>

#include "consensus/state.h"

static uint32_t pool_find(const struct slu_core *c, const uint8_t digest32[32])
{
    for (uint32_t i = 0; i < c->block_count; i++)
        if (slu_digest_is(c->blocks[i].digest, digest32))
            return i;
    return SLU_NONE;
}

const struct slu_block *slu_chain_find(const struct slu_core *c, const uint8_t digest32[32])
{
    if (slu_digest_is(c->head.digest, digest32))
        return &c->head;
    uint32_t at = pool_find(c, digest32);
    return at == SLU_NONE ? NULL : &c->blocks[at];
}

/* The highest notarized block whose content I have: what the next one will probably build on. */
const struct slu_block *slu_chain_best(struct slu_core *c)
{
    for (uint64_t u = c->view ? c->view - 1 : 0; u > c->final_view; u--) {
        const struct slu_view_slot *slot = slu_view_peek(c, u);
        if (!slot || !slot->certified[SLU_NOTARIZE])
            continue;
        const struct slu_block *block = slu_chain_find(c, slot->notarized);
        if (block)
            return block;
    }
    return &c->head;
}

/* Keeps the pending blocks that `keep` says yes to; their lists stay in the same order. */
static void keep_blocks(struct slu_core *c, bool (*keep)(struct slu_core *, const struct slu_block *))
{
    uint32_t kept = 0;
    size_t used = 0;
    for (uint32_t i = 0; i < c->block_count; i++) {
        struct slu_block *block = &c->blocks[i];
        if (!keep(c, block))
            continue;
        size_t list = slu_block_list_bytes(block);
        memmove(c->block_lists + used, block->queued, list);
        block->queued = c->block_lists + used;
        used += list;
        if (kept != i)
            c->blocks[kept] = *block;
        kept++;
    }
    c->block_count = kept;
    c->block_lists_used = used;
}

static bool is_above_final(struct slu_core *c, const struct slu_block *block)
{
    return block->view > c->final_view;
}

/* Not of a view that is nullified, as far as I know, without having been notarized. */
static bool is_useful(struct slu_core *c, const struct slu_block *block)
{
    const struct slu_view_slot *slot = slu_view_peek(c, block->view);
    return slot && (slot->certified[SLU_NOTARIZE] || !slot->certified[SLU_NULLIFY]);
}

void slu_chain_add(struct slu_core *c, const struct slu_block *block)
{
    if (block->view <= c->head.view || slu_chain_find(c, block->digest))
        return;
    size_t list = slu_block_list_bytes(block);
    if (list > SLU_PENDING_LIST_BYTES - c->block_lists_used)
        keep_blocks(c, is_useful);
    if (c->block_count == SLU_PENDING_BLOCKS ||
        list > SLU_PENDING_LIST_BYTES - c->block_lists_used) {
        /* At most one computed and one notarized block per view of the window; their lists fill the
         * memory only when nothing was final for very long. What is missing is fetched. */
        slu_fx_trace(c, "event=block_pool_full view=%llu", (unsigned long long)block->view);
        return;
    }
    struct slu_block *kept = &c->blocks[c->block_count++];
    *kept = *block;
    if (list)
        memcpy(c->block_lists + c->block_lists_used, block->queued, list);
    kept->queued = c->block_lists + c->block_lists_used;
    c->block_lists_used += list;
}

static const struct slu_block *finals_end(const struct slu_core *c)
{
    return c->finals_top == c->delivered.height
               ? &c->delivered
               : &c->finals[c->finals_top % SLU_FINAL_BLOCKS];
}

const struct slu_block *slu_chain_final_at(const struct slu_core *c, uint64_t height)
{
    if (height <= c->delivered.height || height > c->finals_top)
        return NULL;
    return &c->finals[height % SLU_FINAL_BLOCKS];
}

/* What its list says goes into the queue. */
static void keep_final(struct slu_core *c, const struct slu_block *block)
{
    slu_queue_push(c, block, &finals_end(c)->tail);
    struct slu_block *kept = &c->finals[block->height % SLU_FINAL_BLOCKS];
    *kept = *block;
    kept->queued = NULL;
    kept->queued_count = 0;
    c->finals_top = block->height;
}

bool slu_chain_queue_known(const struct slu_core *c)
{
    return c->finals_top == c->head.height && !c->wants_head;
}

/* Appends the next final block to those that wait for delivery. False when it does not connect or
 * too many wait already (it will be fetched again). */
static bool push_final(struct slu_core *c, const struct slu_block *block,
                       const struct slu_cert *cert)
{
    if (block->height != c->finals_top + 1 ||
        !slu_digest_is(block->parent, finals_end(c)->digest) ||
        c->finals_top - c->delivered.height >= SLU_FINAL_BLOCKS - 1 ||
        !slu_queue_has_room(c, block))
        return false;
    keep_final(c, block);
    size_t cap = slu_block_bytes(block) + 1 + SLU_CERT_BYTES_MAX;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, cap), cap);
    slu_block_write(&w, block);
    slu_write_u8(&w, cert != NULL);
    if (cert)
        slu_cert_write(&w, cert);
    SLU_CHECK(!w.failed);
    struct slu_record_key key = {.kind = SLU_REC_FINAL, .a = block->height};
    slu_fx_persist(c, &key, w.start, slu_writer_len(&w), NULL, 0);
    return true;
}

/* At boot: a final block that the disk holds and that is not delivered yet. */
void slu_chain_restore_final(struct slu_core *c, const struct slu_block *block)
{
    if (block->height == c->finals_top + 1 && slu_digest_is(block->parent, finals_end(c)->digest) &&
        c->finals_top - c->delivered.height < SLU_FINAL_BLOCKS - 1 && slu_queue_has_room(c, block))
        keep_final(c, block);
}

static void push_path(struct slu_core *c, const struct slu_block *tip, const struct slu_cert *cert)
{
    uint32_t count = 0;
    const struct slu_block *at = tip;
    while (at && at->height > c->finals_top && count < SLU_PENDING_BLOCKS) {
        c->block_path[count++] = at;
        uint32_t parent = pool_find(c, at->parent);
        at = parent == SLU_NONE ? NULL : &c->blocks[parent];
    }
    while (count-- > 0)
        if (!push_final(c, c->block_path[count], c->block_path[count] == tip ? cert : NULL))
            return;
}

static void persist_head(struct slu_core *c)
{
    size_t cap = slu_block_bytes(&c->head) + SLU_CERT_BYTES_MAX;
    struct slu_writer w = slu_writer_of(slu_fx_take(c, cap), cap);
    slu_block_write(&w, &c->head);
    slu_cert_write(&w, &c->head_cert);
    struct slu_record_key key = {.kind = SLU_REC_STATE, .a = SLU_STATE_HEAD};
    slu_fx_persist(c, &key, w.start, slu_writer_len(&w), NULL, 0);
}

/* Votes below the last final view can never matter again; deleted now and then, not each time. */
static void forget_votes(struct slu_core *c)
{
    if (c->final_view < c->forgotten_view + 256)
        return;
    struct slu_record_key from = {.kind = SLU_REC_VOTE, .a = 0};
    struct slu_record_key to = {.kind = SLU_REC_VOTE, .a = c->final_view};
    slu_fx_forget(c, &from, &to);
    for (uint16_t l = 0; l < c->n; l++) {
        struct slu_record_key ack = {.kind = SLU_REC_ACK, .a = l};
        struct slu_record_key ack_end = ack;
        ack_end.b = c->lanes[l].committed.position;
        if (ack_end.b > 0)
            slu_fx_forget(c, &ack, &ack_end);
    }
    c->forgotten_view = c->final_view;
}

static void set_head(struct slu_core *c, const struct slu_block *block)
{
    memmove(c->head_list, block->queued, slu_block_list_bytes(block));
    c->head = *block;
    c->head.queued = c->head_list;
    c->slashed = slu_block_slashed(block);
}

static void commit(struct slu_core *c, const struct slu_block *block, const struct slu_cert *cert)
{
    push_path(c, block, cert);
    c->stats.blocks_final += block->height - c->head.height;
    set_head(c, block);
    c->head_cert = *cert;
    c->has_head_cert = true;
    if (c->want_head.view <= cert->view)
        c->wants_head = false;
    persist_head(c);
    for (uint16_t l = 0; l < c->n; l++)
        slu_lane_commit(c, l, &c->head.cut[l]);
    keep_blocks(c, is_above_final);
    slu_inbox_expire(c);
    forget_votes(c);
    slu_view_finalized(c);
    c->order_wanted = true;
}

static void want_block(struct slu_core *c, const uint8_t digest32[32], uint16_t from)
{
    slu_fetch_want(c, SLU_FETCH_BLOCK, 0, 0, 0, digest32, UINT64_C(1) << from);
}

void slu_chain_final(struct slu_core *c, const struct slu_cert *cert, uint16_t from)
{
    if (cert->view <= c->final_view)
        return;
    const struct slu_block *block = slu_chain_find(c, cert->block);
    c->final_view = cert->view;
    if (block) {
        struct slu_block copy = *block; /* the pool moves under a commit */
        commit(c, &copy, cert);
    } else {
        c->wants_head = true;
        c->want_head = *cert;
        want_block(c, cert->block, from);
    }
    slu_view_enter(c, cert->view + 1);
    slu_view_progress(c);
}

/* A single block answers a fetch: taken only when a certificate or a block that has one names it. */
static void on_single(struct slu_core *c, const struct slu_block *block)
{
    if (c->wants_head && slu_digest_is(block->digest, c->want_head.block)) {
        struct slu_cert cert = c->want_head;
        commit(c, block, &cert);
        slu_view_progress(c);
        return;
    }
    const struct slu_view_slot *slot = slu_view_peek(c, block->view);
    bool notarized =
        slot && slot->certified[SLU_NOTARIZE] && slu_digest_is(slot->notarized, block->digest);
    if (notarized || slu_fetch_is_wanted(c, SLU_FETCH_BLOCK, block->digest)) {
        slu_chain_add(c, block);
        slu_view_progress(c);
    }
}

/* A run of final blocks that ends in one with its own F: everything in it is final. */
static void on_range(struct slu_core *c, const struct slu_blocks *blocks, uint16_t from)
{
    const struct slu_block *last = &blocks->items[blocks->count - 1];
    if (last->view != blocks->cert.view)
        return;
    uint16_t first = 0;
    while (first < blocks->count && blocks->items[first].height <= c->finals_top)
        first++;
    for (uint16_t i = first; i < blocks->count; i++)
        if (!push_final(c, &blocks->items[i], i + 1 == blocks->count ? &blocks->cert : NULL))
            break;
    c->finals_fetch_ms = 0; /* the next range may be asked for at once */
    if (c->wants_head && slu_digest_is(last->digest, c->want_head.block)) {
        on_single(c, last);
    } else if (last->height > c->head.height) {
        if (blocks->cert.view > c->final_view)
            c->final_view = blocks->cert.view;
        commit(c, last, &blocks->cert);
        slu_view_enter(c, blocks->cert.view + 1);
    }
    (void)from;
    c->order_wanted = true;
}

void slu_chain_on_blocks(struct slu_core *c, const struct slu_blocks *blocks, uint16_t from)
{
    if (blocks->has_cert)
        on_range(c, blocks, from);
    else if (blocks->count == 1)
        on_single(c, &blocks->items[0]);
}

void slu_chain_restore_head(struct slu_core *c, const struct slu_block *block,
                            const struct slu_cert *cert)
{
    set_head(c, block);
    c->head_cert = *cert;
    c->has_head_cert = true;
    c->final_view = cert->view;
    for (uint16_t l = 0; l < c->n; l++)
        slu_lane_commit(c, l, &c->head.cut[l]);
}

void slu_chain_serve_block(struct slu_core *c, uint16_t to, const struct slu_fetch *fetch)
{
    const struct slu_block *block = slu_chain_find(c, fetch->digest);
    if (!block || block->height == 0)
        return;
    struct slu_message *m = c->scratch;
    m->kind = SLU_MSG_BLOCKS;
    m->blocks.count = 1;
    m->blocks.has_cert = false;
    m->blocks.items[0] = *block;
    slu_fx_send(c, to, m);
}
