/* config/: what each file may say, and the words for what it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/genesis_json.h"
#include "config/key_file.h"
#include "config/node_config.h"
#include "sluice/error.h"

#define KEY_A  "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
#define KEY_B  "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
#define SEAL_A "0619908977d09f5ad0241a11edd4fd2aea0aa33aae5e7845020efd7608766971"
#define SEAL_B "6465826c71bf39b8bbf46dd0b20093ff742e665e8d136931ea71ce54ca14380e"
#define PROOF_A                                                                                    \
    "ad909e767c52fcc17b38c3e60c424c3df4076f3c7493692f"                                             \
    "8a9e14efc60e15185d7af14557a8bfb5132642663ecb5f0e"
#define PROOF_B                                                                                    \
    "d3b03c9dda915e5276ba781fe0c38ea69c522cb7e627afea"                                             \
    "b9b2b6beb4af780b8beb6ec9a18f5242a087f10de7b9780c"
#define OPEN_A         "{\"public_key\": \"" KEY_A "\", \"address\": \"tcp://127.0.0.1:7600\""
#define OPEN_B         "{\"public_key\": \"" KEY_B "\", \"address\": \"tcp://127.0.0.1:7610\""
#define SEAL(p, proof) ", \"seal_key\": \"" p "\", \"seal_proof\": \"" proof "\"}"
#define NODE_A         OPEN_A SEAL(SEAL_A, PROOF_A)
#define NODE_B         OPEN_B SEAL(SEAL_B, PROOF_B)
#define IDENTITY       "0000000000000000000000000000000000000000000000000000000000000000"
/* SEAL_A with bit 255 set, which libsodium 1.0.18 reads as the same element. */
#define SEAL_A_255   "0619908977d09f5ad0241a11edd4fd2aea0aa33aae5e7845020efd76087669f1"
#define GOOD_NODES   "\"nodes\": [" NODE_A ", " NODE_B "]"
#define GOOD_HEAD    "\"name\": \"t\", \"version\": 1, "
#define OPEN_ROLLUPS ", \"rollups\": \"open\"}"
#define GOOD         "{" GOOD_HEAD GOOD_NODES OPEN_ROLLUPS
#define PARAMETER(name, value)                                                                     \
    "{" GOOD_HEAD GOOD_NODES ", \"parameters\": {\"" name "\": " value "}" OPEN_ROLLUPS

static char directory[64];
static struct slu_genesis genesis, other;

