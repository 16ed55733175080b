/* `sluice genesis`: keys, a genesis and a config per node for a new chain on this machine, or on one
 * host per node. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/command.h"
#include "config/genesis_json.h"
#include "config/key_file.h"
#include "crypto/dkg.h"
#include "sluice/error.h"

static const char usage[] =
    "usage: sluice genesis --nodes N --dir D [--base-port P] [--hosts HOST,...] [--name NAME]\n"
    "                      [--rollup ID:NAME]... [--param NAME=VALUE]...\n"
    "\n"
    "Writes D/genesis.json and, for each node I, D/node-I/ with sluiced.conf, node.key,\n"
    "seal.key and first-start. Overwrites nothing.\n"
    "\n"
    "  --nodes N           how many nodes, 1..64\n"
    "  --dir D             where to; made when it is not there\n"
    "  --base-port P       node I listens on P+10*I for peers, +1 for clients, +2 for HTTP [7600]\n"
    "  --hosts HOST,...    as many as nodes: node I is on the I-th host and listens on all of its\n"
    "                      addresses, on P, P+1 and P+2; without it all are on 127.0.0.1\n"
    "  --name NAME         of the chain [sluice]\n"
    "  --rollup ID:NAME    a row of the rollup table; without any, every id is allowed\n"
    "  --param NAME=VALUE  a parameter of the genesis that is not to be the default\n"
    "\n"
    "Exit: 0 written, 1 the system refused, 2 wrong arguments, or D holds a genesis already.\n";

#define BASE_PORT   7600u
#define PORT_STEP   10u
#define LOOPBACK    "127.0.0.1"
#define ANY_ADDRESS "0.0.0.0"
#define PATH_CHARS  4096u
#define WHY_CHARS   (PATH_CHARS + 512u)

struct options {
    struct slu_genesis genesis;
    const char *dir;
    const char *hosts; /* separated by commas; NULL: all nodes are on this machine */
    uint64_t nodes, base_port;
};

/* What the files of one node's keys hold. */
struct seeds {
    uint8_t node32[32], seal32[32];
};

/* ---- the config that a user learns from ---- */

