/* What tests of the commands share: a node over a real link that answers as the test likes, and a
 * command that runs in this process with what it prints caught. */
#ifndef SLU_TESTS_UNIT_STUB_NODE_H
#define SLU_TESTS_UNIT_STUB_NODE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/session.h"
#include "crypto/keyguard.h"
#include "link/link.h"
#include "sluice/error.h"

/** The client may hang up at any time. */
static inline void send_reply(struct slu_link *link, Slu__Client__Reply *reply, uint64_t id)
{
    size_t len;
    reply->id = id;
    uint8_t *frame = slu_reply_pack(reply, &len);
    int rc = slu_link_send(link, frame, len, NULL, 0);
    free(frame);
    assert_true(rc == SLU_OK || rc == SLU_ERR_CLOSED);
}

static inline void send_error(struct slu_link *link, uint64_t id, const char *code,
                              const char *text, uint64_t lowest)
{
    Slu__Client__Error error = SLU__CLIENT__ERROR__INIT;
    Slu__Client__Reply reply = SLU__CLIENT__REPLY__INIT;
    error.code = (char *)(uintptr_t)code;
    error.text = (char *)(uintptr_t)text;
    error.lowest_height = lowest;
    reply.body_case = SLU__CLIENT__REPLY__BODY_ERROR;
    reply.error = &error;
    send_reply(link, &reply, id);
}

struct stub_door {
    struct slu_listener *listener;
    struct slu_keyguard *guard;
};

/** Listens as a node of the chain `chain_id32`. */
static inline void stub_open(struct stub_door *door, const uint8_t chain_id32[32],
                             const struct slu_link_handler *handler)
{
    uint8_t seed[32] = {chain_id32[0]};
    char why[256];
    door->guard = slu_keyguard_new(seed);
    struct slu_link_config config = slu_link_config_default();
    config.role = SLU_LINK_AS_NODE;
    memcpy(config.chain_id32, chain_id32, 32);
    config.signer = slu_keyguard_signer(door->guard);
    slu_keyguard_public(door->guard, config.public32);
    if (slu_listener_start(&door->listener, "tcp://127.0.0.1:0", &config, handler, why, sizeof why))
        fail_msg("%s", why);
}

static inline void stub_close(struct stub_door *door)
{
    slu_listener_stop(door->listener);
    slu_keyguard_free(door->guard);
}

/* ---- running a command ---- */

static char output[4 << 20], complaints[1 << 16];

static inline void read_back(FILE *file, int saved, int fd, char *text, size_t cap)
{
    dup2(saved, fd);
    close(saved);
    rewind(file);
    text[fread(text, 1, cap - 1, file)] = '\0';
    fclose(file);
}

/** Runs it with the arguments up to NULL; what it printed is in `output` and `complaints`. */
static inline int run(int (*command)(int, char **), const char *first, ...)
{
    char *argv[32] = {(char *)(uintptr_t)first};
    int argc = 1;
    va_list more;
    va_start(more, first);
    while (argc < 31 && (argv[argc] = va_arg(more, char *)))
        argc++;
    va_end(more);
    FILE *out = tmpfile(), *err = tmpfile();
    fflush(stdout);
    fflush(stderr);
    int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    optind = 0;
    int code = command(argc, argv);
    fflush(stdout);
    fflush(stderr);
    read_back(out, saved_out, STDOUT_FILENO, output, sizeof output);
    read_back(err, saved_err, STDERR_FILENO, complaints, sizeof complaints);
    return code;
}

static inline size_t lines_with(const char *words)
{
    size_t count = 0;
    for (const char *at = output; (at = strstr(at, words)); at++)
        count++;
    return count;
}

/** A file of `lines` transactions, then `extra`; the caller unlinks it. */
static inline const char *hex_file(size_t lines, const char *extra)
{
    static char path[64];
    strcpy(path, "/tmp/sluice-hex-XXXXXX");
    FILE *file = fdopen(mkstemp(path), "w");
    for (size_t i = 0; i < lines; i++)
        fprintf(file, "0x%08zx\n", i);
    fputs(extra, file);
    fclose(file);
    return path;
}

#endif
