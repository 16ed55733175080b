#include "node/mark.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "node/clock.h"
#include "sluice/error.h"

#define MAGIC       "SLUMARK1"
#define SLOT_BYTES  4096u
#define READ_BYTES  (256u * 1024u)
#define PATH_BYTES  4096u
#define DIR_TICK_US 50000u

/* A file of RocksDB, up to where it was synced. */
struct extent {
    uint64_t number;
    uint64_t bytes;
    uint32_t crc;
};

struct state {
    uint64_t generation;
    uint64_t write;
    struct extent manifest;
    uint32_t count;
    struct extent logs[SLU_MARK_LOGS_MAX]; /* numbers strictly rising; the last is being written */
};

struct slu_mark {
    char dir[PATH_BYTES / 2];
    int dir_fd;
    int fd;     /* `synced`; -1 until the first mark */
    int log_fd; /* the newest log */
    int manifest_fd;
    struct state state;
    uint32_t turn;      /* the slot that is written next */
    uint64_t synced_us; /* when the mark itself was last synced */
    struct timespec
        dir_changed; /* of the directory when its logs were last listed; 0: list again */
    uint8_t *buffer; /* READ_BYTES */
    uint8_t slot[SLOT_BYTES];
};

/* ---- slots ---- */

static size_t slot_write(uint8_t slot[SLOT_BYTES], const struct state *s)
{
    struct slu_writer w = slu_writer_of(slot, SLOT_BYTES);
    slu_write_bytes(&w, MAGIC, 8);
    slu_write_u64(&w, s->generation);
    slu_write_u64(&w, s->write);
    slu_write_u64(&w, s->manifest.number);
    slu_write_u64(&w, s->manifest.bytes);
    slu_write_u32(&w, s->manifest.crc);
    slu_write_u32(&w, s->count);
    for (uint32_t i = 0; i < s->count; i++) {
        slu_write_u64(&w, s->logs[i].number);
        slu_write_u64(&w, s->logs[i].bytes);
        slu_write_u32(&w, s->logs[i].crc);
    }
    slu_write_u32(&w, slu_crc32c(0, slot, slu_writer_len(&w)));
    SLU_CHECK(!w.failed);
    return slu_writer_len(&w);
}

static bool slot_read(const uint8_t slot[SLOT_BYTES], struct state *s)
{
    struct slu_reader r = slu_reader_of(slot, SLOT_BYTES);
    const uint8_t *magic = slu_read_bytes(&r, 8);
    if (magic == NULL || memcmp(magic, MAGIC, 8) != 0)
        return false;
    memset(s, 0, sizeof *s);
    s->generation = slu_read_u64(&r);
    s->write = slu_read_u64(&r);
    s->manifest.number = slu_read_u64(&r);
    s->manifest.bytes = slu_read_u64(&r);
    s->manifest.crc = slu_read_u32(&r);
    s->count = slu_read_u32(&r);
    if (s->count > SLU_MARK_LOGS_MAX)
        return false;
    for (uint32_t i = 0; i < s->count; i++) {
        s->logs[i].number = slu_read_u64(&r);
        s->logs[i].bytes = slu_read_u64(&r);
        s->logs[i].crc = slu_read_u32(&r);
    }
    size_t covered = (size_t)(r.at - slot);
    uint32_t crc = slu_read_u32(&r);
    return !r.failed && crc == slu_crc32c(0, slot, covered);
}

/* ---- RocksDB's files ---- */

static void log_name(char *name, size_t cap, uint64_t number)
{
    snprintf(name, cap, "%06" PRIu64 ".log", number);
}

static void manifest_name(char *name, size_t cap, uint64_t number)
{
    snprintf(name, cap, "MANIFEST-%06" PRIu64, number);
}

/* Checksums on from extent->bytes up to `until` (UINT64_MAX: the end). NOT_FOUND: the file is
 * shorter than `until`. */
