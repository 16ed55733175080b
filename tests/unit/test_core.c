/* The core on a perfect network: readable traces of the good case, without the simulator. n cores
 * exchange encoded messages in rounds of one millisecond; disks are plain tables in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "consensus/core.h"
#include "consensus/order.h"
#include "consensus/serve.h"
#include "sluice/error.h"
#include "tests/sim/seal_keys.h"

#define NODES_MAX   7
#define RECORDS_MAX 4096
#define MAIL_MAX    65536

struct record {
    struct slu_record_key key;
    uint8_t *value;
    size_t len;
};

struct mail {
    uint16_t from, to;
    uint8_t kind;
    uint8_t *bytes;
    size_t body_len, payload_len;
};

struct node {
    uint16_t index;
    void *memory;
    struct slu_core *core;
    struct slu_effects *fx;
    void *fx_memory;
    struct record records[RECORDS_MAX];
    uint32_t record_count;
    uint64_t reads[64];
    struct slu_record_key read_keys[64];
    uint32_t read_count;
    uint64_t durable;
    struct slu_admission admitted[64];
    uint32_t admitted_count;
    struct slu_tx_status answer;
};

struct world {
    struct slu_genesis genesis;
    struct node nodes[NODES_MAX];
    struct mail mail[MAIL_MAX];
    uint32_t mail_count;
    uint64_t now_ms;
    bool down[NODES_MAX];
};

static int fake_sign(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                     const uint8_t digest32[32])
{
    struct node *node = context;
    (void)role;
    (void)view;
    memset(signature64, node->index + 1, 64);
    memcpy(signature64, digest32, 32);
    return 0;
}

static int key_order(const struct slu_record_key *a, const struct slu_record_key *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    if (a->b != b->b)
        return a->b < b->b ? -1 : 1;
    return memcmp(a->digest, b->digest, 32);
}

static struct record *find(struct node *node, const struct slu_record_key *key)
{
    for (uint32_t i = 0; i < node->record_count; i++)
        if (key_order(&node->records[i].key, key) == 0)
            return &node->records[i];
    return NULL;
}

static void put(struct node *node, const struct slu_effect *fx)
{
    struct record *at = find(node, &fx->persist.key);
    if (!at) {
        assert_true(node->record_count < RECORDS_MAX);
        at = &node->records[node->record_count++];
        *at = (struct record){.key = fx->persist.key};
    }
    free(at->value);
    at->len = fx->persist.value_len + fx->persist.payload_len;
    at->value = malloc(at->len + 1);
    memcpy(at->value, fx->persist.value, fx->persist.value_len);
    if (fx->persist.payload_len)
        memcpy(at->value + fx->persist.value_len, fx->persist.payload, fx->persist.payload_len);
}

static void send(struct world *w, uint16_t from, uint16_t to, const struct slu_effect *fx)
{
    assert_true(w->mail_count < MAIL_MAX);
    struct mail *m = &w->mail[w->mail_count++];
    *m = (struct mail){.from = from,
                       .to = to,
                       .kind = fx->send.message_kind,
                       .body_len = fx->send.body_len,
                       .payload_len = fx->send.payload_len};
    m->bytes = malloc(m->body_len + m->payload_len);
    memcpy(m->bytes, fx->send.body, m->body_len);
    if (m->payload_len)
        memcpy(m->bytes + m->body_len, fx->send.payload, m->payload_len);
}

static int get_record(void *context, const struct slu_record_key *key, const uint8_t **value,
                  size_t *len)
{
    struct record *at = find(context, key);
    if (!at)
        return SLU_ERR_NOT_FOUND;
    *value = at->value;
    *len = at->len;
    return 0;
}

static int scan(void *context, const struct slu_record_key *from, const struct slu_record_key *to,
                int (*visit)(void *, const struct slu_record_key *, const uint8_t *, size_t),
                void *visitor)
{
    struct node *node = context;
    struct slu_record_key at = *from;
    for (bool first = true;; first = false) {
        struct record *next = NULL;
        for (uint32_t i = 0; i < node->record_count; i++) {
            struct record *r = &node->records[i];
            int order = key_order(&r->key, &at);
            if ((first ? order >= 0 : order > 0) && key_order(&r->key, to) < 0 &&
                (!next || key_order(&r->key, &next->key) < 0))
                next = r;
        }
        if (!next)
            return 0;
        at = next->key;
        int rc = visit(visitor, &next->key, next->value, next->len);
        if (rc)
            return rc;
    }
}

static int last(void *context, enum slu_record_kind kind, struct slu_record_key *key,
                const uint8_t **value, size_t *len)
{
    struct node *node = context;
    struct record *best = NULL;
    for (uint32_t i = 0; i < node->record_count; i++)
        if (node->records[i].key.kind == kind &&
            (!best || key_order(&node->records[i].key, &best->key) > 0))
            best = &node->records[i];
    if (!best)
        return SLU_ERR_NOT_FOUND;
    *key = best->key;
    *value = best->value;
    *len = best->len;
    return 0;
}

struct answer {
    struct world *w;
    uint16_t from, to;
};

static void answer(void *context, uint8_t kind, const uint8_t *body, size_t body_len,
                   const uint8_t *payload, size_t payload_len)
{
    struct answer *a = context;
    struct slu_effect fx = {.kind = SLU_EFFECT_SEND};
    fx.send.message_kind = kind;
    fx.send.body = body;
    fx.send.body_len = body_len;
    fx.send.payload = payload;
    fx.send.payload_len = payload_len;
    send(a->w, a->from, a->to, &fx);
}

static struct slu_store store_of(struct node *node)
{
    return (struct slu_store){.context = node, .get = get_record, .scan = scan, .last = last};
}

static void execute(struct world *w, struct node *node)
{
    for (uint32_t i = 0; i < node->fx->count; i++)
        if (node->fx->items[i].kind == SLU_EFFECT_PERSIST)
            put(node, &node->fx->items[i]);
    for (uint32_t i = 0; i < node->fx->count; i++) {
        const struct slu_effect *fx = &node->fx->items[i];
        if (fx->kind == SLU_EFFECT_SEND) {
            for (uint16_t to = 0; to < w->genesis.n; to++)
                if (to != node->index && (fx->send.to == to || fx->send.to == SLU_TO_ALL))
                    send(w, node->index, to, fx);
        } else if (fx->kind == SLU_EFFECT_READ) {
            assert_true(node->read_count < 64);
            node->reads[node->read_count] = fx->read.tag;
            node->read_keys[node->read_count++] = fx->read.key;
        } else if (fx->kind == SLU_EFFECT_SERVE) {
            struct answer to = {.w = w, .from = node->index, .to = fx->serve.to};
            struct slu_store store = store_of(node);
            assert_int_equal(slu_serve(&store, &w->genesis, &fx->serve.fetch, answer, &to), 0);
        } else if (fx->kind == SLU_EFFECT_DURABLE) {
            node->durable = fx->durable_position;
        } else if (fx->kind == SLU_EFFECT_ADMITTED) {
            node->admitted_count = fx->admitted.count;
            memcpy(node->admitted, fx->admitted.items,
                   fx->admitted.count * sizeof *fx->admitted.items);
        } else if (fx->kind == SLU_EFFECT_ANSWER) {
            node->answer = fx->answer.items[0];
        }
    }
    slu_effects_reset(node->fx);
}

static void step(struct world *w, struct node *node, struct slu_event event)
{
    event.now_ms = w->now_ms;
    event.clock_ms = w->genesis.created_ms + w->now_ms;
    slu_core_step(node->core, &event, node->fx);
}

static void end_turn(struct world *w, struct node *node)
{
    step(w, node, (struct slu_event){.kind = SLU_EVENT_TURN});
    execute(w, node);
    while (node->read_count > 0) {
        uint32_t count = node->read_count;
        node->read_count = 0;
        uint64_t tags[64];
        struct slu_record_key keys[64];
        memcpy(tags, node->reads, sizeof tags);
        memcpy(keys, node->read_keys, sizeof keys);
        for (uint32_t i = 0; i < count; i++) {
            struct record *at = find(node, &keys[i]);
            assert_non_null(at);
            struct slu_event event = {.kind = SLU_EVENT_BODY};
            event.body.tag = tags[i];
            event.body.header_and_payload = at->value;
            event.body.bytes = at->len;
            step(w, node, event);
        }
        step(w, node, (struct slu_event){.kind = SLU_EVENT_TURN});
        execute(w, node);
    }
}

static void deliver(struct world *w)
{
    static struct slu_message message;
    uint32_t count = w->mail_count;
    for (uint32_t i = 0; i < count; i++) {
        struct mail m = w->mail[i];
        struct node *node = &w->nodes[m.to];
        if (!w->down[m.to] && !w->down[m.from]) {
            assert_int_equal(slu_message_read(&message, &w->genesis, m.kind, m.bytes, m.body_len,
                                              m.bytes + m.body_len, m.payload_len),
                             0);
            step(w, node,
                 (struct slu_event){
                     .kind = SLU_EVENT_MESSAGE, .from = m.from, .message = &message});
            /* One message per turn: its bytes are only valid until the effects are executed. */
            end_turn(w, node);
        }
        free(m.bytes);
    }
    memmove(w->mail, w->mail + count, (w->mail_count - count) * sizeof *w->mail);
    w->mail_count -= count;
}