static int setup(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/sluice-config-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static const char *file(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (text) {
        FILE *to = fopen(path, "w");
        assert_non_null(to);
        fputs(text, to);
        fclose(to);
    }
    return path;
}

/* ---- genesis ---- */

static void test_genesis_round_trip(void **state)
{
    (void)state;
    static const char text[] =
        "{" GOOD_HEAD GOOD_NODES ", \"created_ms\": 1700000000000,"
        "\"rollups\": [{\"id\": 1, \"name\": \"a\"}, {\"id\": 9007199254740991, \"name\": \"b\","
        "\"sealed_only\": true, \"ethereum_chain_id\": 10, \"rate_share\": 3}],"
        "\"parameters\": {\"heartbeat_ms\": 300, \"calendar_bytes_max\": 5000000000}}";
    char why[256] = "";
    assert_int_equal(slu_genesis_parse(&genesis, "g", text, strlen(text), why, sizeof why), 0);
    assert_int_equal(genesis.n, 2);
    assert_int_equal(genesis.rollup_count, 2);
    assert_false(genesis.open_rollups);
    assert_true(genesis.rollups[1].sealed_only);
    assert_int_equal(genesis.rollups[1].rate_share, 3);
    assert_int_equal(genesis.rollups[0].rate_share, 1);
    assert_int_equal(genesis.params.heartbeat_ms, 300);
    assert_true(genesis.params.calendar_bytes_max == 5000000000u);
    assert_int_equal(genesis.params.batch_bytes_max, 512 * 1024);
    const char *path = file("genesis.json", NULL);
    assert_int_equal(slu_genesis_save(&genesis, path, why, sizeof why), 0);
    assert_int_equal(slu_genesis_load(&other, path, why, sizeof why), 0);
    assert_memory_equal(genesis.chain_id, other.chain_id, 32);
    assert_int_equal(slu_genesis_save(&genesis, path, why, sizeof why), SLU_ERR_EXISTS);
    assert_non_null(strstr(why, "genesis.json: File exists"));
}

static void test_genesis_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
        int error;
    } cases[] = {
        {GOOD, "", SLU_OK},
        {"", "g:1:0: ", SLU_ERR_CONFIG},
        {"{\n \"name\": t}", "g:2:", SLU_ERR_CONFIG},
        {"[]", "g: not a JSON object", SLU_ERR_CONFIG},
        {GOOD " x", "g:1:", SLU_ERR_CONFIG},
        {"{\"name\": \"a\", \"name\": \"b\"}", "duplicate", SLU_ERR_CONFIG},
        {"{\"version\": 1}", "g: name: missing", SLU_ERR_CONFIG},
        {"{\"name\": 4}", "g: name: not a string", SLU_ERR_CONFIG},
        {"{\"name\": \"t\"}", "g: version: missing", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodez\": 1}", "g: nodez: no such field", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"rollups\": \"open\"}", "g: nodes: missing", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": {}}", "g: nodes: not a list", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": []}", "g: nodes: 0 of them", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [7]}", "g: nodes[0]: not an object", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [{\"address\": \"tcp://a:1\"}]}",
         "g: nodes[0].public_key: missing", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [{\"public_key\": \"zz\"}]}",
         "g: nodes[0].public_key: not 64 hex digits", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [{\"public_key\": \"" KEY_A "\"}]}",
         "g: nodes[0].address: missing", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [{\"public_key\": \"" KEY_A "\", \"address\": \"a:1\"}]}",
         "g: nodes[0].address: must begin with tcp://", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [{\"public_key\": \"" KEY_A "\", \"adress\": 1}]}",
         "g: nodes[0].adress: no such field", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" NODE_A ", " NODE_A "], \"rollups\": \"open\"}",
         "g: nodes[1].public_key: the same as of nodes[0]", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" OPEN_A "}]}", "g: nodes[0].seal_key: missing",
         SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" OPEN_A ", \"seal_key\": \"" SEAL_A "\"}]}",
         "g: nodes[0].seal_proof: missing", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" OPEN_A SEAL("06", PROOF_A) "]}",
         "g: nodes[0].seal_key: not 64 hex digits", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" OPEN_A SEAL(SEAL_A, SEAL_A) "]}",
         "g: nodes[0].seal_proof: not 96 hex digits", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" OPEN_A SEAL(IDENTITY, PROOF_A) "]" OPEN_ROLLUPS,
         "g: nodes[0].seal_key: not the canonical form", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" OPEN_A SEAL(SEAL_A_255, PROOF_A) "]" OPEN_ROLLUPS,
         "g: nodes[0].seal_key: not the canonical form", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" NODE_A ", " OPEN_B SEAL(SEAL_A, PROOF_A) "]" OPEN_ROLLUPS,
         "g: nodes[1].seal_key: the same as of nodes[0]", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" NODE_A ", " OPEN_B SEAL(SEAL_B, PROOF_A) "]" OPEN_ROLLUPS,
         "g: nodes[1].seal_proof: does not hold", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD "\"nodes\": [" OPEN_B SEAL(SEAL_A, PROOF_A) "]" OPEN_ROLLUPS,
         "g: nodes[0].seal_proof: does not hold", SLU_ERR_CONFIG}, /* it is for KEY_A */
        {"{" GOOD_HEAD GOOD_NODES "}", "g: rollups: missing", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES ", \"rollups\": \"all\"}", "g: rollups: neither", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES ", \"rollups\": []}", "g: rollups: 0 of them", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES ", \"rollups\": [{\"id\": -1, \"name\": \"a\"}]}",
         "g: rollups[0].id: -1 is not in", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES ", \"rollups\": [{\"id\": 1.5, \"name\": \"a\"}]}",
         "g: rollups[0].id: not a whole number", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES ", \"rollups\": [{\"id\": 2, \"name\": \"a\"},"
         "{\"id\": 1, \"name\": \"b\"}]}",
         "g: rollups[1].id: the table must be", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES
         ", \"rollups\": [{\"id\": 1, \"name\": \"a\", \"sealed_only\":1}]}",
         "g: rollups[0].sealed_only: not true or false", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES ", \"rollups\": \"open\", \"parameters\": {\"heart_ms\": 1}}",
         "g: parameters.heart_ms: no such field", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES ", \"rollups\": \"open\", \"parameters\": {\"delta_ms\": \"1\"}}",
         "g: parameters.delta_ms: not a whole number", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES
         ", \"rollups\": \"open\", \"parameters\": {\"delta_ms\": 5000000000}}",
         "g: parameters.delta_ms: 5000000000 is not in", SLU_ERR_CONFIG},
        {"{" GOOD_HEAD GOOD_NODES ", \"rollups\": \"open\", \"parameters\": {\"delta_ms\": 0}}",
         "g: parameters.delta_ms: 0 is not in", SLU_ERR_CONFIG},
        {PARAMETER("sealing", "2"), "g: parameters.sealing: 2 is not in 0..1", SLU_ERR_CONFIG},
        {PARAMETER("sealing", "0"), "", SLU_OK},
        {PARAMETER("seal_threshold", "3"), "g: parameters.seal_threshold: 3 is not in 1..2",
         SLU_ERR_CONFIG},
        {PARAMETER("keygen_window_ms", "0"), "g: parameters.keygen_window_ms: 0 is not in",
         SLU_ERR_CONFIG},
        {PARAMETER("keygen_retry_ms", "9999"),
         "g: parameters.keygen_retry_ms: smaller than keygen_window_ms", SLU_ERR_CONFIG},
        {"{\"name\": \"t\", \"version\": 2, " GOOD_NODES ", \"rollups\": \"open\"}",
         "g: version: ", SLU_ERR_MISMATCH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[256] = "";
        int rc =
            slu_genesis_parse(&genesis, "g", cases[i].text, strlen(cases[i].text), why, sizeof why);
        if (rc != cases[i].error || !strstr(why, cases[i].words) || strchr(why, '\n'))
            fail_msg("case %zu: %d, \"%s\" instead of \"%s\"", i, rc, why, cases[i].words);
    }
}

