/* The socket under an nng stream. nng hands out no descriptor, and waits for one only on its
 * poller's thread, which then has to wake ours: two hops for every record. A reader thread that
 * waits on the socket itself and asks nng only when bytes are there is woken once. The descriptor
 * is only polled: reading, closing and errors stay nng's, which closes it no earlier than the
 * stream is freed. */
#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "link/group.h"

static bool same(const nng_sockaddr *want, const struct sockaddr_storage *have)
{
    if (want->s_family == NNG_AF_INET && have->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)have;
        return in->sin_port == want->s_in.sa_port && in->sin_addr.s_addr == want->s_in.sa_addr;
    }
    if (want->s_family == NNG_AF_INET6 && have->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)have;
        return in->sin6_port == want->s_in6.sa_port &&
               memcmp(&in->sin6_addr, want->s_in6.sa_addr, sizeof in->sin6_addr) == 0;
    }
    return false;
}

static bool connects(int fd, const nng_sockaddr *local, const nng_sockaddr *remote)
{
    struct sockaddr_storage here = {0}, there = {0};
    socklen_t here_len = sizeof here, there_len = sizeof there;
    return getsockname(fd, (struct sockaddr *)&here, &here_len) == 0 && same(local, &here) &&
           getpeername(fd, (struct sockaddr *)&there, &there_len) == 0 && same(remote, &there);
}

int slu_link_socket(nng_stream *stream)
{
    nng_sockaddr local, remote;
    int found = -1;
    if (nng_stream_get_addr(stream, NNG_OPT_LOCADDR, &local) != 0 ||
        nng_stream_get_addr(stream, NNG_OPT_REMADDR, &remote) != 0)
        return -1;
    DIR *descriptors = opendir("/proc/self/fd");
    const struct dirent *entry;
    while (descriptors != NULL && found < 0 && (entry = readdir(descriptors)) != NULL) {
        int fd =
            (int)strtol(entry->d_name, NULL, 10); /* "." and "..": 0, which is no such socket */
        if (connects(fd, &local, &remote))
            found = fd;
    }
    if (descriptors != NULL)
        closedir(descriptors);
    return found;
}

bool slu_link_readable(int socket, int timeout_ms)
{
    struct pollfd one = {.fd = socket, .events = POLLIN};
    return poll(&one, 1, timeout_ms) != 0; /* interrupted: nng waits on */
}
