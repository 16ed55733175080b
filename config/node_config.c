#include "config/node_config.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/genesis_json.h"
#include "sluice/error.h"

/* ---- the fields ---- */

enum field_type {
    FIELD_PATH,
    FIELD_URL,
    FIELD_HOST_PORT, /* at offset the host, at http_port the port */
    FIELD_U16,
    FIELD_U32,
    FIELD_U64,
    FIELD_LEVEL,
};

struct field {
    const char *section;
    const char *name;
    enum field_type type;
    size_t offset;
    bool required;
    uint64_t low, high;
};

#define AT(member) offsetof(struct slu_node_config, member)
#define RATE_MAX   (UINT64_C(1) << 40)

static const struct field fields[] = {
    {"node", "genesis", FIELD_PATH, AT(genesis_path), true, 0, 0},
    {"node", "index", FIELD_U16, AT(index), true, 0, SLU_NODES_MAX - 1},
    {"node", "key", FIELD_PATH, AT(key_path), true, 0, 0},
    {"node", "seal_key", FIELD_PATH, AT(seal_key_path), true, 0, 0},
    {"node", "data", FIELD_PATH, AT(data_dir), true, 0, 0},
    {"node", "first_start", FIELD_PATH, AT(first_start_path), false, 0, 0},
    {"listen", "peers", FIELD_URL, AT(peer_listen_url), false, 0, 0},
    {"listen", "clients", FIELD_URL, AT(client_listen_url), true, 0, 0},
    {"listen", "http", FIELD_HOST_PORT, AT(http_host), true, 0, 0},
    {"store", "retention_ms", FIELD_U64, AT(retention_ms), false, 1000, UINT64_C(1) << 42},
    {"admission", "client_tx_per_s", FIELD_U64, AT(client_tx.per_s), false, 0, RATE_MAX},
    {"admission", "client_tx_burst", FIELD_U64, AT(client_tx.burst), false, 1, RATE_MAX},
    {"admission", "client_bytes_per_s", FIELD_U64, AT(client_bytes.per_s), false, 0, RATE_MAX},
    {"admission", "client_bytes_burst", FIELD_U64, AT(client_bytes.burst), false, 1, RATE_MAX},
    {"admission", "rollup_tx_per_s", FIELD_U64, AT(rollup_tx.per_s), false, 0, RATE_MAX},
    {"admission", "rollup_tx_burst", FIELD_U64, AT(rollup_tx.burst), false, 1, RATE_MAX},
    {"admission", "rollup_bytes_per_s", FIELD_U64, AT(rollup_bytes.per_s), false, 0, RATE_MAX},
    {"admission", "rollup_bytes_burst", FIELD_U64, AT(rollup_bytes.burst), false, 1, RATE_MAX},
    {"admission", "sealed_tx_per_s", FIELD_U64, AT(sealed_tx.per_s), false, 0, RATE_MAX},
    {"admission", "sealed_tx_burst", FIELD_U64, AT(sealed_tx.burst), false, 1, RATE_MAX},
    {"admission", "sealed_bytes_per_s", FIELD_U64, AT(sealed_bytes.per_s), false, 0, RATE_MAX},
    {"admission", "sealed_bytes_burst", FIELD_U64, AT(sealed_bytes.burst), false, 1, RATE_MAX},
    {"links", "clients_max", FIELD_U32, AT(clients_max), false, 1, 1000000},
    {"links", "clients_per_address_max", FIELD_U32, AT(clients_per_address_max), false, 1, 1000000},
    {"links", "queue_bytes_max", FIELD_U32, AT(link_queue_bytes_max), false,
     2 * SLU_FRAME_BYTES_MAX, 1u << 30},
    {"links", "handshake_ms", FIELD_U32, AT(handshake_ms), false, 100, 60000},
    {"links", "fail_burst", FIELD_U32, AT(fail_burst), false, 1, 1000000},
    {"links", "fail_per_minute", FIELD_U32, AT(fail_per_minute), false, 0, 1000000},
    {"log", "level", FIELD_LEVEL, AT(log_level), false, 0, 0},
};

#define FIELDS           (sizeof fields / sizeof *fields)
#define FIELD_NODE_INDEX 1

/* Its fields are the numbers of nodes. */
#define PEERS_SECTION "peers"
static const struct field peer_field = {PEERS_SECTION, "J", FIELD_URL,        0,
                                        false,         0,   SLU_NODES_MAX - 1};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

