#include "client/tracker.h"

#include <stdlib.h>
#include <string.h>

#include "client/entry_json.h"

#define FLUSH_CHARS 65536u

uint64_t slu_tracker_add(struct slu_tracker *tracker)
{
    uint64_t held = tracker->back - tracker->front;
    if (held == tracker->cap) {
        size_t cap = tracker->cap ? 2 * tracker->cap : 1024;
        struct slu_tracked *rows = calloc(cap, sizeof *rows);
        if (!rows)
            return UINT64_MAX;
        for (uint64_t row = tracker->front; row < tracker->back; row++)
            rows[row & (cap - 1)] = tracker->rows[row & (tracker->cap - 1)];
        free(tracker->rows);
        tracker->rows = rows;
        tracker->cap = cap;
    }
    tracker->rows[tracker->back & (tracker->cap - 1)] = (struct slu_tracked){0};
    return tracker->back++;
}

struct slu_tracked *slu_tracker_at(struct slu_tracker *tracker, uint64_t row)
{
    return &tracker->rows[row & (tracker->cap - 1)];
}

bool slu_tracker_undecided(const struct slu_tracker *tracker, const struct slu_tracked *row)
{
    return tracker->wait && row->fate == SLU_FATE_ACCEPTED;
}

static const char *outcome_name(enum slu_fate fate)
{
    switch (fate) {
    case SLU_FATE_ORDERED:
        return "ordered";
    case SLU_FATE_EXPIRED:
        return "expired";
    case SLU_FATE_DROPPED:
        return "dropped";
    case SLU_FATE_UNKNOWN:
        return "unknown";
    case SLU_FATE_SENT:
    case SLU_FATE_REFUSED:
    case SLU_FATE_ACCEPTED:
        break;
    }
    return NULL;
}

static void add_row(struct slu_text *text, const struct slu_tracked *row)
{
    const char *outcome = outcome_name(row->fate);
    bool refused = row->fate == SLU_FATE_REFUSED || !row->accepted;
    slu_text_add(text, "{\"id\":");
    if (row->has_id) {
        slu_text_add(text, "\"");
        slu_text_add_hex(text, row->id32, 32);
        slu_text_add(text, "\"");
    } else {
        slu_text_add(text, "null");
    }
    slu_text_add(text, refused ? ",\"status\":\"refused\",\"reason\":"
                               : ",\"status\":\"accepted\",\"reason\":");
    slu_text_add_json(text, row->reason ? row->reason : "");
    if (row->sealed) {
        slu_text_add(text, ",\"sealed\":true,\"unlock\":");
        slu_unlock_json(text, row->unlock_kind, row->unlock);
    }
    if (outcome) {
        slu_text_add(text, ",\"outcome\":\"");
        slu_text_add(text, outcome);
        slu_text_add(text, "\"");
    }
    if (row->fate == SLU_FATE_ORDERED) {
        slu_text_add(text, ",\"height\":");
        slu_text_add_number(text, row->height);
        slu_text_add(text, ",\"index\":");
        slu_text_add_number(text, row->index);
    }
    slu_text_add(text, "}\n");
}

bool slu_tracker_print(struct slu_tracker *tracker, FILE *file)
{
    while (tracker->front < tracker->back) {
        struct slu_tracked *row = slu_tracker_at(tracker, tracker->front);
        if (row->fate == SLU_FATE_SENT || slu_tracker_undecided(tracker, row))
            break;
        add_row(&tracker->text, row);
        if (row->fate == SLU_FATE_REFUSED || !row->accepted)
            tracker->refused++;
        else if (row->fate == SLU_FATE_ORDERED)
            tracker->ordered++;
        else if (tracker->wait)
            tracker->not_ordered++;
        free(row->reason);
        row->reason = NULL;
        tracker->front++;
        if (tracker->text.len > FLUSH_CHARS && !slu_text_write(&tracker->text, file))
            return false;
    }
    return tracker->text.len == 0 || slu_text_write(&tracker->text, file);
}

void slu_tracker_free(struct slu_tracker *tracker)
{
    for (uint64_t row = tracker->front; row < tracker->back; row++)
        free(slu_tracker_at(tracker, row)->reason);
    free(tracker->rows);
    slu_text_free(&tracker->text);
    *tracker = (struct slu_tracker){0};
}