static void run(struct world *w, uint64_t ms)
{
    for (uint64_t end = w->now_ms + ms; w->now_ms < end; w->now_ms++) {
        deliver(w);
        for (uint16_t i = 0; i < w->genesis.n; i++) {
            if (w->down[i])
                continue;
            step(w, &w->nodes[i], (struct slu_event){.kind = SLU_EVENT_TIMER});
            end_turn(w, &w->nodes[i]);
        }
    }
}

static struct world *world_new(uint16_t n)
{
    struct world *w = calloc(1, sizeof *w);
    w->genesis.version = SLU_PROTOCOL_VERSION;
    strcpy(w->genesis.name, "test");
    w->genesis.created_ms = 1000000;
    w->genesis.n = n;
    w->genesis.open_rollups = true;
    slu_params_defaults(&w->genesis.params);
    w->genesis.params.dedup_entries_max = 4096;
    w->genesis.params.sealing = 0;
    for (uint16_t i = 0; i < n; i++) {
        w->genesis.nodes[i].public32[0] = (uint8_t)(i + 1);
        strcpy(w->genesis.nodes[i].address, "tcp://127.0.0.1:1");
    }
    sim_seal_keys(&w->genesis);
    char why[200] = "";
    assert_int_equal(slu_genesis_seal(&w->genesis, why, sizeof why), 0);
    for (uint16_t i = 0; i < n; i++) {
        struct node *node = &w->nodes[i];
        node->index = i;
        node->memory = calloc(1, slu_core_bytes(&w->genesis));
        node->fx = calloc(1, sizeof *node->fx);
        node->fx_memory = calloc(1, SLU_TURN_BYTES_MAX);
        slu_effects_init(node->fx, node->fx_memory);
    }
    return w;
}

