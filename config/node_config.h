/* The config file of sluiced: INI sections with comments (`#` or `;` at the start of a line, ` ;`
 * behind a value). `sluice genesis` writes one that explains every field. Whatever is not
 * understood is an error that names file, line and field: a misspelt limit must not silently be the
 * default. Relative paths are relative to the directory of the config file.
 *
 *     [node]       genesis, index, key, seal_key, data (required), first_start
 *     [listen]     clients, http (required), peers
 *     [peers]      J = where this node dials node J, if not at its address in the genesis
 *     [store]      retention_ms
 *     [admission]  {client,rollup,sealed}_{tx_per_s,tx_burst,bytes_per_s,bytes_burst}
 *     [links]      clients_max, clients_per_address_max, queue_bytes_max, handshake_ms,
 *                  fail_burst, fail_per_minute
 *     [log]        level
 *
 * A caller may add a section of its own. */
#ifndef SLU_CONFIG_NODE_CONFIG_H
#define SLU_CONFIG_NODE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "wire/genesis.h"

#define SLU_PATH_BYTES_MAX 1024u                        /* of a path in the config, with its NUL */
#define SLU_URL_BYTES_MAX  (SLU_ADDRESS_BYTES_MAX + 1u) /* of a URL or host, with its NUL */
#define SLU_CONFIG_LINES_MAX                                                                       \
    10000u /* of the file; each holds some 190 characters (inih's bound)                           \
            */

enum slu_log_level {
    SLU_LOG_ERROR,
    SLU_LOG_WARN,
    SLU_LOG_INFO,
    SLU_LOG_DEBUG,
};

/** A token bucket: refilled by `per_s`, holding at most `burst`. per_s = 0: no limit. */
struct slu_bucket_config {
    uint64_t per_s;
    uint64_t burst;
};

struct slu_node_config {
    char genesis_path[SLU_PATH_BYTES_MAX];
    char key_path[SLU_PATH_BYTES_MAX];
    char seal_key_path[SLU_PATH_BYTES_MAX];
    char data_dir[SLU_PATH_BYTES_MAX];
    /** A marker file: while it exists, an empty data directory means the node's first start ever,
     * so that it may vote from view 1. The daemon deletes it at that start. Empty: never. */
    char first_start_path[SLU_PATH_BYTES_MAX];
    uint16_t index; /* of this node in the genesis */

    char peer_listen_url[SLU_URL_BYTES_MAX];          /* [the genesis address of this node] */
    char peer_urls[SLU_NODES_MAX][SLU_URL_BYTES_MAX]; /* of each node [its genesis address] */
    char client_listen_url[SLU_URL_BYTES_MAX];
    char http_host[SLU_URL_BYTES_MAX]; /* a name or address, brackets of IPv6 taken off */
    uint16_t http_port;

    uint64_t retention_ms; /* [3,600,000] stream time that the store keeps */

    /* Admission. A rollup's buckets hold the value times its rate_share in the genesis. */
    struct slu_bucket_config client_tx;    /* [200,000 per s, 400,000] */
    struct slu_bucket_config client_bytes; /* [256 MiB per s, 512 MiB] */
    struct slu_bucket_config rollup_tx;    /* [200,000 per s, 400,000] */
    struct slu_bucket_config rollup_bytes; /* [256 MiB per s, 512 MiB] */
    /* All sealed ones together, since their rollup is hidden; the whole committee opens each. */
    struct slu_bucket_config sealed_tx;    /* [4,000 per s, 8,000] */
    struct slu_bucket_config sealed_bytes; /* [16 MiB per s, 32 MiB] */

    /* Links of clients (link/link.h has the words). */
    uint32_t clients_max;             /* [8,192]; fewer where the process may open too few files */
    uint32_t clients_per_address_max; /* [256] */
    uint32_t link_queue_bytes_max;    /* [8 MiB] */
    uint32_t handshake_ms;            /* [5,000] */
    uint32_t fail_burst;              /* [20] */
    uint32_t fail_per_minute;         /* [30] */

    enum slu_log_level log_level; /* [info] */
};

/** A section beside those above, whose fields somebody else knows. */
struct slu_config_section {
    const char *name;
    /** Errors: NOT_FOUND (no such field), CONFIG (not a value of it). */
    int (*set)(void *context, const char *field, const char *value);
    void *context;
};

/** Loads the config file at `path` and the genesis that it names (sealed). `more`: a section of the
 * caller's; NULL: none. On failure `why` is one
 * line, "FILE:LINE: section.field: what is wrong", and both results are unspecified.
 * Errors: IO, LIMIT, CONFIG, MISMATCH, MEMORY. */
SLU_MUST_USE int slu_node_config_load(struct slu_node_config *config, struct slu_genesis *genesis,
                                      const char *path, const struct slu_config_section *more,
                                      char *why, size_t why_cap);

/** A level's word in config and log lines. Static storage. */
const char *slu_log_level_name(enum slu_log_level level);

#endif