static void test_genesis_files(void **state)
{
    (void)state;
    char why[256];
    assert_int_equal(slu_genesis_load(&genesis, file("no", NULL), why, sizeof why), SLU_ERR_IO);
    assert_non_null(strstr(why, "No such file"));
    assert_int_equal(slu_genesis_load(&genesis, directory, why, sizeof why), SLU_ERR_IO);
    char *large = malloc(SLU_GENESIS_FILE_BYTES_MAX + 2);
    memset(large, ' ', SLU_GENESIS_FILE_BYTES_MAX + 1);
    large[SLU_GENESIS_FILE_BYTES_MAX + 1] = '\0';
    assert_int_equal(slu_genesis_load(&genesis, file("large", large), why, sizeof why),
                     SLU_ERR_LIMIT);
    free(large);
}

/* ---- the node's config ---- */

#define NODE_SECTION                                                                               \
    "[node]\ngenesis = g.json\nindex = 1\nkey = node.key\nseal_key = seal.key\n"                   \
    "data = /var/data\n"
#define LISTEN_SECTION "[listen]\nclients = tcp://127.0.0.1:1\nhttp = [::1]:8080\n"

static void test_config_good(void **state)
{
    (void)state;
    char why[256] = "", expected[128];
    struct slu_node_config config;
    file("g.json", GOOD);
    const char *path = file(
        "a.conf", "# words\n" NODE_SECTION "first_start = first\n; words\n" LISTEN_SECTION
                  "[peers]\n0 = tcp://10.0.0.9:9\n[store]\n  retention_ms = 90000 ; words\n"
                  "[admission]\nclient_tx_per_s=5\nsealed_bytes_burst = 7\n[log]\nlevel = debug");
    if (slu_node_config_load(&config, &genesis, path, NULL, why, sizeof why))
        fail_msg("%s", why);
    snprintf(expected, sizeof expected, "%s/node.key", directory);
    assert_string_equal(config.key_path, expected);
    snprintf(expected, sizeof expected, "%s/first", directory);
    assert_string_equal(config.first_start_path, expected);
    assert_string_equal(config.data_dir, "/var/data");
    assert_int_equal(config.index, 1);
    assert_string_equal(config.peer_listen_url, "tcp://127.0.0.1:7610");
    assert_string_equal(config.peer_urls[0], "tcp://10.0.0.9:9");
    assert_string_equal(config.peer_urls[1], "tcp://127.0.0.1:7610");
    assert_string_equal(config.client_listen_url, "tcp://127.0.0.1:1");
    assert_string_equal(config.http_host, "::1");
    assert_int_equal(config.http_port, 8080);
    assert_int_equal(config.retention_ms, 90000);
    assert_int_equal(config.client_tx.per_s, 5);
    assert_int_equal(config.client_tx.burst, 400000);
    assert_int_equal(config.sealed_tx.per_s, 4000);
    assert_int_equal(config.sealed_bytes.burst, 7);
    assert_int_equal(config.log_level, SLU_LOG_DEBUG);
    assert_string_equal(slu_log_level_name(config.log_level), "debug");
}

