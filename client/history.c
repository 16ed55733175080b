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

struct search {
    struct slu_tracked **rows; /* sorted by id */
    size_t count;
    uint64_t from_height;
    uint64_t until_ms;
};

static int by_id(const void *a, const void *b)
{
    const struct slu_tracked *const *x = a, *const *y = b;
    return memcmp((*x)->id32, (*y)->id32, 32);
}

static struct search search_of(struct slu_tracked **rows, size_t count)
{
    struct search search = {.rows = rows, .count = count, .from_height = UINT64_MAX};
    for (size_t i = 0; i < count; i++) {
        uint64_t back = rows[i]->known ? KNOWN_BACK : BACK;
        uint64_t from = rows[i]->from_height > back ? rows[i]->from_height - back : 1;
        if (from < search.from_height)
            search.from_height = from;
        if (rows[i]->valid_until_ms > search.until_ms)
            search.until_ms = rows[i]->valid_until_ms;
    }
    qsort(rows, count, sizeof(void *), by_id);
    return search;
}

/* The same id can stand in several rows: a file may hold a transaction twice. */
static void found(struct search *search, uint64_t height, const struct slu_entry *entry)
{
    size_t low = 0, high = search->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (memcmp(search->rows[mid]->id32, entry->id32, 32) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < search->count && !memcmp(search->rows[low]->id32, entry->id32, 32); low++) {
        search->rows[low]->height = height;
        search->rows[low]->index = entry->index;
        slu_tracked_end(search->rows[low], SLU_FATE_ORDERED, NULL);
    }
}

/* One reply. Returns 1 when stream time has passed the end, 0 to go on. */
static int take(struct search *search, struct slu_heights *heights, const Slu__Client__Reply *reply)
{
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
            found(search, heights->height, &entry);
    return heights->time_ms > search->until_ms;
}

static int read_stream(struct search *search, struct slu_session *session, uint64_t rollup)
{
    Slu__Client__Subscribe subscribe = SLU__CLIENT__SUBSCRIBE__INIT;
    Slu__Client__Request request = SLU__CLIENT__REQUEST__INIT;
    struct slu_heights heights = {.expected = search->from_height};
    subscribe.rollup = rollup;
    subscribe.from_height = search->from_height;
    subscribe.every_height = true;
    request.body_case = SLU__CLIENT__REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &subscribe;
    int rc = slu_session_send(session, &request);
    while (rc == 0) {
        Slu__Client__Reply *reply;
        rc = slu_session_receive(session, request.id, &reply, HEIGHT_MS);
        if (rc)
            break;
        rc = take(search, &heights, reply);
        slu_reply_free(reply);
    }
    slu_heights_free(&heights);
    return rc;
}

int slu_history_settle(struct slu_tracked **rows, size_t count, const char *url, uint64_t rollup)
{
    char why[256];
    struct search search = search_of(rows, count);
    struct slu_session *session = NULL;
    struct slu_session_config config = {.url = url, .timeout_ms = SLU_CONNECT_MS};
    if (count == 0)
        return SLU_OK;
    int rc = slu_session_open(&session, &config, why, sizeof why);
    if (!rc)
        rc = read_stream(&search, session, rollup);
    for (size_t i = 0; i < count && rc == 1; i++)
        if (rows[i]->fate == SLU_FATE_ACCEPTED)
            slu_tracked_end(rows[i], SLU_FATE_EXPIRED, "expired");
    slu_session_close(session);
    return rc < 0 ? rc : SLU_OK;
}
