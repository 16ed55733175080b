/* What `sluice submit` is told. */
#ifndef SLU_CLIENT_SUBMIT_OPTIONS_H
#define SLU_CLIENT_SUBMIT_OPTIONS_H

#include "client/command.h"
#include "client/sealing_options.h"

struct slu_submit_options {
    struct slu_urls urls;
    const char *hex, *genesis_path;
    struct slu_sealing sealing;
    uint64_t rollup, valid_for_s, give_up_s;
    bool has_rollup, wait;
};

/** Reads the arguments into `options`, which hold the defaults. False: the command ends with
 * `code`, words are out. */
SLU_MUST_USE bool slu_submit_parse(int argc, char **argv, struct slu_submit_options *options,
                                   int *code);

#endif