const char *slu_log_level_name(enum slu_log_level level)
{
    return level_names[level];
}

static struct slu_node_config config_defaults(void)
{
    return (struct slu_node_config){
        .retention_ms = 3600000,
        .client_tx = {200000, 400000},
        .client_bytes = {UINT64_C(256) << 20, UINT64_C(512) << 20},
        .rollup_tx = {200000, 400000},
        .rollup_bytes = {UINT64_C(256) << 20, UINT64_C(512) << 20},
        .sealed_tx = {4000, 8000},
        .sealed_bytes = {UINT64_C(16) << 20, UINT64_C(32) << 20},
        .clients_max = 8192,
        .clients_per_address_max = 256,
        .link_queue_bytes_max = 8u << 20,
        .handshake_ms = 5000,
        .fail_burst = 20,
        .fail_per_minute = 30,
        .log_level = SLU_LOG_INFO,
    };
}

/* ---- one parse ---- */

struct parse {
    const char *path;
    FILE *file;
    struct slu_node_config *config;
    const struct slu_config_section *more; /* may be NULL */
    unsigned line;
    unsigned line_of[FIELDS]; /* where each field was given; 0: not yet */
    unsigned line_of_peer[SLU_NODES_MAX];
    unsigned bad_line; /* of the first complaint; 0: none yet */
    char *why;
    size_t why_cap;
};

__attribute__((format(printf, 2, 3))) static int complain(struct parse *parse, const char *format,
                                                          ...)
{
    if (parse->bad_line)
        return SLU_ERR_CONFIG;
    parse->bad_line = parse->line;
    int head = snprintf(parse->why, parse->why_cap, "%s:%u: ", parse->path, parse->line);
    if (head >= 0 && (size_t)head < parse->why_cap) {
        va_list values;
        va_start(values, format);
        vsnprintf(parse->why + head, parse->why_cap - (size_t)head, format, values);
        va_end(values);
    }
    return SLU_ERR_CONFIG;
}

static bool is_named(const char *section, const char *text, size_t len)
{
    return strlen(section) == len && !memcmp(section, text, len);
}

/* Told here, since inih says nothing of a section without fields. */
static void check_section(struct parse *parse, const char *text)
{
    size_t len = strcspn(text + 1, "]\r\n");
    for (size_t i = 0; i < FIELDS; i++)
        if (is_named(fields[i].section, text + 1, len))
            return;
    if (is_named(PEERS_SECTION, text + 1, len) ||
        (parse->more && is_named(parse->more->name, text + 1, len)))
        return;
    complain(parse, "[%.*s]: no such section", (int)len, text + 1);
}

/* fgets for inih that counts lines, takes indentation away (which inih would read as the value
 * above going on) and refuses lines that do not fit instead of splitting them. */
static char *read_line(char *text, int cap, void *context)
{
    struct parse *parse = context;
    if (parse->bad_line || !fgets(text, cap, parse->file))
        return NULL;
    parse->line++;
    size_t len = strlen(text);
    if ((len == 0 || text[len - 1] != '\n') && !feof(parse->file)) {
        complain(parse, "the line has a NUL byte or is longer than %d characters", cap - 2);
        return NULL;
    }
    if (parse->line > SLU_CONFIG_LINES_MAX) {
        complain(parse, "more than %u lines", SLU_CONFIG_LINES_MAX);
        return NULL;
    }
    size_t blank = strspn(text, " \t");
    memmove(text, text + blank, len - blank + 1);
    if (text[0] == '[')
        check_section(parse, text);
    return parse->bad_line ? NULL : text;
}

static int set_path(struct parse *parse, const struct field *field, const char *value, char *out)
{
    const char *slash = strrchr(parse->path, '/');
    bool relative = value[0] != '/' && slash;
    int len = relative ? snprintf(out, SLU_PATH_BYTES_MAX, "%.*s/%s", (int)(slash - parse->path),
                                  parse->path, value)
                       : snprintf(out, SLU_PATH_BYTES_MAX, "%s", value);
    if (len < 0 || (size_t)len >= SLU_PATH_BYTES_MAX)
        return complain(parse, "%s.%s: the path is longer than %u characters", field->section,
                        field->name, SLU_PATH_BYTES_MAX - 1);
    return SLU_OK;
}

