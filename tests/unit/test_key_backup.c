/* config/key_backup and config/node_keys: keys that come back whole and belong to their node, or
 * not at all. */
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

#include "config/key_backup.h"
#include "config/key_file.h"
#include "config/private_file.h"
#include "sluice/error.h"
#include "tests/sim/seal_keys.h"

static char directory[64], path[96], why[512];
static struct slu_genesis genesis;
static struct slu_key_backup backup;

static int setup(void **state)
{
    (void)state;
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    struct slu_seal_secrets seal;
    strcpy(directory, "/tmp/sluice-keys-XXXXXX");
    if (sodium_init() < 0 || !mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/keys", directory);
    memset(backup.chain_id, 0xc4, 32);
    backup.node = 1;
    memset(backup.seeds.sign32, 0x51, 32);
    genesis.n = 2;
    crypto_sign_seed_keypair(genesis.nodes[1].public32, secret, backup.seeds.sign32);
    sim_seal_keys(&genesis);
    sim_seal_secrets(&seal, genesis.nodes[1].seal_public32, 1);
    memcpy(backup.seeds.seal32, seal.seed32, 32);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct slu_key_backup found;
    struct stat mode;
    assert_int_equal(slu_key_backup_create(&backup, path, why, sizeof why), 0);
    assert_int_equal(stat(path, &mode), 0);
    assert_int_equal(mode.st_mode & 07777, 0600);
    assert_int_equal(slu_key_backup_create(&backup, path, why, sizeof why), SLU_ERR_EXISTS);
    assert_int_equal(slu_key_backup_load(&found, path, why, sizeof why), 0);
    assert_memory_equal(found.chain_id, backup.chain_id, 32);
    assert_memory_equal(&found.seeds, &backup.seeds, sizeof found.seeds);
    assert_int_equal(found.node, 1);
}

/* Each byte changed, each prefix, a byte more. */
static void test_any_damage_is_noticed(void **state)
{
    (void)state;
    static const struct slu_key_backup zero;
    struct slu_key_backup found;
    char text[600], bad[600];
    size_t len;
    assert_int_equal(slu_key_backup_create(&backup, path, why, sizeof why), 0);
    assert_int_equal(slu_private_file_read(text, sizeof text, &len, path, why, sizeof why), 0);
    for (size_t i = 0; i < 2 * len + 1; i++) {
        size_t bad_len = i < len ? len : i < 2 * len ? i - len : len + 1;
        memcpy(bad, text, len);
        if (i < len)
            bad[i] = (char)(bad[i] ^ (bad[i] == '1' ? 2 : 1));
        bad[len] = '\n';
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(bad, 1, bad_len, file), bad_len);
        fclose(file);
        assert_int_equal(slu_key_backup_load(&found, path, why, sizeof why), SLU_ERR_CONFIG);
        assert_int_equal(strncmp(why, path, strlen(path)), 0);
        assert_memory_equal(&found, &zero, sizeof zero);
    }
}

static void test_keys_belong_to_a_node(void **state)
{
    (void)state;
    static struct slu_node_config config;
    struct slu_node_seeds seeds;
    static const struct slu_node_seeds zero;
    snprintf(config.key_path, sizeof config.key_path, "%s/sign", directory);
    snprintf(config.seal_key_path, sizeof config.seal_key_path, "%s/seal", directory);
    strcpy(config.genesis_path, "g.json");
    config.index = 1;
    const uint8_t *sign32 = backup.seeds.sign32, *seal32 = backup.seeds.seal32;
    assert_int_equal(slu_key_file_create(config.key_path, sign32, why, sizeof why), 0);
    assert_int_equal(slu_key_file_create(config.seal_key_path, seal32, why, sizeof why), 0);
    assert_int_equal(slu_node_seeds_load(&seeds, &config, &genesis, why, sizeof why), 0);
    assert_memory_equal(&seeds, &backup.seeds, sizeof seeds);
    config.index = 0;
    assert_int_equal(slu_node_seeds_load(&seeds, &config, &genesis, why, sizeof why),
                     SLU_ERR_CONFIG);
    assert_non_null(strstr(why, "/sign: node.key: not the key of node 0 (node.index) in g.json"));
    assert_memory_equal(&seeds, &zero, sizeof zero);
    memcpy(genesis.nodes[0].public32, genesis.nodes[1].public32, 32);
    assert_int_equal(slu_node_seeds_load(&seeds, &config, &genesis, why, sizeof why),
                     SLU_ERR_CONFIG);
    assert_non_null(strstr(why, "/seal: node.seal_key: not the encryption key of node 0"));
    assert_memory_equal(&seeds, &zero, sizeof zero);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_damage_is_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_belong_to_a_node, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
