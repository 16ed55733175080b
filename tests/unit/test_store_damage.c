/* node/store: that damage is told from a torn tail. The damage test flips bits in every kind of
 * file of a crash image: each reopen must refuse, or fail a read, or have every synced record.
 * SLU_FLIPS sets how many bits per kind of file. */
#include "tests/unit/store_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITES 260u
#define BODY   (48u * 1024u)
#define LIST   3000u

static uint8_t pattern(uint64_t write, size_t at)
{
    return (uint8_t)(write * 31 + at * 7 + (at >> 8));
}

static void fill(uint8_t *bytes, size_t len, uint64_t write)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(write, i);
}

static void put_one(struct slu_disk *disk, uint64_t write)
{
    static uint8_t body[BODY];
    fill(body, sizeof body, write);
    struct slu_record_key keys[] = {key_of(SLU_REC_BATCH, write % 4, write),
                                    key_of(SLU_REC_IDS, write, 0), key_of(SLU_REC_FINAL, write, 0),
                                    key_of(SLU_REC_VOTE, write, 1)};
    slu_disk_begin(disk);
    slu_disk_put(disk, &keys[0], body, 228, body + 228, sizeof body - 228);
    slu_disk_put(disk, &keys[1], body, LIST, NULL, 0);
    slu_disk_put(disk, &keys[2], body, 300, NULL, 0);
    slu_disk_put(disk, &keys[3], body, 120, NULL, 0);
    assert_int_equal(slu_disk_commit(disk), 0);
}

/* Whether every record of writes 1..writes reads; an error of the store is its answer. */
static int read_all(struct slu_disk *disk, uint64_t writes)
{
    static uint8_t expected[BODY];
    struct slu_disk_view *view = slu_disk_view_new(disk);
    const struct slu_store *store = slu_disk_view_store(view);
    int error = 0;
    for (uint64_t write = 1; write <= writes && error == 0; write++) {
        struct slu_record_key keys[] = {
            key_of(SLU_REC_BATCH, write % 4, write), key_of(SLU_REC_IDS, write, 0),
            key_of(SLU_REC_FINAL, write, 0), key_of(SLU_REC_VOTE, write, 1)};
        const size_t lens[] = {BODY, LIST, 300, 120};
        fill(expected, sizeof expected, write);
        for (size_t i = 0; i < 4 && error == 0; i++) {
            const uint8_t *value;
            size_t len;
            error = store->get(store->context, &keys[i], &value, &len);
            if (error == 0 && (len != lens[i] || memcmp(value, expected, len) != 0))
                fail_msg("a wrong value came back");
        }
    }
    for (unsigned kind = 1; kind < SLU_REC_KINDS && error == 0; kind++) {
        struct slu_record_key key, from = {.kind = (enum slu_record_kind)kind},
                                   to = {.kind = (enum slu_record_kind)(kind + 1)};
        const uint8_t *value;
        size_t len;
        unsigned found = 0;
        error = store->scan(store->context, &from, &to, count_visit, &found);
        if (error == 0 && found > 0)
            assert_int_equal(found, writes);
        if (error == 0 && found > 0)
            error = store->last(store->context, (enum slu_record_kind)kind, &key, &value, &len);
        if (error == 0 && found > 0)
            error = slu_disk_view_first(view, (enum slu_record_kind)kind, &key, &value, &len);
    }
    slu_disk_view_free(view);
    return error;
}

/* A directory as a crash would leave it: copied while the database is open. */
static void make_image(const char *image)
{
    char dir[256];
    path_of(dir, "data");
    struct slu_disk *disk = open_ok(dir);
    for (uint64_t write = 1; write <= WRITES; write++)
        put_one(disk, write);
    struct slu_record_key from = key_of(SLU_REC_BATCH, 0, 0), to = key_of(SLU_REC_BATCH, 4, 0);
    slu_disk_reclaim(disk, &from, &to); /* sst and blob files of every write so far */
    for (uint64_t write = WRITES + 1; write <= 2 * WRITES; write++)
        put_one(disk, write);
    run("cp -r", dir, image);
    slu_disk_close(disk);
}

/* Copies the image for one trial: links to what is never changed in place. */
static void make_trial(const char *image, const char *trial, const char *victim)
{
    run("rm -rf", trial, "");
    run("mkdir", trial, "");
    DIR *dir = opendir(image);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char from[512], to[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(from, sizeof from, "%s/%s", image, entry->d_name);
        snprintf(to, sizeof to, "%s/%s", trial, entry->d_name);
        if (strcmp(entry->d_name, victim) == 0 || strcmp(entry->d_name, "synced") == 0)
            run("cp", from, to);
        else
            assert_int_equal(link(from, to), 0);
    }
    closedir(dir);
}

struct outcome {
    unsigned refused, unreadable, whole;
};

/* Opens the trial and judges it. */
static void judge(const char *trial, const char *what, struct outcome *outcome)
{
    struct slu_disk *disk = NULL;
    char why[WHY];
    int error = slu_disk_open(&disk, trial, &identity, why, sizeof why);
    if (error != 0) {
        if (error != SLU_ERR_CORRUPT || strstr(why, trial) == NULL)
            fail_msg("%s: error %d: %s", what, error, why);
        outcome->refused++;
        return;
    }
    error = read_all(disk, 2 * WRITES);
    if (error == SLU_ERR_CORRUPT)
        outcome->unreadable++;
    else if (error == 0)
        outcome->whole++;
    else
        fail_msg("%s: opened, then error %d: %s", what, error, slu_disk_failure(disk));
    slu_disk_close(disk);
}

