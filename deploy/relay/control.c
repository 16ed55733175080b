#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "deploy/relay/command.h"
#include "deploy/relay/control.h"

struct relay_controller {
    struct relay_source source;
    struct relay_controller *next;
    struct relay_control *control;
    uint32_t watched;
    bool last;   /* closed once its answer is sent */
    bool closed; /* freed at the end of the turn */
    size_t line_len;
    char line[RELAY_LINE_MAX + 1];
    char *answer; /* NULL: none under way */
    size_t answer_len, answer_sent;
};

static void hang_up(struct relay_controller *c)
{
    close(c->source.fd);
    c->closed = true;
}

static void send_answer(struct relay_controller *c)
{
    while (c->answer_sent < c->answer_len) {
        ssize_t sent = send(c->source.fd, c->answer + c->answer_sent,
                            c->answer_len - c->answer_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            if (errno != EAGAIN)
                hang_up(c);
            return;
        }
        c->answer_sent += (size_t)sent;
    }
    free(c->answer);
    c->answer = NULL;
    if (c->last)
        hang_up(c);
}

static FILE *begin_answer(struct relay_controller *c)
{
    c->answer_sent = 0;
    FILE *answer = open_memstream(&c->answer, &c->answer_len);
    SLU_CHECK(answer != NULL);
    return answer;
}

static void refuse(struct relay_controller *c, const char *why)
{
    FILE *answer = begin_answer(c);
    fprintf(answer, "error: %s\n", why);
    SLU_CHECK(fclose(answer) == 0);
    c->last = true;
    send_answer(c);
}

/* Runs the lines that are complete, one answer at a time. */
static void run_lines(struct relay_controller *c)
{
    char *end;
    while (!c->closed && c->answer == NULL && (end = memchr(c->line, '\n', c->line_len)) != NULL) {
        *end++ = '\0';
        FILE *answer = begin_answer(c);
        relay_command(c->control->carrier, c->line, answer);
        SLU_CHECK(fclose(answer) == 0);
        c->line_len -= (size_t)(end - c->line);
        memmove(c->line, end, c->line_len);
        send_answer(c);
    }
    if (!c->closed && c->answer == NULL && c->line_len == RELAY_LINE_MAX)
        refuse(c, "the line is too long");
}

static void controller_ready(struct relay_source *source, uint32_t events, uint64_t now_us)
{
    struct relay_controller *c = (struct relay_controller *)source;
    (void)events;
    (void)now_us;
    if (c->answer != NULL) {
        send_answer(c);
    } else {
        ssize_t got = recv(source->fd, c->line + c->line_len, RELAY_LINE_MAX - c->line_len, 0);
        if (got > 0)
            c->line_len += (size_t)got;
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            hang_up(c);
    }
    run_lines(c);
    if (!c->closed)
        relay_watch(c->control->carrier->epoll, source, &c->watched,
                    c->answer != NULL ? EPOLLOUT : EPOLLIN);
}

static void listener_ready(struct relay_source *source, uint32_t events, uint64_t now_us)
{
    struct relay_control *control = (struct relay_control *)source;
    (void)events;
    (void)now_us;
    int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct relay_controller *c = calloc(1, sizeof *c);
    SLU_CHECK(c != NULL);
    c->source = (struct relay_source){controller_ready, fd};
    c->control = control;
    c->next = control->controllers;
    control->controllers = c;
    if (++control->controllers_len > RELAY_CONTROLS_MAX)
        refuse(c, "too many control connections");
    if (!c->closed)
        relay_watch(control->carrier->epoll, &c->source, &c->watched,
                    c->answer != NULL ? EPOLLOUT : EPOLLIN);
}

int relay_control_listen(struct relay_control *control, struct relay_carrier *carrier,
                         const struct sockaddr_in *address)
{
    uint32_t watched = 0;
    *control = (struct relay_control){{listener_ready, relay_listen(address)}, carrier, NULL, 0};
    if (control->listener.fd < 0)
        return -1;
    relay_watch(carrier->epoll, &control->listener, &watched, EPOLLIN);
    return 0;
}

void relay_control_turn(struct relay_control *control)
{
    struct relay_controller **at = &control->controllers;
    while (*at != NULL) {
        struct relay_controller *c = *at;
        if (!c->closed) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        control->controllers_len--;
        free(c->answer);
        free(c);
    }
}

void relay_control_close(struct relay_control *control)
{
    for (struct relay_controller *c = control->controllers; c != NULL; c = c->next) {
        if (!c->closed)
            hang_up(c);
    }
    relay_control_turn(control);
}
