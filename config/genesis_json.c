#include "config/genesis_json.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sluice/error.h"

/* ---- parameters by name ---- */

struct param {
    const char *name;
    size_t offset;
    size_t size;
};

#define PARAM(field)                                                                               \
    {                                                                                              \
#field, offsetof(struct slu_params, field), sizeof(((struct slu_params *)0)->field)        \
    }

static const struct param params_table[] = {
    PARAM(batch_bytes_max),
    PARAM(batch_linger_ms),
    PARAM(ack_tick_ms),
    PARAM(lane_window_bytes),
    PARAM(lane_window_batches),
    PARAM(lane_quota_bytes),
    PARAM(entries_per_block_max),
    PARAM(heartbeat_ms),
    PARAM(heartbeat_idle_ms),
    PARAM(delta_ms),
    PARAM(resend_ms),
    PARAM(standstill_ms),
    PARAM(timer_cap_ms),
    PARAM(skip_ms),
    PARAM(tx_bytes_max),
    PARAM(dedup_window_ms),
    PARAM(dedup_entries_max),
    PARAM(release_lag_max),
    PARAM(forced_delay),
    PARAM(forced_bytes_per_block),
    PARAM(postage_base),
    PARAM(postage_age_ms),
    PARAM(inbox_items_max),
    PARAM(inbox_bytes_max),
    PARAM(inbox_ids_max),
    PARAM(due_bytes_per_block),
    PARAM(sealing),
    PARAM(seal_threshold),
    PARAM(seal_threshold_min),
    PARAM(keygen_window_ms),
    PARAM(keygen_retry_ms),
    PARAM(unlock_horizon_ms),
    PARAM(calendar_bytes_max),
};

#define PARAMS (sizeof params_table / sizeof *params_table)

int slu_params_set(struct slu_params *params, const char *name, uint64_t value)
{
    for (size_t i = 0; i < PARAMS; i++) {
        const struct param *param = &params_table[i];
        if (strcmp(param->name, name))
            continue;
        char *at = (char *)params + param->offset;
        if (param->size == sizeof(uint64_t)) {
            memcpy(at, &value, sizeof value);
        } else {
            if (value > UINT32_MAX)
                return SLU_ERR_LIMIT;
            uint32_t narrow = (uint32_t)value;
            memcpy(at, &narrow, sizeof narrow);
        }
        return SLU_OK;
    }
    return SLU_ERR_NOT_FOUND;
}

static uint64_t param_get(const struct slu_params *params, const struct param *param)
{
    const char *at = (const char *)params + param->offset;
    if (param->size == sizeof(uint64_t)) {
        uint64_t wide;
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    uint32_t narrow;
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

/* ---- reading ---- */

/* Where complaints go: "label: field: words", the first one only. */
struct complaint {
    const char *label;
    char *why;
    size_t why_cap;
};

__attribute__((format(printf, 2, 3))) static int complain(const struct complaint *to,
                                                          const char *format, ...)
{
    int head = snprintf(to->why, to->why_cap, "%s: ", to->label);
    if (head >= 0 && (size_t)head < to->why_cap) {
        va_list values;
        va_start(values, format);
        vsnprintf(to->why + head, to->why_cap - (size_t)head, format, values);
        va_end(values);
    }
    return SLU_ERR_CONFIG;
}

/* Every name of `object` must be among `names` (NULL-terminated). */
static int known_names(const struct complaint *to, const char *prefix, json_t *object,
                       const char *const *names)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const char *const *name = names;
        while (*name && strcmp(*name, key))
            name++;
        if (!*name)
            return complain(to, "%s%.64s: no such field", prefix, key);
    }
    return SLU_OK;
}

/* A non-negative integer; absent gives `standard`, or an error when `standard` is NULL. */
static int read_number(const struct complaint *to, const char *prefix, json_t *object,
                       const char *name, const uint64_t *standard, uint64_t high, uint64_t *out)
{
    json_t *value = json_object_get(object, name);
    if (!value) {
        if (!standard)
            return complain(to, "%s%s: missing", prefix, name);
        *out = *standard;
        return SLU_OK;
    }
    if (!json_is_integer(value))
        return complain(to, "%s%s: not a whole number", prefix, name);
    json_int_t number = json_integer_value(value);
    if (number < 0 || (uint64_t)number > high)
        return complain(to, "%s%s: %lld is not in 0..%llu", prefix, name, (long long)number,
                        (unsigned long long)high);
    *out = (uint64_t)number;
    return SLU_OK;
}

