#include "node/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sluice/error.h"

#define CONNECTIONS_MAX 32u
#define TIMEOUT_S       10u

struct slu_http {
    struct MHD_Daemon *daemon;
    const struct slu_survey *survey;
};

/* Sends `text`, which is freed when `owned`. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, char *text,
                              size_t len, bool owned)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        len, text, owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        if (owned)
            free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_words(struct MHD_Connection *connection, unsigned status,
                                    const char *words)
{
    return answer(connection, status, (char *)(uintptr_t)words, strlen(words), false);
}

static enum MHD_Result answer_health(struct slu_http *http, struct MHD_Connection *connection)
{
    struct slu_core_view *view = malloc(sizeof *view);
    if (view == NULL)
        return MHD_NO;
    slu_runtime_view(http->survey->runtime, view);
    const char *words = view->rejoining                           ? "rejoining\n"
                        : slu_survey_ordering(http->survey, view) ? "ok\n"
                                                                  : "not ordering\n";
    free(view);
    return answer_words(connection, words[0] == 'o' ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                        words);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    struct slu_http *http = context;
    size_t len;
    (void)version;
    (void)upload;
    (void)request;
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
    if (strcmp(url, "/healthz") == 0)
        return answer_health(http, connection);
    if (strcmp(url, "/metrics") != 0)
        return answer_words(connection, MHD_HTTP_NOT_FOUND, "/metrics or /healthz\n");
    char *page = slu_survey_metrics(http->survey, &len);
    return page == NULL ? MHD_NO : answer(connection, MHD_HTTP_OK, page, len, true);
}

/* A listening socket, so that what is wrong with the address can be said in words. */
static int listen_on(const char *host, uint16_t port, char *why, size_t why_cap)
{
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    snprintf(service, sizeof service, "%u", (unsigned)port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0) {
        snprintf(why, why_cap, "http %s:%u: %s", host, (unsigned)port, gai_strerror(code));
        return SLU_ERR_CONFIG;
    }
    int one = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 64) != 0) {
        snprintf(why, why_cap, "http %s:%u: %s", host, (unsigned)port, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = SLU_ERR_IO;
    }
    freeaddrinfo(found);
    return fd;
}

int slu_http_start(struct slu_http **http, const char *host, uint16_t port,
                   const struct slu_survey *survey, char *why, size_t why_cap)
{
    struct slu_http *h = calloc(1, sizeof *h);
    if (h == NULL)
        return SLU_ERR_MEMORY;
    h->survey = survey;
    int fd = listen_on(host, port, why, why_cap);
    if (fd < 0) {
        free(h);
        return fd;
    }
    h->daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, h,
                         MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(16 * 1024), MHD_OPTION_END);
    if (h->daemon == NULL) {
        snprintf(why, why_cap, "http %s:%u: the server does not start", host, (unsigned)port);
        close(fd);
        free(h);
        return SLU_ERR_IO;
    }
    *http = h;
    return 0;
}

void slu_http_stop(struct slu_http *http)
{
    if (http == NULL)
        return;
    MHD_stop_daemon(http->daemon);
    free(http);
}
