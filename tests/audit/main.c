/* audit_doctor CASE --data DIR --cluster DIR [--from H]: doctors the store in DIR, and prints
 * {"height","rule"} of what an audit must find. `audit_doctor list` prints the cases. */
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/audit/doctor.h"

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"data", required_argument, NULL, 'd'},
                                          {"cluster", required_argument, NULL, 'c'},
                                          {"from", required_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    static struct doctor d;
    const char *data = NULL, *cluster = NULL;
    uint64_t from = 2;
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (option == 'd')
            data = optarg;
        else if (option == 'c')
            cluster = optarg;
        else if (option == 'f')
            from = strtoull(optarg, NULL, 10);
        else
            return 2;
    }
    if (optind + 1 != argc || sodium_init() < 0)
        return 2;
    for (size_t i = 0; i < doctor_case_count; i++) {
        const struct doctor_case *c = &doctor_cases[i];
        if (!strcmp(argv[optind], "list")) {
            printf("%s\n", c->name);
            continue;
        }
        if (strcmp(argv[optind], c->name) != 0)
            continue;
        if (!data || !cluster)
            return 2;
        doctor_open(&d, data, cluster, from);
        uint64_t height = c->change(&d);
        doctor_close(&d);
        if (height == 0)
            doctor_die("there is no place for it");
        printf("{\"height\":%" PRIu64 ",\"rule\":\"%s\"}\n", height, c->rule);
        return 0;
    }
    return strcmp(argv[optind], "list") != 0;
}
