/* A disk full of anything: booting a core over it works or says CORRUPT, serving from it as well,
 * and a delivered record that opens is read within its bytes. Nothing may crash.
 *
 *     input: (kind u8 | a u8 | b u8 | length u16 | value)* */
#include <string.h>
#include <sys/mman.h>

#include "consensus/core.h"
#include "consensus/order.h"
#include "consensus/serve.h"
#include "sluice/error.h"
#include "tests/sim/disk.h"
#include "tests/sim/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slu_genesis genesis;

static void load(struct sim_disk *disk, const uint8_t *data, size_t size)
{
    struct slu_reader r = slu_reader_of(data, size);
    while (slu_reader_left(&r) >= 5) {
        struct slu_record_key key = {0};
        unsigned kind = 1u + slu_read_u8(&r) % (SLU_REC_KINDS - 1u);
        key.kind = (enum slu_record_kind)kind;
        key.a = slu_read_u8(&r);
        key.b = slu_read_u8(&r);
        size_t len = slu_read_u16(&r);
        if (len > slu_reader_left(&r))
            len = slu_reader_left(&r);
        const uint8_t *value = slu_read_bytes(&r, len);
        struct slu_batch_header header;
        struct slu_reader v = slu_reader_of(value, len);
        if (key.kind == SLU_REC_BATCH && !slu_batch_header_read(&v, &genesis, &header))
            memcpy(key.digest, header.digest, 32);
        sim_disk_put(disk, &key, value, len);
    }
}

static int sign_any(void *context, uint8_t signature64[64], enum slu_role role, uint64_t view,
                    const uint8_t digest32[32])
{
    (void)context;
    (void)role;
    (void)view;
    memcpy(signature64, digest32, 32);
    memcpy(signature64 + 32, digest32, 32);
    return SLU_OK;
}

static void boot(const struct slu_store *store)
{
    size_t bytes = slu_core_bytes(&genesis);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SLU_CHECK(memory != MAP_FAILED);
    struct slu_core_config config = {.genesis = &genesis, .signer = {.sign = sign_any}};
    struct slu_core *core = slu_core_init(memory, &config);
    int rc = slu_core_boot(core, store, false);
    SLU_CHECK(rc == SLU_OK || rc == SLU_ERR_CORRUPT || rc == SLU_ERR_IO);
    munmap(memory, bytes);
}

static void drop_answer(void *context, uint8_t kind, const uint8_t *body, size_t body_len,
                        const uint8_t *payload, size_t payload_len)
{
    size_t *total = context;
    SLU_CHECK(kind > 0 && kind < SLU_MSG_KINDS);
    for (size_t i = 0; i < body_len; i++)
        *total += body[i];
    for (size_t i = 0; i < payload_len; i++)
        *total += payload[i];
}

static void serve(const struct slu_store *store)
{
    size_t total = 0;
    for (uint8_t what = 0; what < 2; what++) {
        struct slu_fetch fetch = {
            .what = what ? SLU_FETCH_FINALS : SLU_FETCH_BATCHES, .lane = 1, .from = 1, .to = 200};
        int rc = slu_serve(store, &genesis, &fetch, drop_answer, &total);
        SLU_CHECK(rc == SLU_OK || rc == SLU_ERR_CORRUPT || rc == SLU_ERR_IO);
    }
}

static void read_delivered(const uint8_t *data, size_t size)
{
    struct slu_delivered record;
    if (slu_delivered_open(&record, data, size))
        return;
    struct slu_delivered_batch batch;
    struct slu_delivered_drop drop;
    for (uint32_t i = 0; i < record.batch_count; i++)
        slu_delivered_next_batch(&record, &batch);
    for (uint32_t i = 0; i < record.drop_count; i++)
        slu_delivered_next_drop(&record, &drop);
    SLU_CHECK(slu_reader_done(&record.batches) && slu_reader_done(&record.drops));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!genesis.n) {
        struct sim_plan plan;
        sim_plan_quiet(&plan, 0, 4);
        sim_plan_genesis(&plan, &genesis);
    }
    struct sim_disk disk = {0};
    load(&disk, data, size);
    struct slu_store store = sim_disk_store(&disk);
    boot(&store);
    serve(&store);
    read_delivered(data, size);
    sim_disk_wipe(&disk);
    return 0;
}
