#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/genesis_json.h"
#include "config/key_file.h"
#include "node/store.h"
#include "sluice/error.h"
#include "tests/audit/doctor.h"
#include "wire/vote.h"

void doctor_die(const char *words)
{
    fprintf(stderr, "audit_doctor: %s\n", words);
    exit(1);
}

static void load_keys(struct doctor *d, const char *cluster)
{
    char path[4096], why[512];
    uint8_t seed[32];
    for (uint16_t i = 0; i < d->genesis.n; i++) {
        snprintf(path, sizeof path, "%s/node-%u/node.key", cluster, i);
        if (slu_key_file_load(seed, path, why, sizeof why))
            doctor_die(why);
        d->guards[i] = slu_keyguard_new(seed);
    }
}

void doctor_open(struct doctor *d, const char *data, const char *cluster, uint64_t from)
{
    char path[4096], why[1024];
    struct slu_disk_identity identity;
    struct slu_record_key key;
    const uint8_t *value;
    size_t len;
    snprintf(path, sizeof path, "%s/genesis.json", cluster);
    if (slu_genesis_load(&d->genesis, path, why, sizeof why))
        doctor_die(why);
    load_keys(d, cluster);
    /* Whose it is it says itself. */
    if (slu_disk_open_stopped(&d->disk, data, d->genesis.chain_id, &identity.node, why, sizeof why))
        doctor_die(why);
    slu_disk_close(d->disk);
    memcpy(identity.chain_id, d->genesis.chain_id, 32);
    if (slu_disk_open(&d->disk, data, &identity, why, sizeof why))
        doctor_die(why);
    d->view = slu_disk_view_new(d->disk);
    const struct slu_store *store = slu_disk_view_store(d->view);
    if (store->last(store->context, SLU_REC_RELEASE, &key, &value, &len))
        doctor_die("no releases");
    d->from = from;
    d->top = key.a;
}

void doctor_close(struct doctor *d)
{
    slu_disk_view_free(d->view);
    slu_disk_close(d->disk);
    for (uint16_t i = 0; i < d->genesis.n; i++)
        slu_keyguard_free(d->guards[i]);
}

static struct slu_record_key key_of(enum slu_record_kind kind, uint64_t a, uint64_t b,
                                    const uint8_t *digest32)
{
    struct slu_record_key key = {.kind = kind, .a = a, .b = b};
    if (digest32)
        memcpy(key.digest, digest32, 32);
    return key;
}

bool doctor_get(struct doctor *d, enum slu_record_kind kind, uint64_t a, uint64_t b,
                const uint8_t *digest32, struct bytes *out)
{
    const struct slu_store *store = slu_disk_view_store(d->view);
    struct slu_record_key key = key_of(kind, a, b, digest32);
    const uint8_t *value;
    if (store->get(store->context, &key, &value, &out->len))
        return false;
    if (out->len > sizeof out->at)
        doctor_die("a record is too long");
    memcpy(out->at, value, out->len);
    return true;
}

void doctor_put(struct doctor *d, enum slu_record_kind kind, uint64_t a, uint64_t b,
                const uint8_t *digest32, const void *bytes, size_t len)
{
    struct slu_record_key key = key_of(kind, a, b, digest32);
    slu_disk_begin(d->disk);
    slu_disk_put(d->disk, &key, bytes, len, NULL, 0);
    if (slu_disk_write(d->disk))
        doctor_die(slu_disk_failure(d->disk));
}

void doctor_delete(struct doctor *d, enum slu_record_kind kind, uint64_t a, uint64_t b,
                   const uint8_t *digest32)
{
    struct slu_record_key from = key_of(kind, a, b, digest32), to = from;
    for (int i = 31; i >= 0 && ++to.digest[i] == 0; i--)
        ;
    if (!slu_record_has_digest(kind)) {
        to = from;
        to.b++;
    }
    slu_disk_begin(d->disk);
    slu_disk_forget(d->disk, &from, &to);
    if (slu_disk_write(d->disk))
        doctor_die(slu_disk_failure(d->disk));
}

void doctor_sign(struct doctor *d, uint16_t node, uint8_t signature64[64],
                 const uint8_t digest32[32])
{
    /* By a role that the guard does not watch: it would refuse to vote twice. */
    if (slu_keyguard_sign(d->guards[node], signature64, SLU_ROLE_BATCH, 0, digest32))
        doctor_die("a key does not sign");
}

/* ---- blocks ---- */

void doctor_get_final(struct doctor *d, uint64_t height, struct final *out)
{
    if (height == 0) {
        slu_block_genesis(&out->block, &d->genesis);
        return;
    }
    if (!doctor_get(d, SLU_REC_FINAL, height, 0, NULL, &d->c))
        doctor_die("a block is missing");
    struct slu_reader r = slu_reader_of(d->c.at, d->c.len);
    if (slu_block_read(&r, &d->genesis, &out->block))
        doctor_die("a block is malformed");
    memcpy(out->list, out->block.queued, slu_block_list_bytes(&out->block));
    out->block.queued = out->list;
    out->has_cert = slu_read_u8(&r) == 1;
}