/* A string of 1..cap-1 bytes without NUL. */
static int read_text(const struct complaint *to, const char *prefix, json_t *object,
                     const char *name, char *out, size_t cap)
{
    json_t *value = json_object_get(object, name);
    if (!value)
        return complain(to, "%s%s: missing", prefix, name);
    if (!json_is_string(value))
        return complain(to, "%s%s: not a string", prefix, name);
    size_t len = json_string_length(value);
    if (len == 0 || len >= cap)
        return complain(to, "%s%s: %zu characters; 1..%zu are allowed", prefix, name, len, cap - 1);
    memcpy(out, json_string_value(value), len + 1);
    return SLU_OK;
}

/* `len` bytes as hex. */
static int read_hex(const struct complaint *to, const char *prefix, json_t *object,
                    const char *name, uint8_t *out, size_t len)
{
    json_t *value = json_object_get(object, name);
    if (!value)
        return complain(to, "%s%s: missing", prefix, name);
    if (!json_is_string(value) || json_string_length(value) != 2 * len ||
        slu_hex_decode(out, json_string_value(value), 2 * len))
        return complain(to, "%s%s: not %zu hex digits", prefix, name, 2 * len);
    return SLU_OK;
}

static int read_node(const struct complaint *to, size_t i, json_t *row,
                     struct slu_genesis_node *node)
{
    static const char *const names[] = {"public_key", "address", "seal_key",
                                        "seal_proof", "stake",   NULL};
    char prefix[32];
    snprintf(prefix, sizeof prefix, "nodes[%zu].", i);
    if (!json_is_object(row))
        return complain(to, "nodes[%zu]: not an object", i);
    int rc = known_names(to, prefix, row, names);
    if (!rc)
        rc = read_hex(to, prefix, row, "public_key", node->public32, sizeof node->public32);
    if (!rc)
        rc = read_text(to, prefix, row, "address", node->address, sizeof node->address);
    if (rc)
        return rc;
    if (strncmp(node->address, "tcp://", 6) && strncmp(node->address, "ipc://", 6))
        return complain(to, "%saddress: must begin with tcp:// or ipc://", prefix);
    rc = read_hex(to, prefix, row, "seal_key", node->seal_public32, sizeof node->seal_public32);
    if (!rc)
        rc = read_hex(to, prefix, row, "seal_proof", node->seal_proof48, sizeof node->seal_proof48);
    if (rc)
        return rc;
    static const uint64_t one = 1;
    return read_number(to, prefix, row, "stake", &one, INT64_MAX, &node->stake);
}

static int read_nodes(const struct complaint *to, json_t *root, struct slu_genesis *genesis)
{
    json_t *nodes = json_object_get(root, "nodes");
    if (!nodes)
        return complain(to, "nodes: missing");
    if (!json_is_array(nodes))
        return complain(to, "nodes: not a list");
    size_t count = json_array_size(nodes);
    if (count < 1 || count > SLU_NODES_MAX)
        return complain(to, "nodes: %zu of them; 1..%u are allowed", count, SLU_NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        int rc = read_node(to, i, json_array_get(nodes, i), &genesis->nodes[i]);
        if (rc)
            return rc;
    }
    genesis->n = (uint16_t)count;
    return SLU_OK;
}

static int read_rollup(const struct complaint *to, size_t i, json_t *row,
                       struct slu_genesis_rollup *rollup)
{
    static const char *const names[] = {"id",         "name", "sealed_only", "ethereum_chain_id",
                                        "rate_share", NULL};
    static const uint64_t zero = 0, one = 1;
    char prefix[32];
    snprintf(prefix, sizeof prefix, "rollups[%zu].", i);
    if (!json_is_object(row))
        return complain(to, "rollups[%zu]: not an object", i);
    uint64_t share = 1;
    int rc = known_names(to, prefix, row, names);
    if (!rc)
        rc = read_number(to, prefix, row, "id", NULL, SLU_ROLLUP_ID_MAX, &rollup->id);
    if (!rc)
        rc = read_text(to, prefix, row, "name", rollup->name, sizeof rollup->name);
    if (!rc)
        rc = read_number(to, prefix, row, "ethereum_chain_id", &zero, INT64_MAX,
                         &rollup->ethereum_chain_id);
    if (!rc)
        rc = read_number(to, prefix, row, "rate_share", &one, UINT32_MAX, &share);
    if (rc)
        return rc;
    rollup->rate_share = (uint32_t)share;
    json_t *sealed = json_object_get(row, "sealed_only");
    if (sealed && !json_is_boolean(sealed))
        return complain(to, "%ssealed_only: not true or false", prefix);
    rollup->sealed_only = json_is_true(sealed);
    return SLU_OK;
}