static void boot(struct world *w, uint16_t i, bool first_start)
{
    struct node *node = &w->nodes[i];
    struct slu_core_config config = {
        .genesis = &w->genesis, .self = i, .seed = i, .signer = {node, fake_sign}};
    memset(node->memory, 0, slu_core_bytes(&w->genesis));
    node->core = slu_core_init(node->memory, &config);
    struct slu_store store = store_of(node);
    assert_int_equal(slu_core_boot(node->core, &store, first_start), 0);
    slu_effects_reset(node->fx);
    step(w, node, (struct slu_event){.kind = SLU_EVENT_START});
    end_turn(w, node);
    w->down[i] = false;
    for (uint16_t j = 0; j < w->genesis.n; j++) {
        if (j == i || w->down[j] || !w->nodes[j].core)
            continue;
        step(w, node, (struct slu_event){.kind = SLU_EVENT_PEER_UP, .from = j});
        end_turn(w, node);
        step(w, &w->nodes[j], (struct slu_event){.kind = SLU_EVENT_PEER_UP, .from = i});
        end_turn(w, &w->nodes[j]);
    }
}

static void submit(struct world *w, uint16_t i, uint64_t rollup, const char *text,
                   uint64_t valid_for_ms)
{
    uint8_t bytes[512];
    struct slu_writer out = slu_writer_of(bytes, sizeof bytes);
    slu_tx_write(&out, rollup, w->genesis.created_ms + w->now_ms + valid_for_ms, SLU_TX_PLAIN,
                 (const uint8_t *)text, (uint32_t)strlen(text));
    struct slu_event event = {.kind = SLU_EVENT_SUBMIT};
    event.submit.envelopes = bytes;
    event.submit.bytes = slu_writer_len(&out);
    event.submit.count = 1;
    step(w, &w->nodes[i], event);
    end_turn(w, &w->nodes[i]);
}

static struct slu_tx_status query(struct world *w, uint16_t i, const uint8_t id32[32])
{
    struct slu_event event = {.kind = SLU_EVENT_QUERY};
    event.query.ids = id32;
    event.query.count = 1;
    step(w, &w->nodes[i], event);
    end_turn(w, &w->nodes[i]);
    return w->nodes[i].answer;
}

static void world_free(struct world *w)
{
    for (uint32_t i = 0; i < w->mail_count; i++)
        free(w->mail[i].bytes);
    for (uint16_t i = 0; i < w->genesis.n; i++) {
        struct node *node = &w->nodes[i];
        for (uint32_t k = 0; k < node->record_count; k++)
            free(node->records[k].value);
        free(node->memory);
        free(node->fx);
        free(node->fx_memory);
    }
    free(w);
}

static void start_all(struct world *w)
{
    for (uint16_t i = 0; i < w->genesis.n; i++)
        boot(w, i, true);
}