static void flip(const char *path, off_t byte, int bit)
{
    uint8_t value;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &value, 1, byte), 1);
    value = (uint8_t)(value ^ (1u << bit));
    assert_int_equal(pwrite(fd, &value, 1, byte), 1);
    close(fd);
}

static off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static bool is_kind(const char *name, const char *kind)
{
    size_t len = strlen(name), kind_len = strlen(kind);
    if (kind[0] == '.')
        return len > kind_len && strcmp(name + len - kind_len, kind) == 0;
    return strncmp(name, kind, kind_len) == 0;
}

static unsigned list(const char *dir_path, const char *kind, char names[][64], unsigned cap)
{
    unsigned found = 0;
    DIR *dir = opendir(dir_path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (is_kind(entry->d_name, kind) && found < cap && strlen(entry->d_name) < 64)
            strcpy(names[found++], entry->d_name);
    }
    closedir(dir);
    return found;
}

static void flip_kind(const char *image, const char *kind, unsigned flips)
{
    char trial[256], path[512], what[640];
    char names[64][64];
    struct outcome outcome = {0};
    path_of(trial, "trial");
    unsigned files = list(image, kind, names, 64);
    assert_true(files > 0);
    for (unsigned i = 0; i < flips; i++) {
        const char *name = names[i % files];
        make_trial(image, trial, name);
        snprintf(path, sizeof path, "%s/%s", trial, name);
        off_t size = size_of(path);
        if (size == 0)
            continue;
        /* Half of the trials near the end, where a torn tail would be. */
        off_t near = size < 40000 ? size : 40000;
        off_t byte = i % 2 == 0 ? (off_t)random() % size : size - 1 - (off_t)random() % near;
        int bit = (int)(random() % 8);
        snprintf(what, sizeof what, "%s byte %lld bit %d", name, (long long)byte, bit);
        flip(path, byte, bit);
        judge(trial, what, &outcome);
    }
    print_message("%-10s %u files: %u refused, %u unreadable, %u whole\n", kind, files,
                  outcome.refused, outcome.unreadable, outcome.whole);
    if (strcmp(kind, ".log") == 0 || strcmp(kind, "MANIFEST") == 0)
        assert_int_equal(outcome.refused, flips);
}

static void damage_is_noticed(void **state)
{
    (void)state;
    char image[256];
    path_of(image, "image");
    make_image(image);
    const char *text = getenv("SLU_FLIPS");
    unsigned flips = text != NULL ? (unsigned)strtoul(text, NULL, 10) : 24;
    const char *kinds[] = {".log", "MANIFEST", "CURRENT", "synced", ".sst", ".blob"};
    srandom(1);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        flip_kind(image, kinds[i], flips);
}

/* Any file gone, or any log cut short, is refused or harmless; never an incomplete database. */
static void missing_files_are_noticed(void **state)
{
    (void)state;
    char image[256], trial[256], path[512];
    char names[128][64];
    path_of(image, "image");
    path_of(trial, "trial");
    make_image(image);
    const char *kinds[] = {".log", "MANIFEST", "CURRENT", "synced", ".sst", ".blob", "LOCK"};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct outcome outcome = {0};
        unsigned files = list(image, kinds[k], names, 128);
        for (unsigned i = 0; i < files; i++) {
            make_trial(image, trial, "");
            snprintf(path, sizeof path, "%s/%.63s", trial, names[i]);
            assert_int_equal(unlink(path), 0);
            judge(trial, names[i], &outcome);
        }
        print_message("%-10s missing: %u refused, %u unreadable, %u whole\n", kinds[k],
                      outcome.refused, outcome.unreadable, outcome.whole);
    }
}

static void torn_tail_opens(void **state)
{
    (void)state;
    char image[256], trial[256], path[512];
    char names[64][64];
    path_of(image, "image");
    path_of(trial, "trial");
    make_image(image);
    unsigned files = list(image, ".log", names, 64);
    const char *newest = names[0];
    for (unsigned i = 1; i < files; i++)
        newest = strcmp(names[i], newest) > 0 ? names[i] : newest;
    /* What a crash leaves behind the last synced byte: anything. */
    for (unsigned i = 0; i < 12; i++) {
        uint8_t tail[5000];
        struct outcome outcome = {0};
        make_trial(image, trial, newest);
        snprintf(path, sizeof path, "%s/%s", trial, newest);
        for (size_t at = 0; at < sizeof tail; at++)
            tail[at] = i < 4 ? 0 : (uint8_t)random();
        int fd = open(path, O_WRONLY | O_APPEND);
        size_t len = 1 + (size_t)random() % sizeof tail;
        assert_int_equal(write(fd, tail, len), (ssize_t)len);
        close(fd);
        judge(trial, "garbage behind the synced part", &outcome);
        assert_int_equal(outcome.whole, 1);
    }
    /* What it cannot leave: less than was synced. */
    for (unsigned i = 0; i < 12; i++) {
        struct outcome outcome = {0};
        make_trial(image, trial, newest);
        snprintf(path, sizeof path, "%s/%s", trial, newest);
        off_t cut = 1 + (i < 6 ? (off_t)i : (off_t)random() % size_of(path));
        assert_int_equal(truncate(path, size_of(path) - cut), 0);
        judge(trial, "cut into the synced part", &outcome);
        assert_int_equal(outcome.refused, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(torn_tail_opens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_files_are_noticed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
