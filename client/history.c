#include "client/history.h"

#include <stdlib.h>
#include <string.h>

#include "client/heights.h"
#include "client/session.h"
#include "client/urls.h"
#include "sluice/error.h"

#define HEIGHT_MS  15000u /* longest wait for the next height */
#define BACK       256u   /* heights: it may be delivered while the answer is on its way ... */
#define KNOWN_BACK 8192u  /* ... and one that was known already, long before */

struct slu_history {
    struct slu_tracked **rows; /* sorted by id */
    size_t count;
    const char *url;
    uint64_t rollup;
    uint64_t from_height;
    uint64_t last_valid_ms;      /* stream time past which there is nothing to find */
    struct slu_session *session; /* NULL: not begun */
    uint64_t request;            /* its subscription */
    uint64_t waited_ms;          /* for the session or the next height, so far */
    struct slu_heights heights;
};

static int by_id(const void *a, const void *b)
{
    const struct slu_tracked *const *x = a, *const *y = b;
    return memcmp((*x)->id32, (*y)->id32, 32);
}

struct slu_history *slu_history_new(struct slu_tracked **rows, size_t count, const char *url,
                                    uint64_t rollup)
{
    struct slu_history *history = malloc(sizeof *history);
    if (!history)
        return NULL;
    *history = (struct slu_history){
        .rows = rows, .count = count, .url = url, .rollup = rollup, .from_height = UINT64_MAX};
    for (size_t i = 0; i < count; i++) {
        uint64_t back = rows[i]->known ? KNOWN_BACK : BACK;
        uint64_t from = rows[i]->from_height > back ? rows[i]->from_height - back : 1;
        if (from < history->from_height)
            history->from_height = from;
        if (rows[i]->valid_until_ms > history->last_valid_ms)
            history->last_valid_ms = rows[i]->valid_until_ms;
    }
    history->heights.expected = history->from_height;
    qsort(rows, count, sizeof(void *), by_id);
    return history;
}

void slu_history_free(struct slu_history *history)
{
    if (!history)
        return;
    slu_session_close(history->session);
    slu_heights_free(&history->heights);
    free(history);
}

/* The same id can stand in several rows: a file may hold a transaction twice. */
static void found(struct slu_history *history, uint64_t height, const struct slu_entry *entry)
{
    size_t low = 0, high = history->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (memcmp(history->rows[mid]->id32, entry->id32, 32) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < history->count && !memcmp(history->rows[low]->id32, entry->id32, 32); low++) {
        history->rows[low]->height = height;
        history->rows[low]->index = entry->index;
        slu_tracked_end(history->rows[low], SLU_FATE_ORDERED, NULL);
    }
}

/* One reply. Returns 1 when stream time has passed the end, 0 to go on. */
static int take(struct slu_history *history, const Slu__Client__Reply *reply)
{
    struct slu_heights *heights = &history->heights;
    if (reply->body_case == SLU__CLIENT__REPLY__BODY_ERROR)
        return strcmp(reply->error->code, "below_retention") ? SLU_ERR_REFUSED : SLU_ERR_NOT_FOUND;
    if (reply->body_case != SLU__CLIENT__REPLY__BODY_HEIGHT)
        return SLU_ERR_MALFORMED;
    int rc = slu_heights_add(heights, reply->height);
    if (rc <= 0)
        return rc;
    struct slu_reader reader = slu_reader_of(heights->bytes, heights->len);
    struct slu_entry entry;
    while (slu_entry_next(&reader, &entry))
        if (entry.kind != SLU_ENTRY_OPENED && entry.kind != SLU_ENTRY_VOID)
            found(history, heights->height, &entry);
    return heights->time_ms > history->last_valid_ms;
}

static uint32_t at_most(uint32_t ms, uint64_t until_ms)
{
    uint64_t now_ms = slu_now_ms();
    return now_ms >= until_ms ? 0 : until_ms - now_ms < ms ? (uint32_t)(until_ms - now_ms) : ms;
}

/* What waited since `begin_ms` and got nothing may go on until it has waited for `enough_ms`. */
static int waited(struct slu_history *history, uint64_t begin_ms, uint64_t enough_ms)
{
    history->waited_ms += slu_now_ms() - begin_ms;
    return history->waited_ms < enough_ms ? SLU_OK : SLU_ERR_TIMEOUT;
}

static int subscribe(struct slu_history *history, uint64_t until_ms)
{
    char why[256];
    Slu__Client__Subscribe subscribe = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    struct slu_session_config config = {.url = history->url,
                                        .timeout_ms = at_most(SLU_CONNECT_MS, until_ms)};
    uint64_t begin_ms = slu_now_ms();
    int rc = slu_session_open(&history->session, &config, why, sizeof why);
    if (rc) {
        history->session = NULL;
        return rc == SLU_ERR_TIMEOUT ? waited(history, begin_ms, SLU_CONNECT_MS) : rc;
    }
    history->waited_ms = 0;
    subscribe.rollup = history->rollup;
    subscribe.from_height = history->from_height;
    subscribe.every_height = true;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &subscribe;
    rc = slu_session_send(history->session, &request);
    history->request = request.id;
    return rc;
}

/* The next reply, or none in time: as slu_history_go_on, with 1 for "the end is there". */
static int read_one(struct slu_history *history, uint64_t until_ms)
{
    Slu__Client__Reply *reply;
    uint64_t begin_ms = slu_now_ms();
    uint32_t wait_ms = at_most(HEIGHT_MS, until_ms);
    int rc = slu_session_receive(history->session, history->request, &reply, wait_ms);
    if (rc == SLU_ERR_TIMEOUT)
        return waited(history, begin_ms, HEIGHT_MS);
    if (rc)
        return rc;
    history->waited_ms = 0;
    rc = take(history, reply);
    slu_reply_free(reply);
    return rc;
}

int slu_history_go_on(struct slu_history *history, uint64_t until_ms)
{
    int rc;
    do
        rc = history->session ? read_one(history, until_ms) : subscribe(history, until_ms);
    while (rc == 0 && slu_now_ms() < until_ms);
    for (size_t i = 0; i < history->count && rc == 1; i++)
        if (history->rows[i]->fate == SLU_FATE_ACCEPTED)
            slu_tracked_end(history->rows[i], SLU_FATE_EXPIRED, "expired");
    return rc < 0 ? rc : rc == 0;
}

int slu_history_settle(struct slu_tracked **rows, size_t count, const char *url, uint64_t rollup)
{
    if (count == 0)
        return SLU_OK;
    struct slu_history *history = slu_history_new(rows, count, url, rollup);
    int rc = history ? slu_history_go_on(history, UINT64_MAX) : SLU_ERR_MEMORY;
    slu_history_free(history);
    return rc;
}