static void test_config_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "c: node.genesis: missing"},
        {NODE_SECTION, "c: listen.clients: missing"},
        {"index = 1\n", "c:1: index: stands before the first [section]"},
        {"[nod]\nindex = 1\n", "c:1: [nod]: no such section"},
        {NODE_SECTION "[byzantine]\n", "c:7: [byzantine]: no such section"},
        {NODE_SECTION "[empty]\n", "c:7: [empty]: no such section"},
        {"[node]\n\nindx = 1\n", "c:3: node.indx: no such field"},
        {"[node]\nindex = 1\nindex = 2\n", "c:3: node.index: given before, in line 2"},
        {"[node]\nindex = 1\n  index = 2\n", "c:3: node.index: given before, in line 2"},
        {"[node]\nindex = one\n", "c:2: node.index: 'one' is not a whole number"},
        {"[node]\nindex = -1\n", "c:2: node.index: '-1' is not a whole number"},
        {"[node]\nindex = 64\n", "c:2: node.index: 64 is not in 0..63"},
        {"[node]\nindex = 99999999999999999999999\n", "c:2: node.index: 9999"},
        {"[node]\nkey =\n", "c:2: node.key: empty"},
        {"[node]\nwords\n", "c:2: neither a [section], nor name = value"},
        {"[node\n", "c:1: "},
        {"[listen]\nclients = 127.0.0.1:5\n", "c:2: listen.clients: must begin with tcp://"},
        {"[listen]\nhttp = 8080\n", "c:2: listen.http: '8080' is not HOST:PORT"},
        {"[listen]\nhttp = ::1:8080\n", "c:2: listen.http: '::1:8080' is not HOST:PORT"},
        {"[listen]\nhttp = a:99999\n", "c:2: listen.http: 99999 is not in 0..65535"},
        {"[store]\nretention_ms = 1\n", "c:2: store.retention_ms: 1 is not in 1000.."},
        {"[peers]\none = tcp://a:1\n", "c:2: peers.J: 'one' is not a whole number"},
        {"[peers]\n64 = tcp://a:1\n", "c:2: peers.J: 64 is not in 0..63"},
        {"[peers]\n1 = tcp://a:1\n1 = tcp://b:1\n", "c:3: peers.1: given before, in line 2"},
        {"[peers]\n1 = a:1\n", "c:2: peers.J: must begin with tcp://"},
        {"[peers]\n1 =\n", "c:2: peers.J: must begin with tcp://"},
        {NODE_SECTION LISTEN_SECTION "[peers]\n2 = tcp://a:1\n", "peers.2: "},
        {"[log]\nlevel = loud\n", "c:2: log.level: 'loud' is none of"},
        {"[node]\n# xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
         "c:2: the line has a NUL"},
        {"[node]\ngenesis = none.json\nindex = 0\nkey = k\nseal_key = s\ndata = d\n" LISTEN_SECTION,
         "none.json: No such file"},
        {"[node]\ngenesis = g.json\nindex = 2\nkey = k\nseal_key = s\ndata = d\n" LISTEN_SECTION,
         "c:3: node.index: 2, but "},
    };
    struct slu_node_config config;
    file("g.json", GOOD);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[512] = "";
        int rc = slu_node_config_load(&config, &genesis, file("c", cases[i].text), NULL, why,
                                      sizeof why);
        if (rc == 0 || !strstr(why, cases[i].words) || strncmp(why, directory, strlen(directory)))
            fail_msg("case %zu: %d, \"%s\" instead of \"%s\"", i, rc, why, cases[i].words);
    }
    char why[512];
    assert_int_equal(
        slu_node_config_load(&config, &genesis, file("no", NULL), NULL, why, sizeof why),
        SLU_ERR_IO);
    assert_int_equal(slu_node_config_load(&config, &genesis, directory, NULL, why, sizeof why),
                     SLU_ERR_IO);
}

