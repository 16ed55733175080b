#include <jansson.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "node/clock.h"
#include "node/survey.h"
#include "node/version.h"

bool slu_survey_ordering(const struct slu_survey *survey, const struct slu_core_view *view)
{
    const struct slu_params *p = &survey->genesis->params;
    uint64_t patience_ms = 2u * (uint64_t)p->heartbeat_idle_ms + 8u * (uint64_t)p->delta_ms + 1000u;
    return view->progress_ms > 0 && slu_monotonic_ms() - view->progress_ms < patience_ms;
}

static void set_number(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static json_t *queue(struct slu_ring_fill fill)
{
    json_t *object = json_object();
    set_number(object, "items", fill.items);
    set_number(object, "items_cap", fill.items_cap);
    set_number(object, "bytes", fill.bytes);
    if (fill.bytes_cap < SIZE_MAX)
        set_number(object, "bytes_cap", fill.bytes_cap);
    set_number(object, "refused", fill.refused);
    return object;
}

static json_t *queues(const struct slu_survey *s)
{
    uint32_t submissions, queries;
    json_t *object = json_object();
    slu_gateway_open(s->gateway, &submissions, &queries);
    json_object_set_new(object, "core", queue(slu_runtime_fill(s->runtime)));
    json_object_set_new(object, "history", queue(slu_history_fill(s->history)));
    json_object_set_new(object, "gateway", queue(slu_gateway_fill(s->gateway)));
    set_number(object, "submissions", submissions);
    set_number(object, "queries", queries);
    return object;
}

static json_t *lanes(const struct slu_survey *s, const struct slu_core_view *view)
{
    json_t *list = json_array();
    for (uint16_t i = 0; i < s->genesis->n; i++) {
        const struct slu_lane_status *lane = &view->lanes[i];
        json_t *object = json_object();
        set_number(object, "lane", i);
        set_number(object, "acked", lane->acked.position);
        set_number(object, "certified", lane->certified.position);
        set_number(object, "committed", lane->committed.position);
        set_number(object, "incarnation", lane->incarnation);
        set_number(object, "window_bytes", lane->window_bytes);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *cut(const struct slu_survey *s, const struct slu_core_view *view)
{
    json_t *list = json_array();
    for (uint16_t i = 0; i < s->genesis->n; i++)
        json_array_append_new(list, json_integer((json_int_t)view->lanes[i].committed.position));
    return list;
}

static json_t *peers(const struct slu_survey *s, const struct slu_core_view *view)
{
    json_t *list = json_array();
    uint64_t age_ms = slu_monotonic_ms() - view->taken_ms;
    for (uint16_t i = 0; i < s->genesis->n; i++) {
        struct slu_peer_status status;
        if (i == s->self)
            continue;
        slu_peers_status(s->peers, i, &status);
        json_t *object = json_object();
        set_number(object, "node", i);
        json_object_set_new(object, "address", json_string(s->genesis->nodes[i].address));
        json_object_set_new(object, "connected", json_boolean(status.connected));
        json_object_set_new(object, "last_heard_ms",
                            view->heard_ms_ago[i] == UINT64_MAX
                                ? json_null()
                                : json_integer((json_int_t)(view->heard_ms_ago[i] + age_ms)));
        set_number(object, "queued_bytes", status.queued_bytes);
        json_array_append_new(list, object);
    }
    return list;
}

/* Transactions that were not delivered, by reason: refused at admission, dropped when ordered. */
static json_t *reasons(const struct slu_survey *s, const uint64_t *counts, bool refused)
{
    static const struct {
        enum slu_metric metric;
        const char *name;
    } own[] = {{SLU_METRIC_TX_RATE_CLIENT, "rate_client"},
               {SLU_METRIC_TX_RATE_ROLLUP, "rate_rollup"},
               {SLU_METRIC_TX_RATE_SEALED, "rate_sealed"},
               {SLU_METRIC_TX_LANE_FULL, "lane_full"},
               {SLU_METRIC_TX_BEHIND, "catching_up"},
               {SLU_METRIC_TX_FORM, "form"},
               {SLU_METRIC_TX_BUSY, "busy"}};
    json_t *object = json_object();
    for (size_t i = 0; refused && i < sizeof own / sizeof own[0]; i++)
        set_number(object, own[i].name, slu_metrics_get(s->metrics, own[i].metric));
    for (unsigned i = 1; !refused && i < SLU_DROP_COUNT; i++)
        set_number(object, slu_drop_name((enum slu_drop)i), counts[i]);
    return object;
}

static json_t *nodes_of(const struct slu_survey *s, uint64_t set)
{
    json_t *list = json_array();
    for (uint16_t i = 0; i < s->genesis->n; i++) {
        if (set >> i & 1)
            json_array_append_new(list, json_integer(i));
    }
    return list;
}

/* The queue of forced transactions, what one of a KiB costs now, and who is slashed. */
static json_t *inbox(const struct slu_survey *s, const struct slu_core_view *view)
{
    const struct slu_inbox_status *status = &view->inbox;
    json_t *object = json_object();
    set_number(object, "price_work",
               slu_postage_price(s->genesis, status->booked_bytes + status->unqueued_bytes, 1024));
    set_number(object, "unqueued_items", status->unqueued_items);
    set_number(object, "unqueued_bytes", status->unqueued_bytes);
    set_number(object, "queued_items", status->queued_items);
    set_number(object, "queued_bytes", status->booked_bytes);
    json_object_set_new(object, "slashed", nodes_of(s, status->slashed));
    return object;
}

static void set_hex(json_t *object, const char *name, const uint8_t bytes32[32])
{
    char text[65];
    slu_hex_encode(text, bytes32, 32);
    json_object_set_new(object, name, json_string(text));
}

/* What was ordered sealed, and how far its opening has come. */
static json_t *openings(const struct slu_core_stats *stats)
{
    json_t *object = json_object();
    set_number(object, "ordered", stats->sealed_ordered);
    set_number(object, "opened", stats->sealed_opened);
    set_number(object, "void", stats->sealed_void);
    set_number(object, "waiting", stats->calendar_entries);
    set_number(object, "waiting_bytes", stats->calendar_bytes);
    set_number(object, "shares_sent", stats->shares_sent);
    set_number(object, "shares_refused", stats->shares_refused);
    set_number(object, "shares_wrong", stats->shares_wrong);
    return object;
}

/* The committee's key, the attempt at one, and what the key is for. */
static json_t *sealing(const struct slu_survey *s, const struct slu_core_view *view)
{
    static const char *const phases[] = {"resting", "dealing", "settling"};
    const struct slu_keygen_status *status = &view->keygen;
    json_t *object = json_object(), *key = json_null();
    json_object_set_new(object, "enabled", json_boolean(s->genesis->params.sealing));
    json_object_set_new(object, "phase", json_string(phases[status->phase]));
    set_number(object, "attempt", status->attempt);
    set_number(object, "k", status->k);
    set_number(object, "k_target", slu_genesis_seal_threshold(s->genesis));
    json_object_set_new(object, "dealt", nodes_of(s, status->dealt));
    json_object_set_new(object, "disqualified", nodes_of(s, status->out));
    json_object_set_new(object, "ready", nodes_of(s, status->ready));
    if (status->has_key) {
        key = json_object();
        set_hex(key, "key_id", status->key_id);
        set_hex(key, "y", status->y);
        set_number(key, "k", status->key_k);
        json_object_set_new(key, "qualified", nodes_of(s, status->key_dealers));
        set_number(key, "from_height", status->key_from_height);
        json_object_set_new(key, "has_share", json_boolean(status->has_share));
    }
    json_object_set_new(object, "key", key);
    set_number(object, "keys", status->keys);
    json_object_set_new(object, "openings", openings(&view->stats));
    return object;
}

char *slu_survey_status(const struct slu_survey *s)
{
    struct slu_core_view *view = malloc(sizeof *view);
    char chain[65];
    if (view == NULL)
        return NULL;
    slu_runtime_view(s->runtime, view);
    struct slu_place place = slu_gateway_place(s->gateway);
    slu_hex_encode(chain, s->genesis->chain_id, 32);
    json_t *root = json_object();
    set_number(root, "node", s->self);
    json_object_set_new(root, "name", json_string(s->genesis->name));
    json_object_set_new(root, "chain_id", json_string(chain));
    json_object_set_new(root, "version", json_string(slu_version));
    set_number(root, "protocol_version", s->genesis->version);
    set_number(root, "height", place.height);
    set_number(root, "opened_height", view->stats.opened_height);
    set_number(root, "released_height", view->stats.released_height);
    set_number(root, "certified_height", view->stats.certified_height);
    set_number(root, "final_height", view->stats.final_height);
    set_number(root, "view", view->stats.view);
    set_number(root, "final_view", view->stats.final_view);
    set_number(root, "stream_time_ms", place.stream_ms);
    json_object_set_new(root, "ordering", json_boolean(slu_survey_ordering(s, view)));
    json_object_set_new(root, "rejoining", json_boolean(view->rejoining));
    set_number(root, "lowest_height", slu_metrics_get(s->metrics, SLU_METRIC_LOWEST_HEIGHT));
    set_number(root, "uptime_ms", slu_monotonic_ms() - s->started_ms);
    json_object_set_new(root, "cut", cut(s, view));
    json_object_set_new(root, "lanes", lanes(s, view));
    json_object_set_new(root, "queues", queues(s));
    json_t *pending = json_object();
    set_number(pending, "txs", view->stats.own_pending_txs);
    set_number(pending, "bytes", view->stats.own_pending_bytes);
    json_object_set_new(root, "own_pending", pending);
    json_object_set_new(root, "inbox", inbox(s, view));
    json_object_set_new(root, "sealing", sealing(s, view));
    json_object_set_new(root, "peers", peers(s, view));
    json_object_set_new(root, "refused", reasons(s, NULL, true));
    json_object_set_new(root, "dropped", reasons(s, view->stats.txs_dropped, false));
    set_number(root, "clients", slu_metrics_get(s->metrics, SLU_METRIC_CLIENTS));
    set_number(root, "subscribers", slu_metrics_get(s->metrics, SLU_METRIC_SUBSCRIBERS));
    free(view);
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(root);
    return text;
}
