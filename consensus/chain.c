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
static void keep_blocks(struct slu_core *c,
                        bool (*keep)(const struct slu_core *, const struct slu_block *),
                        uint32_t place)
{
    uint32_t kept = 0;
    size_t used = 0;
    for (uint32_t i = 0; i < c->block_count; i++) {
        struct slu_block *block = &c->blocks[i];
        if (i == place || (keep && !keep(c, block)))
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

/* Makes room in a full pool: the lowest block that only others may still want goes. */
static bool drop_lowest(struct slu_core *c)
{
    uint32_t lowest = SLU_NONE;
    for (uint32_t i = 0; i < c->block_count; i++)
        if (c->blocks[i].view <= c->final_view &&
            (lowest == SLU_NONE || c->blocks[i].height < c->blocks[lowest].height))
            lowest = i;
    if (lowest != SLU_NONE)
        keep_blocks(c, NULL, lowest);
    return lowest != SLU_NONE;
}

/* Not of a view that is nullified, as far as I know, without having been notarized. */
static bool is_useful(const struct slu_core *c, const struct slu_block *block)
{
    const struct slu_view_slot *slot = slu_view_peek(c, block->view);
    return !slot || slot->certified[SLU_NOTARIZE] || !slot->certified[SLU_NULLIFY];
}

static bool has_room(const struct slu_core *c, size_t list_bytes)
{
    return c->block_count < SLU_PENDING_BLOCKS &&
           list_bytes <= SLU_PENDING_LIST_BYTES - c->block_lists_used;
}

static void pool_put(struct slu_core *c, const struct slu_block *block)
{
    size_t list = slu_block_list_bytes(block);
    if (pool_find(c, block->digest) != SLU_NONE)
        return;
    if (!has_room(c, list))
        keep_blocks(c, is_useful, SLU_NONE);
    while (!has_room(c, list) && drop_lowest(c))
        ;
    if (!has_room(c, list)) {
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

void slu_chain_add(struct slu_core *c, const struct slu_block *block)
{
    if (block->view > c->head.view)
        pool_put(c, block);
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

static void persist_final(struct slu_core *c, const struct slu_block *block,
                          const struct slu_cert *cert)
{
    size_t cap = slu_block_bytes(block) + 1 + (cert ? SLU_CERT_BYTES_MAX : 0);
    struct slu_writer w = slu_writer_of(slu_fx_take(c, cap), cap);
    slu_block_write(&w, block);
    slu_write_u8(&w, cert != NULL);
    if (cert)
        slu_cert_write(&w, cert);
    SLU_CHECK(!w.failed);
    struct slu_record_key key = {.kind = SLU_REC_FINAL, .a = block->height};
    slu_fx_persist(c, &key, w.start, slu_writer_len(&w), NULL, 0);
    slu_report_persist(c, block);
}

/* What its list says goes into the queue; `block` may be in the ring already. */
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
    persist_final(c, block, cert);
    keep_final(c, block);
    return true;
}

/* At boot: a final block that the disk holds and that is not delivered yet. One above a gap waits in
 * the pool. */
void slu_chain_restore_final(struct slu_core *c, const struct slu_block *block)
{
    if (block->height == c->finals_top + 1 && slu_digest_is(block->parent, finals_end(c)->digest) &&
        c->finals_top - c->delivered.height < SLU_FINAL_BLOCKS - 1 &&
        slu_queue_has_room(c, block)) {
        keep_final(c, block);
    } else if (block->height > c->finals_top) {
        pool_put(c, block);
    }
}

/* `tip` and its ancestors above the blocks that wait for delivery, as far down as I have them, into
 * block_path. */
static uint32_t walk_down(struct slu_core *c, const struct slu_block *tip)
{
    uint32_t count = 0;
    const struct slu_block *at = tip;
    while (at && at->height > c->finals_top && count < SLU_PENDING_BLOCKS) {
        c->block_path[count++] = at;
        uint32_t parent = pool_find(c, at->parent);
        at = parent == SLU_NONE ? NULL : &c->blocks[parent];
    }
    return count;
}

/* The final block `tip` and what is final with it, to those that wait for delivery. Above a gap,
 * what is newly final is only written, so that others can have it (clause 3.14). */
static void push_path(struct slu_core *c, const struct slu_block *tip, const struct slu_cert *cert)
{
    uint32_t count = walk_down(c, tip);
    bool connects = count > 0 && c->block_path[count - 1]->height == c->finals_top + 1;
    while (count-- > 0) {
        const struct slu_block *block = c->block_path[count];
        const struct slu_cert *own = block == tip ? cert : NULL;
        if (connects && !push_final(c, block, own))
            return;
        if (!connects && block->height > c->head.height)
            persist_final(c, block, own);
    }
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

/* What waits for delivery or cannot become final any more. Above a gap a block stays, whoever may
 * still lack it: of those that notarized it I may be the only one who is there (clause 3.14). */
static bool is_open(const struct slu_core *c, const struct slu_block *block)
{
    return block->view > c->final_view || block->height > c->finals_top;
}

static void drop_old_blocks(struct slu_core *c)
{
    keep_blocks(c, is_open, SLU_NONE);
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
    drop_old_blocks(c);
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

/* The gap below the head may be closed now. */
static void connect(struct slu_core *c)
{
    if (c->head.height <= c->finals_top)
        return;
    push_path(c, &c->head, &c->head_cert);
    drop_old_blocks(c);
    c->order_wanted = true;
}

const uint8_t *slu_chain_missing(struct slu_core *c)
{
    uint32_t count = walk_down(c, &c->head);
    return count == 0 || c->block_path[count - 1]->height == c->finals_top + 1
               ? NULL
               : c->block_path[count - 1]->parent;
}

/* A single block answers a fetch: taken only when a certificate names it, or a block that is final or
 * has one. */
static void on_single(struct slu_core *c, const struct slu_block *block)
{
    if (c->wants_head && slu_digest_is(block->digest, c->want_head.block)) {
        struct slu_cert cert = c->want_head;
        commit(c, block, &cert);
        slu_view_progress(c);
        return;
    }
    bool wanted = slu_fetch_is_wanted(c, SLU_FETCH_BLOCK, block->digest);
    const uint8_t *missing = wanted ? slu_chain_missing(c) : NULL;
    if (missing && slu_digest_is(missing, block->digest)) {
        pool_put(c, block);
        connect(c);
        return;
    }
    const struct slu_view_slot *slot = slu_view_peek(c, block->view);
    bool notarized =
        slot && slot->certified[SLU_NOTARIZE] && slu_digest_is(slot->notarized, block->digest);
    if (notarized || wanted) {
        slu_chain_add(c, block);
        slu_view_progress(c);
    }
}

/* ---- a gap: F that lie further apart than one message holds (clause 3.14) ---- */

/* The gap is filled, or was passed by a run: what lies above it waits for delivery like the rest. */
static void close_gap(struct slu_core *c)
{
    if (!c->gap_low || c->gap_low > c->finals_top + 1)
        return;
    for (uint64_t height = c->finals_top + 1; height <= c->gap_top; height++) {
        const struct slu_block *block = &c->finals[height % SLU_FINAL_BLOCKS];
        if (!push_final(c, block, height == c->gap_top ? &c->gap_cert : NULL))
            break;
    }
    c->gap_low = c->gap_top = 0;
    c->order_wanted = true;
}

/* Final blocks that end right below the gap's upper edge, or `blocks` that ends with its own F. */
static void keep_above_gap(struct slu_core *c, const struct slu_blocks *blocks)
{
    for (uint16_t i = blocks->count; i-- > 0 && blocks->items[i].height > c->finals_top;) {
        const struct slu_block *block = &blocks->items[i];
        size_t list = slu_block_list_bytes(block);
        if (list > SLU_PENDING_LIST_BYTES - c->gap_lists_used) {
            c->gap_low = c->gap_top = 0; /* what lies above is fetched again, later */
            return;
        }
        struct slu_block *kept = &c->finals[block->height % SLU_FINAL_BLOCKS];
        *kept = *block;
        if (list)
            memcpy(c->gap_lists + c->gap_lists_used, block->queued, list);
        kept->queued = c->gap_lists + c->gap_lists_used;
        c->gap_lists_used += list;
        c->gap_low = block->height;
        memcpy(c->gap_parent, block->parent, 32);
    }
    c->finals_fetch_ms = 0;
    close_gap(c);
}

static void open_gap(struct slu_core *c, const struct slu_blocks *blocks)
{
    const struct slu_block *last = &blocks->items[blocks->count - 1];
    if (c->gap_low || blocks->items[0].height <= c->finals_top + 1 ||
        last->height - c->delivered.height >= SLU_FINAL_BLOCKS)
        return;
    c->gap_lists_used = 0;
    c->gap_top = last->height;
    c->gap_cert = blocks->cert;
    keep_above_gap(c, blocks);
}

static bool fills_gap(const struct slu_core *c, const struct slu_blocks *blocks)
{
    const struct slu_block *last = &blocks->items[blocks->count - 1];
    return c->gap_low && last->height + 1 == c->gap_low &&
           slu_digest_is(last->digest, c->gap_parent);
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
    close_gap(c);
    open_gap(c, blocks);
    c->finals_fetch_ms = 0; /* the next range may be asked for at once */
    if (c->wants_head && slu_digest_is(last->digest, c->want_head.block)) {
        on_single(c, last);
    } else if (last->height > c->head.height) {
        if (blocks->cert.view > c->final_view)
            c->final_view = blocks->cert.view;
        commit(c, last, &blocks->cert);
        slu_view_enter(c, blocks->cert.view + 1);
    }
    connect(c);
    (void)from;
    c->order_wanted = true;
}

void slu_chain_on_blocks(struct slu_core *c, const struct slu_blocks *blocks, uint16_t from)
{
    if (blocks->has_cert)
        on_range(c, blocks, from);
    else if (fills_gap(c, blocks))
        keep_above_gap(c, blocks);
    else if (blocks->count == 1)
        on_single(c, &blocks->items[0]);
    slu_view_progress(c); /* with the queue known, a block may be judged that could not be */
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