static int extend(struct slu_mark *m, int fd, struct extent *extent, uint64_t until)
{
    while (extent->bytes < until) {
        uint64_t left = until - extent->bytes;
        size_t want = left < READ_BYTES ? (size_t)left : READ_BYTES;
        ssize_t got = pread(fd, m->buffer, want, (off_t)extent->bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return SLU_ERR_IO;
        if (got == 0)
            return until == UINT64_MAX ? 0 : SLU_ERR_NOT_FOUND;
        extent->crc = slu_crc32c(extent->crc, m->buffer, (size_t)got);
        extent->bytes += (uint64_t)got;
    }
    return 0;
}

/* Whether the marked bytes of `name` are what they were. Absent: the caller's to judge. */
static int check_extent(struct slu_mark *m, const char *name, const struct extent *marked,
                        bool *absent, char *why, size_t why_cap)
{
    *absent = false;
    int fd = openat(m->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *absent = true;
        return 0;
    }
    if (fd < 0) {
        snprintf(why, why_cap, "%s/%s: %s", m->dir, name, strerror(errno));
        return SLU_ERR_IO;
    }
    struct extent found = {.number = marked->number};
    int error = extend(m, fd, &found, marked->bytes);
    if (error == SLU_ERR_NOT_FOUND) {
        snprintf(why, why_cap,
                 "%s/%s: damaged: ends at byte %" PRIu64 ", but %" PRIu64 " bytes were synced",
                 m->dir, name, found.bytes, marked->bytes);
        error = SLU_ERR_CORRUPT;
    } else if (error != 0) {
        snprintf(why, why_cap, "%s/%s: %s", m->dir, name, strerror(errno));
    } else if (found.crc != marked->crc) {
        snprintf(why, why_cap,
                 "%s/%s: damaged: the %" PRIu64 " bytes that were synced have changed", m->dir,
                 name, marked->bytes);
        error = SLU_ERR_CORRUPT;
    }
    close(fd);
    return error;
}

/* The number in CURRENT; NOT_FOUND without the file, CORRUPT when it holds something else. */
static int current_manifest(struct slu_mark *m, uint64_t *number)
{
    char text[64];
    int fd = openat(m->dir_fd, "CURRENT", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? SLU_ERR_NOT_FOUND : SLU_ERR_IO;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got < 0)
        return SLU_ERR_IO;
    text[got] = '\0';
    int used = 0;
    char expected[64];
    if (sscanf(text, "MANIFEST-%" SCNu64 "%n", number, &used) != 1)
        return SLU_ERR_CORRUPT;
    manifest_name(expected, sizeof expected - 1, *number);
    strcat(expected, "\n");
    return strcmp(text, expected) == 0 ? 0 : SLU_ERR_CORRUPT;
}

static int check_files(struct slu_mark *m, char *why, size_t why_cap)
{
    char name[64];
    uint64_t current = 0;
    bool absent;
    const struct state *s = &m->state;
    int error = current_manifest(m, &current);
    if (error == SLU_ERR_IO) {
        snprintf(why, why_cap, "%s/CURRENT: %s", m->dir, strerror(errno));
        return SLU_ERR_IO;
    }
    if (error != 0 || current < s->manifest.number) {
        snprintf(why, why_cap, "%s/CURRENT: damaged: does not name the database that was synced",
                 m->dir);
        return SLU_ERR_CORRUPT;
    }
    if (current == s->manifest.number) {
        manifest_name(name, sizeof name, current);
        error = check_extent(m, name, &s->manifest, &absent, why, why_cap);
        if (error != 0)
            return error;
        if (absent) {
            snprintf(why, why_cap, "%s/%s: damaged: missing", m->dir, name);
            return SLU_ERR_CORRUPT;
        }
    }
    for (uint32_t i = 0; i < s->count; i++) {
        log_name(name, sizeof name, s->logs[i].number);
        error = check_extent(m, name, &s->logs[i], &absent, why, why_cap);
        if (error != 0)
            return error;
        /* Absent: obsolete since its records were flushed; if not, RocksDB misses it. */
    }
    return 0;
}

/* ---- opening ---- */

static int read_slots(struct slu_mark *m, char *why, size_t why_cap)
{
    bool found = false;
    for (unsigned i = 0; i < 2; i++) {
        struct state s;
        memset(m->slot, 0, sizeof m->slot);
        ssize_t got = pread(m->fd, m->slot, SLOT_BYTES, (off_t)(i * SLOT_BYTES));
        if (got < 0) {
            snprintf(why, why_cap, "%s/synced: %s", m->dir, strerror(errno));
            return SLU_ERR_IO;
        }
        if (slot_read(m->slot, &s) && (!found || s.generation > m->state.generation)) {
            m->state = s;
            m->turn = 1u - i;
            found = true;
        }
    }
    if (!found) {
        snprintf(why, why_cap, "%s/synced: damaged: neither mark can be read", m->dir);
        return SLU_ERR_CORRUPT;
    }
    return 0;
}

int slu_mark_open(struct slu_mark **mark, const char *dir, bool *present, char *why, size_t why_cap)
{
    struct slu_mark *m = calloc(1, sizeof *m);
    if (m == NULL)
        return SLU_ERR_MEMORY;
    m->dir_fd = m->fd = m->log_fd = m->manifest_fd = -1;
    m->buffer = malloc(READ_BYTES);
    int error = 0;
    int length = snprintf(m->dir, sizeof m->dir, "%s", dir);
    m->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->buffer == NULL) {
        error = SLU_ERR_MEMORY;
    } else if (m->dir_fd < 0 || length < 0 || (size_t)length >= sizeof m->dir) {
        snprintf(why, why_cap, "%s: %s", dir, strerror(m->dir_fd < 0 ? errno : ENAMETOOLONG));
        error = SLU_ERR_IO;
    } else {
        m->fd = openat(m->dir_fd, "synced", O_RDWR | O_CLOEXEC);
        *present = m->fd >= 0;
        if (m->fd < 0 && errno != ENOENT) {
            snprintf(why, why_cap, "%s/synced: %s", dir, strerror(errno));
            error = SLU_ERR_IO;
        }
    }
    if (error == 0 && *present)
        error = read_slots(m, why, why_cap);
    if (error == 0 && *present)
        error = check_files(m, why, why_cap);
    if (error != 0) {
        slu_mark_close(m);
        return error;
    }
    *mark = m;
    return 0;
}