static const char config_text[] =
    "# Config of sluiced, node %u of the chain \"%s\". Written by `sluice genesis`; change it as "
    "you\n"
    "# like. Lines that begin with # are comments. Relative paths start at this file's directory.\n"
    "\n"
    "[node]\n"
    "# What the chain is: the same file for all nodes. It is hashed: one different character in a\n"
    "# value makes another chain.\n"
    "genesis = ../genesis.json\n"
    "# Which of the genesis' nodes this is, counted from 0.\n"
    "index = %u\n"
    "# The signing key that belongs to it: secret, mode 0600. Two running nodes with one key are\n"
    "# a double vote waiting to happen.\n"
    "key = node.key\n"
    "# The encryption key that belongs to it, for sealed transactions: secret, mode 0600. Keep a\n"
    "# copy of both: `sluice backup-keys` makes one.\n"
    "seal_key = seal.key\n"
    "# Batches, votes and blocks. Never copy it back from a backup: a node that forgot votes is\n"
    "# dangerous. A node that lost it starts with an empty one and rejoins by itself.\n"
    "data = data\n"
    "# While this file exists, an empty data directory means the first start ever, so that the "
    "node\n"
    "# may vote from view 1. The node deletes it at that start. Do not make it again.\n"
    "first_start = first-start\n"
    "\n"
    "[listen]\n"
    "# For the other nodes. Without it, the address of this node in the genesis.\n"
    "%speers = tcp://%s:%u\n"
    "# For clients: `sluice submit`, `sluice subscribe`.\n"
    "clients = tcp://%s:%u\n"
    "# HTTP with /metrics (Prometheus) and /healthz. Not for the open internet.\n"
    "http = %s:%u\n"
    "\n"
    "[peers]\n"
    "# Where this node reaches another one, if not at its address in the genesis: through a "
    "tunnel,\n"
    "# another network, a proxy. Of two nodes the lower one dials.\n"
    "# 3 = tcp://10.1.0.3:7630\n"
    "\n"
    "[store]\n"
    "# How much of the past is kept for readers and for nodes that catch up, in stream time.\n"
    "retention_ms = 3600000\n"
    "\n"
    "[admission]\n"
    "# Token buckets: so much per second, and so much at once. 0 per second: no limit. A rollup's\n"
    "# buckets are these times its rate_share in the genesis. A refusal names its bucket.\n"
    "client_tx_per_s = 200000\n"
    "client_tx_burst = 400000\n"
    "client_bytes_per_s = 268435456\n"
    "client_bytes_burst = 536870912\n"
    "rollup_tx_per_s = 200000\n"
    "rollup_tx_burst = 400000\n"
    "rollup_bytes_per_s = 268435456\n"
    "rollup_bytes_burst = 536870912\n"
    "# Of sealed ones the rollup is hidden: all of them together. The whole committee opens each.\n"
    "sealed_tx_per_s = 4000\n"
    "sealed_tx_burst = 8000\n"
    "sealed_bytes_per_s = 16777216\n"
    "sealed_bytes_burst = 33554432\n"
    "\n"
    "[links]\n"
    "# Client connections in all, and from one address (loopback is not counted by address).\n"
    "clients_max = 8192\n"
    "clients_per_address_max = 256\n"
    "# Bytes that may wait to be sent on one connection before its owner is held back.\n"
    "queue_bytes_max = 8388608\n"
    "# A connection that has not said who it is after so long is dropped.\n"
    "handshake_ms = 5000\n"
    "# Failed handshakes that an address may have at once, and how fast they are forgiven.\n"
    "fail_burst = 20\n"
    "fail_per_minute = 30\n"
    "\n"
    "[log]\n"
    "# error, warn, info or debug; to standard error, as logfmt.\n"
    "level = info\n";

/* ---- where a node is ---- */

/* The first of node I's ports: on a host of its own every node has the same ones. */
static unsigned node_port(const struct options *o, uint16_t node)
{
    return (unsigned)o->base_port + (o->hosts ? 0 : PORT_STEP * node);
}

/* Reads the hosts' list into the nodes' addresses; without one, all are here. */
static bool set_addresses(struct options *o)
{
    const char *host = o->hosts ? o->hosts : LOOPBACK;
    for (uint16_t i = 0; i < o->nodes; i++) {
        struct slu_genesis_node *node = &o->genesis.nodes[i];
        size_t len = strcspn(host, ",");
        int put = snprintf(node->address, sizeof node->address, "tcp://%.*s:%u", (int)len, host,
                           node_port(o, i));
        if (len == 0 || put < 0 || (size_t)put >= sizeof node->address) {
            slu_complain("genesis", 0, "--hosts: host %u is empty, too long, or missing", i);
            return false;
        }
        if (o->hosts)
            host += host[len] ? len + 1 : len;
    }
    if (o->hosts && *host) {
        slu_complain("genesis", 0, "--hosts: more hosts than --nodes");
        return false;
    }
    return true;
}

/* ---- files ---- */

static bool make_directory(const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return true;
    slu_complain("genesis", 0, "%s: %s", path, strerror(errno));
    return false;
}

static bool make_directories(const char *dir)
{
    char path[PATH_CHARS];
    size_t len = strlen(dir);
    if (len == 0 || len > PATH_CHARS - 64) {
        slu_complain("genesis", 0, "--dir: empty or too long");
        return false;
    }
    memcpy(path, dir, len + 1);
    for (char *at = path + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (!make_directory(path))
            return false;
        *at = '/';
    }
    return make_directory(path);
}