static uint64_t height(const struct world *w, uint16_t i)
{
    return slu_core_stats(w->nodes[i].core)->delivered_height;
}

static void one_tx(uint16_t n)
{
    struct world *w = world_new(n);
    start_all(w);
    run(w, 20);
    submit(w, 0, 7, "hello", 10000);
    assert_int_equal(w->nodes[0].admitted[0].status, SLU_ADMIT_ACCEPTED);
    uint8_t id[32];
    memcpy(id, w->nodes[0].admitted[0].id, 32);
    run(w, 40);
    for (uint16_t i = 0; i < n; i++) {
        struct slu_tx_status at = query(w, i, id);
        assert_int_equal(at.stage, SLU_STAGE_FINAL);
        assert_int_equal(at.index, 0);
        assert_int_equal(at.height, query(w, 0, id).height);
        assert_int_equal(slu_core_stats(w->nodes[i].core)->txs_delivered, 1);
    }
    world_free(w);
}

static void test_one_transaction(void **state)
{
    (void)state;
    one_tx(1);
    one_tx(2);
    one_tx(4);
    one_tx(5);
    one_tx(7);
}

static void test_idle_chain_ticks(void **state)
{
    (void)state;
    struct world *w = world_new(4);
    start_all(w);
    run(w, 10000);
    for (uint16_t i = 0; i < 4; i++) {
        assert_in_range(height(w, i), 8, 14); /* 250 ms growing to 1 s */
        assert_int_equal(slu_core_stats(w->nodes[i].core)->views_nullified, 0);
        assert_in_range(slu_core_stats(w->nodes[i].core)->stream_time_ms, 1000000 + 8500,
                        1000000 + 10000);
    }
    world_free(w);
}

static void test_restart_goes_on(void **state)
{
    (void)state;
    struct world *w = world_new(4);
    start_all(w);
    for (int k = 0; k < 20; k++) {
        char text[32];
        snprintf(text, sizeof text, "tx %d", k);
        submit(w, (uint16_t)(k % 4), 1, text, 20000);
        run(w, 7);
    }
    w->down[2] = true;
    uint64_t before = height(w, 2);
    for (int k = 20; k < 40; k++) {
        char text[32];
        snprintf(text, sizeof text, "tx %d", k);
        submit(w, (uint16_t)(k % 4 == 2 ? 1 : k % 4), 1, text, 20000);
        run(w, 7);
    }
    run(w, 2000);
    assert_true(height(w, 0) > before + 2);
    boot(w, 2, false);
    run(w, 3000);
    for (uint16_t i = 0; i < 4; i++)
        assert_int_equal(slu_core_stats(w->nodes[i].core)->delivered_height, height(w, 0));
    for (uint64_t h = 1; h <= height(w, 0); h++) {
        struct slu_record_key key = {.kind = SLU_REC_DELIVERED, .a = h};
        struct record *first = find(&w->nodes[0], &key);
        for (uint16_t i = 1; i < 4; i++) {
            struct record *other = find(&w->nodes[i], &key);
            assert_non_null(other);
            assert_int_equal(first->len, other->len);
            assert_memory_equal(first->value, other->value, first->len);
        }
    }
    world_free(w);
}

static void test_lost_disk_rejoins(void **state)
{
    (void)state;
    struct world *w = world_new(4);
    start_all(w);
    for (int k = 0; k < 10; k++) {
        char text[32];
        snprintf(text, sizeof text, "tx %d", k);
        submit(w, (uint16_t)(k % 4), 1, text, 20000);
        run(w, 7);
    }
    w->down[3] = true;
    for (uint32_t k = 0; k < w->nodes[3].record_count; k++)
        free(w->nodes[3].records[k].value);
    w->nodes[3].record_count = 0;
    run(w, 500);
    boot(w, 3, false);
    assert_true(slu_core_rejoining(w->nodes[3].core));
    run(w, 6000);
    assert_false(slu_core_rejoining(w->nodes[3].core));
    assert_int_equal(height(w, 3), height(w, 0));
    submit(w, 3, 1, "after", 20000);
    assert_int_equal(w->nodes[3].admitted[0].status, SLU_ADMIT_ACCEPTED);
    uint8_t id[32];
    memcpy(id, w->nodes[3].admitted[0].id, 32);
    run(w, 100);
    assert_int_equal(query(w, 0, id).stage, SLU_STAGE_FINAL);
    struct slu_lane_status lane;
    slu_core_lane_status(w->nodes[0].core, 3, &lane);
    assert_int_equal(lane.incarnation, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_transaction),
        cmocka_unit_test(test_idle_chain_ticks),
        cmocka_unit_test(test_restart_goes_on),
        cmocka_unit_test(test_lost_disk_rejoins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