static int set_url(struct parse *parse, const struct field *field, const char *value, char *out)
{
    if (strncmp(value, "tcp://", 6) && strncmp(value, "ipc://", 6))
        return complain(parse, "%s.%s: must begin with tcp:// or ipc://", field->section,
                        field->name);
    size_t len = strlen(value);
    if (len >= SLU_URL_BYTES_MAX)
        return complain(parse, "%s.%s: longer than %u characters", field->section, field->name,
                        SLU_URL_BYTES_MAX - 1);
    memcpy(out, value, len + 1);
    return SLU_OK;
}

/* Decimal digits only, within low..high. */
static int read_number(struct parse *parse, const struct field *field, const char *value,
                       uint64_t low, uint64_t high, uint64_t *out)
{
    uint64_t number = 0;
    bool bad = *value == '\0';
    bool over = false;
    for (const char *at = value; *at && !bad; at++) {
        bad = *at < '0' || *at > '9';
        over = over || __builtin_mul_overflow(number, 10u, &number) ||
               __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number);
    }
    if (bad)
        return complain(parse, "%s.%s: '%s' is not a whole number", field->section, field->name,
                        value);
    if (over || number < low || number > high)
        return complain(parse, "%s.%s: %s is not in %llu..%llu", field->section, field->name, value,
                        (unsigned long long)low, (unsigned long long)high);
    *out = number;
    return SLU_OK;
}

static int set_host_port(struct parse *parse, const struct field *field, const char *value)
{
    const char *colon = strrchr(value, ':');
    if (!colon || colon == value)
        return complain(parse, "%s.%s: '%s' is not HOST:PORT", field->section, field->name, value);
    const char *host = value;
    size_t host_len = (size_t)(colon - value);
    bool bracketed = host[0] == '[' && host[host_len - 1] == ']';
    if (bracketed) {
        host++;
        host_len -= 2;
    }
    if (host_len == 0 || host_len >= SLU_URL_BYTES_MAX ||
        (!bracketed && memchr(host, ':', host_len)))
        return complain(parse, "%s.%s: '%s' is not HOST:PORT (IPv6 as [::1]:PORT)", field->section,
                        field->name, value);
    uint64_t port;
    int rc = read_number(parse, field, colon + 1, 0, UINT16_MAX, &port);
    if (rc)
        return rc;
    memcpy(parse->config->http_host, host, host_len);
    parse->config->http_host[host_len] = '\0';
    parse->config->http_port = (uint16_t)port;
    return SLU_OK;
}

static int set_level(struct parse *parse, const struct field *field, const char *value)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (!strcmp(value, level_names[i])) {
            parse->config->log_level = (enum slu_log_level)i;
            return SLU_OK;
        }
    }
    return complain(parse, "%s.%s: '%s' is none of error, warn, info, debug", field->section,
                    field->name, value);
}

static int set_field(struct parse *parse, const struct field *field, const char *value)
{
    char *at = (char *)parse->config + field->offset;
    uint64_t number = 0;
    int rc = SLU_OK;
    if (*value == '\0')
        return complain(parse, "%s.%s: empty", field->section, field->name);
    switch (field->type) {
    case FIELD_PATH:
        return set_path(parse, field, value, at);
    case FIELD_URL:
        return set_url(parse, field, value, at);
    case FIELD_HOST_PORT:
        return set_host_port(parse, field, value);
    case FIELD_LEVEL:
        return set_level(parse, field, value);
    case FIELD_U16:
    case FIELD_U32:
    case FIELD_U64:
        rc = read_number(parse, field, value, field->low, field->high, &number);
        break;
    }
    if (rc)
        return rc;
    if (field->type == FIELD_U64) {
        memcpy(at, &number, sizeof number);
    } else if (field->type == FIELD_U32) {
        uint32_t narrow = (uint32_t)number;
        memcpy(at, &narrow, sizeof narrow);
    } else {
        uint16_t narrow = (uint16_t)number;
        memcpy(at, &narrow, sizeof narrow);
    }
    return SLU_OK;
}

static int set_peer(struct parse *parse, const char *name, const char *value)
{
    uint64_t j;
    int rc = read_number(parse, &peer_field, name, peer_field.low, peer_field.high, &j);
    if (rc)
        return rc;
    if (parse->line_of_peer[j])
        return complain(parse, "peers.%s: given before, in line %u", name, parse->line_of_peer[j]);
    parse->line_of_peer[j] = parse->line;
    return set_url(parse, &peer_field, value, parse->config->peer_urls[j]);
}

