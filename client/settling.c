/* What became of envelopes whose time is over, out of a node's history: client/submitter.h. */
#include <stdlib.h>
#include <string.h>

#include "client/history.h"
#include "client/submitter.h"

struct slu_settling {
    struct slu_history *history;
    size_t count;
    struct slu_tracked **list; /* of the rows, for the search */
    struct slu_tracked rows[];
};

void slu_submitter_settle_no_more(struct slu_submitter *s)
{
    struct slu_settling *settling = s->settling;
    s->settling = NULL;
    if (!settling)
        return;
    slu_history_free(settling->history);
    for (size_t i = 0; i < settling->count; i++)
        slu_tracked_end(&settling->rows[i], SLU_FATE_UNKNOWN, NULL);
    free(settling->list);
    free(settling);
}

static struct slu_tracked row_of(const struct slu_kept *kept, uint64_t height)
{
    struct slu_tracked row = {.has_id = true, .accepted = true, .fate = SLU_FATE_ACCEPTED};
    memcpy(row.id32, kept->id32, 32);
    row.known = kept->known || kept->from_height == 0; /* then it may stand further back */
    row.valid_until_ms = kept->valid_until_ms;
    row.from_height = kept->from_height && kept->from_height < height ? kept->from_height : height;
    return row;
}

/* Begins with the first one's rollup. */
static int begin(struct slu_submitter *s, struct slu_kept *const *overdue, size_t count)
{
    struct slu_settling *settling = calloc(1, sizeof *settling + count * sizeof *settling->rows);
    if (!settling)
        return SLU_ERR_MEMORY;
    s->settling = settling;
    settling->list = calloc(count, sizeof(void *));
    for (size_t i = 0; settling->list && i < count; i++)
        if (overdue[i]->rollup == overdue[0]->rollup) {
            struct slu_tracked *row = &settling->rows[settling->count];
            *row = row_of(overdue[i], s->height);
            settling->list[settling->count++] = row;
        }
    if (settling->list)
        settling->history = slu_history_new(settling->list, settling->count,
                                            s->urls.at[s->urls.current], overdue[0]->rollup);
    if (settling->history)
        return SLU_OK;
    slu_submitter_settle_no_more(s);
    return SLU_ERR_MEMORY;
}

static void tell(struct slu_submitter *s)
{
    for (size_t i = 0; i < s->settling->count; i++) {
        const struct slu_tracked *row = &s->settling->rows[i];
        struct slu_kept *kept = slu_kept_find(&s->kept, row->id32);
        if (!kept || row->fate == SLU_FATE_ACCEPTED)
            continue;
        kept->fate = row->fate;
        kept->height = row->height;
        kept->index = row->index;
    }
}

int slu_submitter_settle(struct slu_submitter *s, struct slu_kept *const *overdue, size_t count,
                         uint64_t until_ms)
{
    int rc = s->settling ? SLU_OK : begin(s, overdue, count);
    if (rc)
        return rc;
    rc = slu_history_go_on(s->settling->history, until_ms);
    tell(s);
    if (rc == 1)
        return SLU_ERR_BUSY;
    slu_submitter_settle_no_more(s);
    return rc;
}
