/* A node that never ends a height, for `sluice subscribe --genesis`: the reader stops where the
 * genesis says that the height must have ended, and takes no more memory than that. */
#include <pthread.h>

#include "tests/unit/liar.h"
#include "wire/entry.h"
#include "wire/height_bound.h"

#define PART_BYTES 900000u
#define ON_ITS_WAY ((size_t)48 << 20) /* in sockets and queues, when the reader hangs up */

struct flood {
    struct stub_door door;
    pthread_t thread;
    struct slu_link *link;
    uint64_t id;
    uint32_t payload_len;  /* of each entry */
    size_t sent, sent_max; /* bytes of entries */
};

static void send_part(struct flood *f, uint32_t *index)
{
    static uint8_t bytes[PART_BYTES], block[32] = {1};
    const size_t entry_bytes = SLU_ENTRY_HEAD_BYTES + f->payload_len;
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    Slu__Client__Height body = SLU__CLIENT__HEIGHT__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    struct slu_entry entry = {.rollup = 7, .id32 = block, .payload_len = f->payload_len};
    while (slu_writer_len(&w) + entry_bytes <= sizeof bytes) {
        entry.index = (*index)++;
        slu_entry_head_write(&w, &entry);
        w.at += f->payload_len; /* whatever */
        body.count++;
    }
    body.height = body.time_ms = 1;
    body.block = (ProtobufCBinaryData){32, block};
    body.rollup = 7;
    body.entries = (ProtobufCBinaryData){slu_writer_len(&w), bytes};
    body.more = true;
    reply.id = f->id;
    reply.body_case = SLU__CLIENT__REPLY__BODY_HEIGHT;
    reply.height = &body;
    size_t len;
    uint8_t *frame = slu_reply_pack(&reply, &len);
    int rc;
    while ((rc = slu_link_send(f->link, frame, len, NULL, 0)) == SLU_ERR_BUSY)
        usleep(1000);
    free(frame);
    f->sent = rc ? f->sent : f->sent + body.entries.len;
    f->sent_max = rc ? f->sent : f->sent_max;
}

static void *run_flood(void *argument)
{
    struct flood *f = argument;
    uint32_t index = 0;
    while (f->sent < f->sent_max)
        send_part(f, &index);
    slu_link_close(f->link);
    slu_link_release(f->link);
    return NULL;
}

static void on_request(void *context, struct slu_link *link, const uint8_t *data, size_t len)
{
    struct flood *f = context;
    Slu__Client__Request *request = slu_request_unpack(data, len, SLU_REQUEST_MEMORY_MAX);
    assert_non_null(request);
    assert_int_equal(request->body_case, SLU__CLIENT__REQUEST__BODY_SUBSCRIBE);
    f->id = request->id;
    f->link = slu_link_hold(link);
    slu_request_free(request);
    assert_int_equal(pthread_create(&f->thread, NULL, run_flood, f), 0);
}

static void is_cut_off(uint32_t payload_len, size_t bound, const char *words)
{
    struct flood flood = {.payload_len = payload_len, .sent_max = bound + 2 * ON_ITS_WAY};
    struct slu_link_handler handler = {.context = &flood, .frame = on_request};
    stub_open(&flood.door, genesis.chain_id, &handler);
    const char *url = slu_listener_url(flood.door.listener);
    int code = run(slu_command_subscribe, "subscribe", "--node", url, "--rollup", "7", "--from",
                   "1", "--genesis", genesis_path, "--give-up", "2", NULL);
    assert_int_equal(pthread_join(flood.thread, NULL), 0);
    complains(words);
    assert_int_equal(code, 3);
    assert_string_equal(output, "");
    assert_in_range(flood.sent, bound, bound + ON_ITS_WAY);
    stub_close(&flood.door);
}

static void test_bytes(void **state)
{
    (void)state;
    char words[128];
    size_t bound = slu_height_bound(&genesis).bytes;
    snprintf(words, sizeof words,
             "a lie: height 1: more than the %zu bytes that a height can have\n", bound);
    is_cut_off(50000, bound, words);
}

static void test_entries(void **state)
{
    (void)state;
    char words[128];
    uint32_t bound = slu_height_bound(&genesis).entries;
    snprintf(words, sizeof words,
             "a lie: height 1: more than the %u entries that a height can have\n", bound);
    is_cut_off(1, (size_t)bound * (SLU_ENTRY_HEAD_BYTES + 1), words);
}

/* Of the defaults of docs/PROTOCOL.md clause 9.1, four nodes. */
static void test_bound(void **state)
{
    (void)state;
    struct slu_genesis g = genesis;
    slu_params_defaults(&g.params);
    struct slu_height_bound bound = slu_height_bound(&g);
    assert_in_range(bound.bytes, 38u << 20, 48u << 20);
    assert_in_range(bound.entries, 65536 + 5000, 100000);
    g.n = SLU_NODES_MAX;
    g.params.entries_per_block_max = SLU_ENTRIES_PER_BLOCK_CAP;
    g.params.lane_quota_bytes = SLU_LANE_QUOTA_BYTES_CAP;
    g.params.forced_bytes_per_block = SLU_FORCED_BYTES_CAP;
    g.params.due_bytes_per_block = SLU_DUE_BYTES_CAP;
    g.params.tx_bytes_max = SLU_TX_BYTES_MAX_CAP;
    assert_in_range(slu_height_bound(&g).bytes, 512u << 20, 600u << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
