#include "config/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sluice/error.h"

static int check_file(int fd, const char *path, char *why, size_t why_cap)
{
    struct stat found;
    if (fstat(fd, &found)) {
        snprintf(why, why_cap, "%s: %s", path, strerror(errno));
        return SLU_ERR_IO;
    }
    if (!S_ISREG(found.st_mode)) {
        snprintf(why, why_cap, "%s: not a regular file", path);
        return SLU_ERR_IO;
    }
    if (found.st_uid != geteuid()) {
        snprintf(why, why_cap, "%s: belongs to user %u, but this program runs as user %u", path,
                 (unsigned)found.st_uid, (unsigned)geteuid());
        return SLU_ERR_REFUSED;
    }
    unsigned mode = (unsigned)found.st_mode & 07777u;
    if (mode & ~0600u) {
        snprintf(why, why_cap, "%s: mode is %04o; it must be 0600 or stricter (chmod 600 %s)", path,
                 mode, path);
        return SLU_ERR_REFUSED;
    }
    return SLU_OK;
}

/* Reads up to `cap` bytes; the number read, or -1. */
static ssize_t read_up_to(int fd, char *text, size_t cap)
{
    size_t have = 0;
    while (have < cap) {
        ssize_t got = read(fd, text + have, cap - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

int slu_private_file_read(char *text, size_t cap, size_t *len, const char *path, char *why,
                          size_t why_cap)
{
    *len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        snprintf(why, why_cap, "%s: %s", path, strerror(errno));
        return SLU_ERR_IO;
    }
    int rc = check_file(fd, path, why, why_cap);
    ssize_t got = rc ? 0 : read_up_to(fd, text, cap);
    if (got < 0) {
        snprintf(why, why_cap, "%s: %s", path, strerror(errno));
        rc = SLU_ERR_IO;
    }
    close(fd);
    if (!rc)
        *len = (size_t)got;
    return rc;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, text, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        text += put;
        len -= (size_t)put;
    }
    return true;
}

static bool sync_directory_of(const char *path)
{
    char directory[4096];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof directory)
        return false;
    if (!slash)
        memcpy(directory, ".", 2);
    else if (len == 0)
        memcpy(directory, "/", 2);
    else {
        memcpy(directory, path, len);
        directory[len] = '\0';
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

int slu_private_file_create(const char *path, const char *text, size_t len, char *why,
                            size_t why_cap)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, why_cap, "%s: %s", path, strerror(errno));
        return errno == EEXIST ? SLU_ERR_EXISTS : SLU_ERR_IO;
    }
    bool ok = fchmod(fd, 0600) == 0 && write_all(fd, text, len) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) && ok) {
        ok = false;
        error = errno;
    }
    if (ok && !sync_directory_of(path)) {
        ok = false;
        error = errno;
    }
    if (ok)
        return SLU_OK;
    snprintf(why, why_cap, "%s: %s", path, strerror(error));
    unlink(path);
    return SLU_ERR_IO;
}
