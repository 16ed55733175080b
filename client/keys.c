/* `sluice backup-keys` and `sluice restore-keys`: a node's two keys in one file and back. */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "client/command.h"
#include "config/key_backup.h"
#include "config/key_file.h"

#define WHY_CHARS 2048u

static const char backup_usage[] =
    "usage: sluice backup-keys --config FILE --out FILE\n"
    "\n"
    "Copies the keys of the node whose config this is, node.key and seal.key, into one new file\n"
    "of mode 0600. Whoever has that file is that node: keep it offline.\n"
    "\n"
    "Exit: 0 written, 2 not.\n";

static const char restore_usage[] =
    "usage: sluice restore-keys --from FILE --config FILE\n"
    "\n"
    "Writes the keys in a file of `sluice backup-keys` to where the node's config wants them. "
    "They\n"
    "must be those of the same node of the same chain. Overwrites nothing: a key that is there\n"
    "already is kept if it is the same; if it is another, nothing is written.\n"
    "\n"
    "Exit: 0 the keys are there, 2 not.\n";

/* What one of the two commands is about. Static: the genesis is large. */
static struct {
    const char *command, *config_path, *file_path;
    struct slu_node_config config;
    struct slu_genesis genesis;
    char why[WHY_CHARS];
} o;

/* `file` is the name of the option for the backup. SLU_EXIT_OK and paths set: go on. */
static int parse(int argc, char **argv, const char *file, const char *usage, bool *go_on)
{
    const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                   {file, required_argument, NULL, 'f'},
                                   {"help", no_argument, NULL, 'h'},
                                   {NULL, 0, NULL, 0}};
    int option;
    *go_on = false;
    o.command = argv[0];
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'c') {
            o.config_path = optarg;
        } else if (option == 'f') {
            o.file_path = optarg;
        } else {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? SLU_EXIT_OK : SLU_EXIT_NOT_ALL;
        }
    }
    if (!o.config_path || !o.file_path || optind < argc)
        return slu_complain(o.command, SLU_EXIT_NOT_ALL, "needs --config FILE and --%s FILE", file);
    if (slu_node_config_load(&o.config, &o.genesis, o.config_path, NULL, o.why, sizeof o.why))
        return slu_complain(o.command, SLU_EXIT_NOT_ALL, "%s", o.why);
    *go_on = true;
    return SLU_EXIT_OK;
}

int slu_command_backup_keys(int argc, char **argv)
{
    struct slu_key_backup backup;
    bool go_on;
    int code = parse(argc, argv, "out", backup_usage, &go_on);
    if (!go_on)
        return code;
    memcpy(backup.chain_id, o.genesis.chain_id, 32);
    backup.node = o.config.index;
    int rc = slu_node_seeds_load(&backup.seeds, &o.config, &o.genesis, o.why, sizeof o.why);
    if (!rc)
        rc = slu_key_backup_create(&backup, o.file_path, o.why, sizeof o.why);
    sodium_memzero(&backup, sizeof backup);
    return rc ? slu_complain(o.command, SLU_EXIT_NOT_ALL, "%s", o.why) : SLU_EXIT_OK;
}

/* Whether the backup is of the node of the config; else `why` has words. */
static bool belongs(const struct slu_key_backup *backup)
{
    const char *genesis_path = o.config.genesis_path;
    if (memcmp(backup->chain_id, o.genesis.chain_id, 32))
        snprintf(o.why, sizeof o.why, "%s: chain_id: of another chain than %s", o.file_path,
                 genesis_path);
    else if (backup->node != o.config.index)
        snprintf(o.why, sizeof o.why, "%s: node: the keys of node %u, but %s is of node %u",
                 o.file_path, (unsigned)backup->node, o.config_path, (unsigned)o.config.index);
    else if (!slu_node_sign_seed_ok(backup->seeds.sign32, &o.genesis, backup->node))
        snprintf(o.why, sizeof o.why, "%s: node_key: not the key of node %u in %s", o.file_path,
                 (unsigned)backup->node, genesis_path);
    else if (!slu_node_seal_seed_ok(backup->seeds.seal32, &o.genesis, backup->node))
        snprintf(o.why, sizeof o.why, "%s: seal_key: not the encryption key of node %u in %s",
                 o.file_path, (unsigned)backup->node, genesis_path);
    else
        return true;
    return false;
}

enum place { PLACE_FREE, PLACE_SAME, PLACE_TAKEN };

/* What stands where a key is to go; for TAKEN, `why` has words. */
static enum place look(const char *path, const uint8_t seed32[32])
{
    struct stat found;
    uint8_t there[32];
    if (lstat(path, &found) && errno == ENOENT)
        return PLACE_FREE;
    if (slu_key_file_load(there, path, o.why, sizeof o.why))
        return PLACE_TAKEN;
    bool same = !sodium_memcmp(there, seed32, 32);
    sodium_memzero(there, sizeof there);
    if (!same)
        snprintf(o.why, sizeof o.why, "%s: another key is there; nothing is overwritten", path);
    return same ? PLACE_SAME : PLACE_TAKEN;
}

static int restore(const struct slu_key_backup *backup)
{
    const char *paths[2] = {o.config.key_path, o.config.seal_key_path};
    const uint8_t *seeds[2] = {backup->seeds.sign32, backup->seeds.seal32};
    enum place places[2];
    for (int i = 0; i < 2; i++)
        if ((places[i] = look(paths[i], seeds[i])) == PLACE_TAKEN)
            return SLU_EXIT_NOT_ALL;
    for (int i = 0; i < 2; i++) {
        if (places[i] == PLACE_SAME)
            slu_complain(o.command, 0, "%s: is there, and the same: kept", paths[i]);
        else if (slu_key_file_create(paths[i], seeds[i], o.why, sizeof o.why))
            return SLU_EXIT_NOT_ALL;
    }
    return SLU_EXIT_OK;
}

int slu_command_restore_keys(int argc, char **argv)
{
    struct slu_key_backup backup;
    bool go_on;
    int code = parse(argc, argv, "from", restore_usage, &go_on);
    if (!go_on)
        return code;
    code = SLU_EXIT_NOT_ALL;
    if (!slu_key_backup_load(&backup, o.file_path, o.why, sizeof o.why) && belongs(&backup))
        code = restore(&backup);
    sodium_memzero(&backup, sizeof backup);
    if (code != SLU_EXIT_OK)
        slu_complain(o.command, code, "%s", o.why);
    return code;
}