/* A new file with `len` bytes; never over another one. */
static bool write_file(const char *path, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = fd >= 0;
    while (ok && len > 0) {
        ssize_t put = write(fd, bytes, len);
        if (put < 0 && errno == EINTR)
            continue;
        ok = put > 0;
        if (ok) {
            bytes += put;
            len -= (size_t)put;
        }
    }
    ok = ok && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (!ok)
        slu_complain("genesis", 0, "%s: %s", path, strerror(error));
    return ok;
}

static bool write_node(const struct options *o, uint16_t node, const struct seeds *seeds)
{
    char path[PATH_CHARS], why[WHY_CHARS];
    char config[sizeof config_text + SLU_NAME_BYTES_MAX + 96];
    const char *listen = o->hosts ? ANY_ADDRESS : LOOPBACK;
    unsigned port = node_port(o, node);
    snprintf(path, sizeof path, "%s/node-%u", o->dir, node);
    if (!make_directory(path))
        return false;
    snprintf(path, sizeof path, "%s/node-%u/node.key", o->dir, node);
    int rc = slu_key_file_create(path, seeds->node32, why, sizeof why);
    if (!rc) {
        snprintf(path, sizeof path, "%s/node-%u/seal.key", o->dir, node);
        rc = slu_key_file_create(path, seeds->seal32, why, sizeof why);
    }
    if (rc) {
        slu_complain("genesis", 0, "%s", why);
        return false;
    }
    int len = snprintf(config, sizeof config, config_text, node, o->genesis.name, node,
                       o->hosts ? "" : "# ", listen, port, listen, port + 1, listen, port + 2);
    snprintf(path, sizeof path, "%s/node-%u/sluiced.conf", o->dir, node);
    if (len < 0 || (size_t)len >= sizeof config || !write_file(path, config, (size_t)len))
        return false;
    snprintf(path, sizeof path, "%s/node-%u/first-start", o->dir, node);
    return write_file(path, "", 0);
}

/* ---- the genesis ---- */

static int by_id(const void *a, const void *b)
{
    const struct slu_genesis_rollup *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Draws a node's keys and fills in what the genesis says of them. */
static void make_keys(struct slu_genesis_node *node, struct seeds *seeds)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES], p_secret[32];
    randombytes_buf(seeds, sizeof *seeds);
    crypto_sign_seed_keypair(node->public32, secret, seeds->node32);
    slu_dkg_node_key(p_secret, node->seal_public32, seeds->seal32);
    slu_dkg_possession_make(node->seal_proof48, p_secret, node->seal_public32, node->public32);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(p_secret, sizeof p_secret);
}

static void fill_nodes(struct options *o, struct seeds *seeds)
{
    struct slu_genesis *genesis = &o->genesis;
    for (uint16_t i = 0; i < genesis->n; i++) {
        make_keys(&genesis->nodes[i], &seeds[i]);
        genesis->nodes[i].stake = 1;
    }
}

static int make_all(struct options *o)
{
    static struct seeds seeds[SLU_NODES_MAX];
    char path[PATH_CHARS], why[WHY_CHARS];
    struct slu_genesis *genesis = &o->genesis;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    genesis->version = SLU_PROTOCOL_VERSION;
    genesis->created_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    genesis->n = (uint16_t)o->nodes;
    genesis->open_rollups = genesis->rollup_count == 0;
    qsort(genesis->rollups, genesis->rollup_count, sizeof *genesis->rollups, by_id);
    fill_nodes(o, seeds);
    if (slu_genesis_seal(genesis, why, sizeof why))
        return slu_complain("genesis", SLU_EXIT_NOT_ALL, "%s", why);
    if (!make_directories(o->dir))
        return SLU_EXIT_NO_NODE;
    snprintf(path, sizeof path, "%s/genesis.json", o->dir);
    int rc = slu_genesis_save(genesis, path, why, sizeof why);
    if (rc)
        return slu_complain("genesis", rc == SLU_ERR_EXISTS ? SLU_EXIT_NOT_ALL : SLU_EXIT_NO_NODE,
                            "%s", why);
    bool ok = true;
    for (uint16_t i = 0; i < genesis->n && ok; i++)
        ok = write_node(o, i, &seeds[i]);
    sodium_memzero(seeds, sizeof seeds);
    return ok ? SLU_EXIT_OK : SLU_EXIT_NO_NODE;
}