static void write_final(struct doctor *d, const struct final *f)
{
    struct slu_writer w = slu_writer_of(d->c.at, sizeof d->c.at);
    struct slu_cert cert = {.kind = SLU_FINALIZE, .view = f->block.view,
                            .count = slu_genesis_q(&d->genesis)};
    slu_block_write(&w, &f->block);
    slu_write_u8(&w, f->has_cert);
    if (f->has_cert) {
        memcpy(cert.block, f->block.digest, 32);
        slu_vote_digest(cert.digest, &d->genesis, SLU_FINALIZE, cert.view, cert.block);
        for (uint16_t i = 0; i < cert.count; i++) {
            cert.votes[i].node = i;
            doctor_sign(d, i, cert.votes[i].signature, cert.digest);
        }
        slu_cert_write(&w, &cert);
    }
    doctor_put(d, SLU_REC_FINAL, f->block.height, 0, NULL, d->c.at, slu_writer_len(&w));
}

/* What names the block of a height, or its time. */
static void rename_block(struct doctor *d, const struct slu_block *block)
{
    uint8_t time[8];
    struct slu_writer w = slu_writer_of(time, sizeof time);
    slu_write_u64(&w, block->time_ms);
    if (doctor_get(d, SLU_REC_DELIVERED, block->height, 0, NULL, &d->c)) {
        memcpy(d->c.at, block->digest, 32);
        memcpy(d->c.at + 40, time, 8);
        doctor_put(d, SLU_REC_DELIVERED, block->height, 0, NULL, d->c.at, d->c.len);
    }
    if (doctor_get(d, SLU_REC_SPACE, block->height, 0, NULL, &d->c)) {
        memcpy(d->c.at, time, 8);
        memcpy(d->c.at + 8, block->digest, 32);
        doctor_put(d, SLU_REC_SPACE, block->height, 0, NULL, d->c.at, d->c.len);
    }
}

void doctor_put_final(struct doctor *d, struct final *changed)
{
    static struct final next;
    struct slu_release_record record;
    uint64_t first = changed->block.height;
    slu_block_digest(&changed->block, &d->genesis);
    next = *changed;
    next.block.queued = next.list;
    for (uint64_t height = first;; height++) {
        uint8_t digest[32];
        write_final(d, &next);
        rename_block(d, &next.block);
        memcpy(digest, next.block.digest, 32);
        if (!doctor_get(d, SLU_REC_FINAL, height + 1, 0, NULL, &d->c))
            break;
        doctor_get_final(d, height + 1, &next);
        memcpy(next.block.parent, digest, 32);
        slu_block_digest(&next.block, &d->genesis);
    }
    if (doctor_get(d, SLU_REC_RELEASE, first, 0, NULL, &d->c) &&
        !slu_release_record_open(&record, d->genesis.chain_id, d->c.at, d->c.len))
        doctor_put_release(d, &record.release, NULL, 0);
}

/* ---- releases ---- */

static void write_cert(struct doctor *d, const struct slu_release *release)
{
    struct slu_release_cert cert = {.release = *release, .count = slu_genesis_q(&d->genesis)};
    uint8_t bytes[SLU_RELEASE_CERT_BYTES_MAX];
    struct slu_writer w = slu_writer_of(bytes, sizeof bytes);
    if (!doctor_get(d, SLU_REC_RELEASE_CERT, release->height, 0, NULL, &d->c))
        return;
    for (uint16_t i = 0; i < cert.count; i++) {
        cert.signers[i].node = i;
        doctor_sign(d, i, cert.signers[i].signature, release->digest);
    }
    slu_release_cert_write(&w, &cert);
    doctor_put(d, SLU_REC_RELEASE_CERT, release->height, 0, NULL, bytes, slu_writer_len(&w));
}

/* A release's record: `tail` behind it, or what stood there. */
static void write_release(struct doctor *d, struct slu_release *release, const uint8_t *tail,
                          size_t tail_len)
{
    static struct bytes old;
    struct slu_writer w = slu_writer_of(d->c.at, sizeof d->c.at);
    struct final f;
    doctor_get_final(d, release->height, &f);
    memcpy(release->block, f.block.digest, 32);
    release->time_ms = f.block.time_ms;
    slu_release_digest(release, d->genesis.chain_id);
    if (!tail && doctor_get(d, SLU_REC_RELEASE, release->height, 0, NULL, &old)) {
        tail = old.at + SLU_RELEASE_BYTES;
        tail_len = old.len - SLU_RELEASE_BYTES;
    }
    slu_release_write(&w, release);
    slu_write_bytes(&w, tail, tail_len);
    doctor_put(d, SLU_REC_RELEASE, release->height, 0, NULL, d->c.at, slu_writer_len(&w));
    write_cert(d, release);
}

void doctor_put_release(struct doctor *d, const struct slu_release *changed, const uint8_t *tail,
                        size_t tail_len)
{
    struct slu_release release = *changed;
    struct slu_release_record record;
    uint8_t digest[32];
    write_release(d, &release, tail, tail_len);
    for (uint64_t height = release.height + 1;
         doctor_get(d, SLU_REC_RELEASE, height, 0, NULL, &d->c); height++) {
        memcpy(digest, release.digest, 32);
        if (slu_release_record_open(&record, d->genesis.chain_id, d->c.at, d->c.len))
            doctor_die("a release is malformed");
        release = record.release;
        memcpy(release.previous, digest, 32);
        write_release(d, &release, NULL, 0);
    }
}