static int set_more(void *context, const char *field, const char *value)
{
    if (strcmp(field, "word"))
        return SLU_ERR_NOT_FOUND;
    if (strlen(value) > 3)
        return SLU_ERR_CONFIG;
    strcpy(context, value);
    return SLU_OK;
}

static void test_config_section_of_the_callers(void **state)
{
    (void)state;
    char word[4] = "", why[512];
    struct slu_node_config config;
    struct slu_config_section more = {"more", set_more, word};
    file("g.json", GOOD);
    const char *path = file("m.conf", NODE_SECTION LISTEN_SECTION "[more]\nword = yes\n");
    assert_int_equal(slu_node_config_load(&config, &genesis, path, &more, why, sizeof why), SLU_OK);
    assert_string_equal(word, "yes");
    assert_int_equal(slu_node_config_load(&config, &genesis, path, NULL, why, sizeof why),
                     SLU_ERR_CONFIG);
    path = file("m.conf", "[more]\nwrd = yes\n");
    assert_int_equal(slu_node_config_load(&config, &genesis, path, &more, why, sizeof why),
                     SLU_ERR_CONFIG);
    assert_non_null(strstr(why, "m.conf:2: more.wrd: no such field"));
    path = file("m.conf", "[more]\nword = long\n");
    assert_int_equal(slu_node_config_load(&config, &genesis, path, &more, why, sizeof why),
                     SLU_ERR_CONFIG);
    assert_non_null(strstr(why, "m.conf:2: more.word: not 'long'"));
}

/* ---- keys ---- */

static void test_key_file(void **state)
{
    (void)state;
    uint8_t seed[32], found[32];
    static const uint8_t zero[32];
    char why[256];
    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(i * 7);
    const char *path = file("k", NULL);
    assert_int_equal(slu_key_file_create(path, seed, why, sizeof why), 0);
    assert_int_equal(slu_key_file_create(path, seed, why, sizeof why), SLU_ERR_EXISTS);
    struct stat mode;
    assert_int_equal(stat(path, &mode), 0);
    assert_int_equal(mode.st_mode & 07777, 0600);
    assert_int_equal(slu_key_file_load(found, path, why, sizeof why), 0);
    assert_memory_equal(found, seed, 32);
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(slu_key_file_load(found, path, why, sizeof why), 0);
    static const mode_t bad_modes[] = {0640, 0604, 0620, 0700, 04600};
    for (size_t i = 0; i < sizeof bad_modes / sizeof *bad_modes; i++) {
        assert_int_equal(chmod(path, bad_modes[i]), 0);
        memset(found, 1, sizeof found);
        assert_int_equal(slu_key_file_load(found, path, why, sizeof why), SLU_ERR_REFUSED);
        assert_memory_equal(found, zero, 32);
        assert_non_null(strstr(why, "0600 or stricter"));
    }
}

static void test_key_file_content(void **state)
{
    (void)state;
    uint8_t found[32];
    char why[256];
    static const struct {
        const char *text;
        int error;
    } cases[] = {
        {KEY_A, SLU_OK},
        {KEY_A "\n", SLU_OK},
        {KEY_A "\r\n", SLU_OK},
        {"", SLU_ERR_CONFIG},
        {"0x" KEY_A, SLU_ERR_CONFIG},
        {KEY_A "00", SLU_ERR_CONFIG},
        {KEY_A "\nmore of it that is long", SLU_ERR_CONFIG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = file("content", cases[i].text);
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(slu_key_file_load(found, path, why, sizeof why), cases[i].error);
    }
    assert_int_equal(slu_key_file_load(found, file("none", NULL), why, sizeof why), SLU_ERR_IO);
    assert_int_equal(slu_key_file_load(found, directory, why, sizeof why), SLU_ERR_IO);
    if (geteuid() == 0) {
        const char *path = file("content", NULL);
        assert_int_equal(chown(path, 1, 1), 0);
        assert_int_equal(slu_key_file_load(found, path, why, sizeof why), SLU_ERR_REFUSED);
        assert_non_null(strstr(why, "belongs to user 1"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_genesis_round_trip, setup, teardown),
        cmocka_unit_test(test_genesis_errors),
        cmocka_unit_test_setup_teardown(test_genesis_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config_section_of_the_callers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_key_file_content, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