static int read_rollups(const struct complaint *to, json_t *root, struct slu_genesis *genesis)
{
    json_t *rollups = json_object_get(root, "rollups");
    if (!rollups)
        return complain(to, "rollups: missing (\"open\", or a list)");
    if (json_is_string(rollups) && !strcmp(json_string_value(rollups), "open")) {
        genesis->open_rollups = true;
        return SLU_OK;
    }
    if (!json_is_array(rollups))
        return complain(to, "rollups: neither \"open\" nor a list");
    size_t count = json_array_size(rollups);
    if (count > SLU_ROLLUPS_MAX)
        return complain(to, "rollups: %zu of them; 1..%u are allowed", count, SLU_ROLLUPS_MAX);
    for (size_t i = 0; i < count; i++) {
        int rc = read_rollup(to, i, json_array_get(rollups, i), &genesis->rollups[i]);
        if (rc)
            return rc;
    }
    genesis->rollup_count = (uint16_t)count;
    return SLU_OK;
}

static int read_params(const struct complaint *to, json_t *root, struct slu_genesis *genesis)
{
    slu_params_defaults(&genesis->params);
    json_t *params = json_object_get(root, "parameters");
    if (!params)
        return SLU_OK;
    if (!json_is_object(params))
        return complain(to, "parameters: not an object");
    const char *name;
    json_t *value;
    json_object_foreach(params, name, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return complain(to, "parameters.%.64s: not a whole number", name);
        int rc = slu_params_set(&genesis->params, name, (uint64_t)json_integer_value(value));
        if (rc == SLU_ERR_NOT_FOUND)
            return complain(to, "parameters.%.64s: no such field", name);
        if (rc)
            return complain(to, "parameters.%.64s: %lld is not in 0..%u", name,
                            (long long)json_integer_value(value), UINT32_MAX);
    }
    return SLU_OK;
}

static int read_root(const struct complaint *to, json_t *root, struct slu_genesis *genesis)
{
    static const char *const names[] = {"name",    "version",    "created_ms", "nodes",
                                        "rollups", "parameters", NULL};
    static const uint64_t zero = 0;
    if (!json_is_object(root))
        return complain(to, "not a JSON object");
    uint64_t version = 0;
    int rc = known_names(to, "", root, names);
    if (!rc)
        rc = read_text(to, "", root, "name", genesis->name, sizeof genesis->name);
    if (!rc)
        rc = read_number(to, "", root, "version", NULL, UINT32_MAX, &version);
    if (!rc)
        rc = read_number(to, "", root, "created_ms", &zero, INT64_MAX, &genesis->created_ms);
    if (!rc)
        rc = read_nodes(to, root, genesis);
    if (!rc)
        rc = read_rollups(to, root, genesis);
    if (!rc)
        rc = read_params(to, root, genesis);
    if (rc)
        return rc;
    genesis->version = (uint32_t)version;
    char words[256];
    rc = slu_genesis_seal(genesis, words, sizeof words);
    if (rc)
        complain(to, "%s", words);
    return rc;
}

int slu_genesis_parse(struct slu_genesis *genesis, const char *label, const char *text, size_t len,
                      char *why, size_t why_cap)
{
    struct complaint to = {.label = label, .why = why, .why_cap = why_cap};
    memset(genesis, 0, sizeof *genesis);
    if (len > SLU_GENESIS_FILE_BYTES_MAX) {
        complain(&to, "larger than %u bytes", SLU_GENESIS_FILE_BYTES_MAX);
        return SLU_ERR_LIMIT;
    }
    json_error_t error;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        snprintf(why, why_cap, "%s:%d:%d: %s", label, error.line, error.column, error.text);
        return SLU_ERR_CONFIG;
    }
    int rc = read_root(&to, root, genesis);
    json_decref(root);
    return rc;
}

