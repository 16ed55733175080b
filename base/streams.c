#include "base/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"

void slu_streams_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /* Open for what nobody does there; the lowest number that is free is this one. */
        SLU_CHECK(open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) == fd);
    }
}