static int set_more(struct parse *parse, const char *name, const char *value)
{
    const struct slu_config_section *more = parse->more;
    int rc = more->set(more->context, name, value);
    if (rc == SLU_ERR_NOT_FOUND)
        return complain(parse, "%s.%s: no such field", more->name, name);
    return rc ? complain(parse, "%s.%s: not '%s'", more->name, name, value) : SLU_OK;
}

/* inih's handler: 1 is good, 0 is an error that it remembers the line of. */
static int on_value(void *context, const char *section, const char *name, const char *value)
{
    struct parse *parse = context;
    bool section_known = false;
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].section, section))
            continue;
        section_known = true;
        if (strcmp(fields[i].name, name))
            continue;
        if (parse->line_of[i]) {
            complain(parse, "%s.%s: given before, in line %u", section, name, parse->line_of[i]);
            return 0;
        }
        parse->line_of[i] = parse->line;
        return set_field(parse, &fields[i], value) == SLU_OK;
    }
    if (!strcmp(PEERS_SECTION, section))
        return set_peer(parse, name, value) == SLU_OK;
    if (parse->more && !strcmp(parse->more->name, section))
        return set_more(parse, name, value) == SLU_OK;
    if (section_known)
        complain(parse, "%s.%s: no such field", section, name);
    else
        complain(parse, "%s: stands before the first [section]", name);
    return 0;
}

static int parse_file(struct parse *parse)
{
    int bad_line = ini_parse_stream(read_line, parse, on_value, parse);
    if (ferror(parse->file)) {
        snprintf(parse->why, parse->why_cap, "%s: %s", parse->path, strerror(errno));
        return SLU_ERR_IO;
    }
    if (bad_line < 0) {
        snprintf(parse->why, parse->why_cap, "%s: %s", parse->path, slu_strerror(SLU_ERR_MEMORY));
        return SLU_ERR_MEMORY;
    }
    if (bad_line > 0 && (!parse->bad_line || (unsigned)bad_line < parse->bad_line)) {
        parse->bad_line = 0;
        parse->line = (unsigned)bad_line;
        return complain(parse, "neither a [section], nor name = value, nor a # comment");
    }
    if (parse->bad_line)
        return SLU_ERR_CONFIG;
    for (size_t i = 0; i < FIELDS; i++) {
        if (fields[i].required && !parse->line_of[i]) {
            snprintf(parse->why, parse->why_cap, "%s: %s.%s: missing", parse->path,
                     fields[i].section, fields[i].name);
            return SLU_ERR_CONFIG;
        }
    }
    return SLU_OK;
}

/* What the file did not say of where nodes are, the genesis does. */
static int take_addresses(struct parse *parse, const struct slu_genesis *genesis)
{
    struct slu_node_config *config = parse->config;
    for (uint16_t j = 0; j < SLU_NODES_MAX; j++) {
        parse->line = parse->line_of_peer[j];
        if (j >= genesis->n && parse->line)
            return complain(parse, "peers.%u: %s has the nodes 0..%u", j, config->genesis_path,
                            genesis->n - 1u);
        if (j < genesis->n && !parse->line)
            strcpy(config->peer_urls[j], genesis->nodes[j].address);
    }
    if (!config->peer_listen_url[0])
        strcpy(config->peer_listen_url, genesis->nodes[config->index].address);
    return SLU_OK;
}

int slu_node_config_load(struct slu_node_config *config, struct slu_genesis *genesis,
                         const char *path, const struct slu_config_section *more, char *why,
                         size_t why_cap)
{
    *config = config_defaults();
    struct parse parse = {
        .path = path, .config = config, .more = more, .why = why, .why_cap = why_cap};
    parse.file = fopen(path, "re");
    if (!parse.file) {
        snprintf(why, why_cap, "%s: %s", path, strerror(errno));
        return SLU_ERR_IO;
    }
    int rc = parse_file(&parse);
    fclose(parse.file);
    if (rc)
        return rc;
    rc = slu_genesis_load(genesis, config->genesis_path, why, why_cap);
    if (rc)
        return rc;
    if (config->index >= genesis->n) {
        parse.line = parse.line_of[FIELD_NODE_INDEX];
        return complain(&parse, "node.index: %u, but %s has the nodes 0..%u", config->index,
                        config->genesis_path, genesis->n - 1u);
    }
    return take_addresses(&parse, genesis);
}