int slu_genesis_load(struct slu_genesis *genesis, const char *path, char *why, size_t why_cap)
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        snprintf(why, why_cap, "%s: %s", path, strerror(errno));
        return SLU_ERR_IO;
    }
    /* One byte more than allowed, so that a file that is too large shows. */
    char *text = malloc(SLU_GENESIS_FILE_BYTES_MAX + 1);
    size_t len = text ? fread(text, 1, SLU_GENESIS_FILE_BYTES_MAX + 1, file) : 0;
    int rc;
    if (!text) {
        snprintf(why, why_cap, "%s: %s", path, slu_strerror(SLU_ERR_MEMORY));
        rc = SLU_ERR_MEMORY;
    } else if (ferror(file)) {
        snprintf(why, why_cap, "%s: %s", path, strerror(errno));
        rc = SLU_ERR_IO;
    } else {
        rc = slu_genesis_parse(genesis, path, text, len, why, why_cap);
    }
    free(text);
    fclose(file);
    return rc;
}

/* ---- writing ---- */

static json_t *rollups_json(const struct slu_genesis *genesis)
{
    if (genesis->open_rollups)
        return json_string("open");
    json_t *rollups = json_array();
    for (uint16_t i = 0; i < genesis->rollup_count; i++) {
        const struct slu_genesis_rollup *row = &genesis->rollups[i];
        json_array_append_new(rollups,
                              json_pack("{s:I, s:s, s:b, s:I, s:I}", "id", (json_int_t)row->id,
                                        "name", row->name, "sealed_only", row->sealed_only,
                                        "ethereum_chain_id", (json_int_t)row->ethereum_chain_id,
                                        "rate_share", (json_int_t)row->rate_share));
    }
    return rollups;
}

static char *genesis_text(const struct slu_genesis *genesis)
{
    json_t *nodes = json_array();
    for (uint16_t i = 0; i < genesis->n; i++) {
        const struct slu_genesis_node *node = &genesis->nodes[i];
        char key[65], seal_key[65], proof[2 * SLU_PROOF_BYTES + 1];
        slu_hex_encode(key, node->public32, 32);
        slu_hex_encode(seal_key, node->seal_public32, 32);
        slu_hex_encode(proof, node->seal_proof48, SLU_PROOF_BYTES);
        json_array_append_new(nodes,
                              json_pack("{s:s, s:s, s:s, s:s, s:I}", "public_key", key, "address",
                                        node->address, "seal_key", seal_key, "seal_proof", proof,
                                        "stake", (json_int_t)node->stake));
    }
    json_t *params = json_object();
    for (size_t i = 0; i < PARAMS; i++)
        json_object_set_new(
            params, params_table[i].name,
            json_integer((json_int_t)param_get(&genesis->params, &params_table[i])));
    json_t *root =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "name", genesis->name, "version",
                  (json_int_t)genesis->version, "created_ms", (json_int_t)genesis->created_ms,
                  "nodes", nodes, "rollups", rollups_json(genesis), "parameters", params);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    return text;
}

int slu_genesis_save(const struct slu_genesis *genesis, const char *path, char *why, size_t why_cap)
{
    char *text = genesis_text(genesis);
    if (!text) {
        snprintf(why, why_cap, "%s: %s", path, slu_strerror(SLU_ERR_MEMORY));
        return SLU_ERR_MEMORY;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    bool ok = file && fputs(text, file) >= 0 && fputc('\n', file) != EOF && fflush(file) == 0 &&
              fsync(fd) == 0;
    int error = errno;
    free(text);
    if (file && fclose(file) && ok) {
        ok = false;
        error = errno;
    }
    if (ok)
        return SLU_OK;
    snprintf(why, why_cap, "%s: %s", path, strerror(error));
    if (fd >= 0 && !file)
        close(fd);
    if (fd < 0)
        return error == EEXIST ? SLU_ERR_EXISTS : SLU_ERR_IO;
    unlink(path);
    return SLU_ERR_IO;
}