/* ---- arguments ---- */

static bool add_rollup(struct slu_genesis *genesis, const char *text)
{
    char id_text[24];
    const char *colon = strchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    uint64_t id;
    if (len == 0 || len >= sizeof id_text || strlen(colon + 1) > SLU_NAME_BYTES_MAX ||
        genesis->rollup_count == SLU_ROLLUPS_MAX) {
        slu_complain("genesis", 0, "--rollup: '%s' is not ID:NAME, or one too many", text);
        return false;
    }
    memcpy(id_text, text, len);
    id_text[len] = '\0';
    if (!slu_argument_number("genesis", "--rollup", id_text, 1, SLU_ROLLUP_ID_MAX, &id))
        return false;
    struct slu_genesis_rollup *row = &genesis->rollups[genesis->rollup_count++];
    row->id = id;
    row->rate_share = 1;
    memcpy(row->name, colon + 1, strlen(colon + 1) + 1);
    return true;
}

static bool set_param(struct slu_genesis *genesis, const char *text)
{
    char name[64];
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : 0;
    uint64_t value;
    if (len == 0 || len >= sizeof name) {
        slu_complain("genesis", 0, "--param: '%s' is not NAME=VALUE", text);
        return false;
    }
    memcpy(name, text, len);
    name[len] = '\0';
    if (!slu_argument_number("genesis", "--param", equals + 1, 0, INT64_MAX, &value))
        return false;
    int rc = slu_params_set(&genesis->params, name, value);
    if (rc)
        slu_complain("genesis", 0, "--param: %s: %s", name,
                     rc == SLU_ERR_NOT_FOUND ? "no such parameter" : "too large");
    return rc == SLU_OK;
}

int slu_command_genesis(int argc, char **argv)
{
    static const struct option longs[] = {
        {"nodes", required_argument, NULL, 'n'},
        {"dir", required_argument, NULL, 'd'},
        {"base-port", required_argument, NULL, 'b'},
        {"hosts", required_argument, NULL, 'o'},
        {"name", required_argument, NULL, 'm'},
        {"rollup", required_argument, NULL, 'r'},
        {"param", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct options o;
    o = (struct options){.base_port = BASE_PORT, .genesis.name = "sluice"};
    slu_params_defaults(&o.genesis.params);
    bool ok = true;
    int option;
    while (ok && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'n')
            ok = slu_argument_number("genesis", "--nodes", optarg, 1, SLU_NODES_MAX, &o.nodes);
        else if (option == 'd')
            o.dir = optarg;
        else if (option == 'b')
            ok = slu_argument_number("genesis", "--base-port", optarg, 1, 65533, &o.base_port);
        else if (option == 'o')
            o.hosts = optarg;
        else if (option == 'm')
            ok = (size_t)snprintf(o.genesis.name, sizeof o.genesis.name, "%s", optarg) <
                     sizeof o.genesis.name ||
                 slu_complain("genesis", 0, "--name: longer than %u", SLU_NAME_BYTES_MAX);
        else if (option == 'r')
            ok = add_rollup(&o.genesis, optarg);
        else if (option == 'p')
            ok = set_param(&o.genesis, optarg);
        else {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
        }
    }
    if (!ok)
        return SLU_EXIT_NOT_ALL;
    if (!o.nodes || !o.dir || optind < argc)
        return slu_complain("genesis", SLU_EXIT_NOT_ALL, "needs --nodes N and --dir D");
    if (node_port(&o, (uint16_t)(o.nodes - 1)) + 2 > UINT16_MAX)
        return slu_complain("genesis", SLU_EXIT_NOT_ALL, "--base-port: the ports pass 65535");
    if (!set_addresses(&o))
        return SLU_EXIT_NOT_ALL;
    return make_all(&o);
}