uint64_t slu_mark_write(const struct slu_mark *mark)
{
    return mark->state.write;
}

void slu_mark_close(struct slu_mark *mark)
{
    if (mark == NULL)
        return;
    int fds[] = {mark->fd, mark->log_fd, mark->manifest_fd, mark->dir_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(mark->buffer);
    free(mark);
}

/* ---- marking ---- */

/* Writes the next generation into the slot whose turn it is: the same one until it is synced. */
static int write_slot(struct slu_mark *m)
{
    m->state.generation++;
    size_t len = slot_write(m->slot, &m->state);
    off_t at = (off_t)(m->turn * SLOT_BYTES);
    return pwrite(m->fd, m->slot, len, at) == (ssize_t)len ? 0 : SLU_ERR_IO;
}

static int sync_slot(struct slu_mark *m)
{
    m->turn ^= 1u;
    m->synced_us = slu_now_us();
    return fdatasync(m->fd) == 0 ? 0 : SLU_ERR_IO;
}

static int put_slot(struct slu_mark *m)
{
    int error = write_slot(m);
    return error != 0 ? error : sync_slot(m);
}

/* The first mark of a directory appears whole or not at all. */
static int create_file(struct slu_mark *m)
{
    static const uint8_t zeros[2 * SLOT_BYTES];
    m->fd = openat(m->dir_fd, "synced.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (m->fd < 0 || pwrite(m->fd, zeros, sizeof zeros, 0) != (ssize_t)sizeof zeros)
        return SLU_ERR_IO;
    if (put_slot(m) != 0 || put_slot(m) != 0 || fsync(m->fd) != 0)
        return SLU_ERR_IO;
    if (renameat(m->dir_fd, "synced.new", m->dir_fd, "synced") != 0 || fsync(m->dir_fd) != 0)
        return SLU_ERR_IO;
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The numbers of the logs above `above`, rising; returns how many, or SLU_ERR_IO. */
static int list_logs(struct slu_mark *m, uint64_t above, uint64_t *numbers, int cap)
{
    int fd = openat(m->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL)
        return SLU_ERR_IO;
    int count = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        uint64_t number;
        int used = 0;
        if (sscanf(entry->d_name, "%" SCNu64 ".log%n", &number, &used) != 1 || used == 0 ||
            entry->d_name[used] != '\0' || number <= above || count == cap)
            continue;
        numbers[count++] = number;
    }
    closedir(dir);
    qsort(numbers, (size_t)count, sizeof numbers[0], by_number);
    return count;
}

/* Drops the logs that are gone, and the oldest when there is no room for another. */
static void forget_logs(struct slu_mark *m)
{
    struct state *s = &m->state;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        char name[64];
        log_name(name, sizeof name, s->logs[i].number);
        if (faccessat(m->dir_fd, name, F_OK, 0) == 0)
            s->logs[kept++] = s->logs[i];
    }
    if (kept == SLU_MARK_LOGS_MAX)
        memmove(&s->logs[0], &s->logs[1], --kept * sizeof s->logs[0]);
    s->count = kept;
}

/* Whether a file may have come into the directory since its logs were last listed. Its time of
 * change moves in ticks of some milliseconds: a change seen that fresh is not believed to be the
 * last. */
static bool dir_may_have_changed(struct slu_mark *m)
{
    struct stat st;
    if (fstat(m->dir_fd, &st) != 0)
        return true;
    bool same = m->dir_changed.tv_sec != 0 && st.st_mtim.tv_sec == m->dir_changed.tv_sec &&
                st.st_mtim.tv_nsec == m->dir_changed.tv_nsec;
    uint64_t changed_us =
        (uint64_t)st.st_mtim.tv_sec * 1000000u + (uint64_t)st.st_mtim.tv_nsec / 1000u;
    uint64_t now_us = slu_clock_us(CLOCK_REALTIME);
    m->dir_changed = now_us > changed_us + DIR_TICK_US ? st.st_mtim : (struct timespec){0};
    return !same;
}

/* Takes up every log newer than the ones known. */
static int follow_logs(struct slu_mark *m)
{
    if (!dir_may_have_changed(m))
        return 0;
    uint64_t numbers[SLU_MARK_LOGS_MAX];
    uint64_t newest = m->state.count > 0 ? m->state.logs[m->state.count - 1].number : 0;
    int count = list_logs(m, newest, numbers, (int)SLU_MARK_LOGS_MAX);
    if (count < 0)
        return count;
    for (int i = 0; i < count; i++) {
        char name[64];
        log_name(name, sizeof name, numbers[i]);
        int fd = openat(m->dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        if (fd < 0)
            return SLU_ERR_IO;
        forget_logs(m);
        if (m->log_fd >= 0)
            close(m->log_fd);
        m->log_fd = fd;
        struct extent *log = &m->state.logs[m->state.count++];
        *log = (struct extent){.number = numbers[i]};
        if (extend(m, fd, log, UINT64_MAX) != 0)
            return SLU_ERR_IO;
    }
    return 0;
}

static int follow_manifest(struct slu_mark *m)
{
    struct stat st;
    if (m->manifest_fd >= 0) {
        if (fstat(m->manifest_fd, &st) != 0)
            return SLU_ERR_IO;
        if (st.st_nlink > 0 && (uint64_t)st.st_size == m->state.manifest.bytes)
            return 0;
    }
    if (m->manifest_fd < 0 || st.st_nlink == 0) {
        char name[64];
        uint64_t number;
        if (m->manifest_fd >= 0)
            close(m->manifest_fd);
        m->manifest_fd = -1;
        if (current_manifest(m, &number) != 0)
            return SLU_ERR_IO;
        manifest_name(name, sizeof name, number);
        m->manifest_fd = openat(m->dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (m->manifest_fd < 0)
            return SLU_ERR_IO;
        m->state.manifest = (struct extent){.number = number};
    }
    if (extend(m, m->manifest_fd, &m->state.manifest, UINT64_MAX) != 0)
        return SLU_ERR_IO;
    return fdatasync(m->manifest_fd) == 0 ? 0 : SLU_ERR_IO;
}

static int refused(const struct slu_mark *m, char *why, size_t why_cap)
{
    snprintf(why, why_cap, "%s/synced: %s", m->dir, strerror(errno));
    return SLU_ERR_IO;
}

int slu_mark_restart(struct slu_mark *m, uint64_t write, char *why, size_t why_cap)
{
    m->state.count = 0;
    m->state.write = write;
    if (follow_logs(m) != 0 || follow_manifest(m) != 0)
        return refused(m, why, why_cap);
    if (m->state.count == 0) {
        snprintf(why, why_cap, "%s: no log file", m->dir);
        return SLU_ERR_IO;
    }
    for (uint32_t i = 0; i < m->state.count; i++) {
        char name[64];
        log_name(name, sizeof name, m->state.logs[i].number);
        int fd = openat(m->dir_fd, name, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        bool synced = fd >= 0 && fdatasync(fd) == 0;
        if (fd >= 0)
            close(fd);
        if (!synced)
            return refused(m, why, why_cap);
    }
    if ((m->fd < 0 ? create_file(m) : put_slot(m)) != 0)
        return refused(m, why, why_cap);
    return 0;
}

int slu_mark_advance(struct slu_mark *m, uint64_t write, char *why, size_t why_cap)
{
    SLU_CHECK(m->state.count > 0); /* slu_mark_restart saw to it */
    struct extent *log = &m->state.logs[m->state.count - 1];
    if (extend(m, m->log_fd, log, UINT64_MAX) != 0 || follow_logs(m) != 0)
        return refused(m, why, why_cap);
    if (follow_manifest(m) != 0)
        return refused(m, why, why_cap);
    m->state.write = write;
    int error = write_slot(m);
    if (error == 0 && slu_now_us() - m->synced_us >= SLU_MARK_SYNC_MS * UINT64_C(1000))
        error = sync_slot(m);
    return error == 0 ? 0 : refused(m, why, why_cap);
}
