#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/relay/command.h"

#define MS_MAX    60000.0
#define RATE_MAX  1e10
#define WORDS_MAX 8u

struct request {
    struct relay_carrier *carrier;
    struct relay_pair *pair;
    struct relay_link *link; /* from words[1] to words[2] */
    char *words[WORDS_MAX];
    size_t words_len;
};

bool relay_number(const char *text, double most, double *number)
{
    char *end;
    if (text[0] < '0' || text[0] > '9' || strchr(text, 'x') != NULL)
        return false;
    errno = 0;
    *number = strtod(text, &end);
    return errno == 0 && *end == '\0' && *number >= 0 && *number <= most;
}

bool relay_integer(const char *text, uint64_t most, uint64_t *number)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && *number <= most;
}

static void say_link(const struct relay_link *link, FILE *answer)
{
    fprintf(answer, "delay_ms=%g jitter_ms=%g loss=%g rate=%" PRIu64 " %s",
            (double)link->delay_us / 1e3, (double)link->jitter_us / 1e3,
            (double)link->loss_ppm / 1e4, link->rate, link->cut ? "cut" : "open");
}

/* Sets what one word `name=value` says. */
static bool set(struct relay_link *link, char *word)
{
    char *value = strchr(word, '=');
    double number;
    if (value == NULL)
        return false;
    *value++ = '\0';
    if (strcmp(word, "delay_ms") == 0 && relay_number(value, MS_MAX, &number)) {
        link->delay_us = (uint64_t)(number * 1e3);
    } else if (strcmp(word, "jitter_ms") == 0 && relay_number(value, MS_MAX, &number)) {
        link->jitter_us = (uint64_t)(number * 1e3);
    } else if (strcmp(word, "loss") == 0 && relay_number(value, 100, &number)) {
        link->loss_ppm = (uint32_t)(number * 1e4);
    } else if (strcmp(word, "rate") == 0 && relay_number(value, RATE_MAX, &number)) {
        link->rate = (uint64_t)number;
        link->free_us = 0;
    } else {
        return false;
    }
    return true;
}

static void change_link(struct request *r, FILE *answer)
{
    struct relay_link changed = *r->link;
    for (size_t i = 3; i < r->words_len; i++) {
        if (!set(&changed, r->words[i])) {
            fprintf(answer, "error: not delay_ms, jitter_ms, loss or rate with a number in range");
            return;
        }
    }
    *r->link = changed;
    fprintf(answer, "ok ");
    say_link(r->link, answer);
}

static void cut(struct request *r, FILE *answer)
{
    r->link->cut = true;
    fprintf(answer, "ok ");
    say_link(r->link, answer);
}

static void heal(struct request *r, FILE *answer)
{
    r->link->cut = false;
    fprintf(answer, "ok ");
    say_link(r->link, answer);
}

static void reset(struct request *r, FILE *answer)
{
    fprintf(answer, "ok connections=%u", relay_carrier_reset(r->pair));
}

static void clear(struct request *r, FILE *answer)
{
    for (size_t i = 0; i < r->carrier->pairs_len; i++) {
        for (unsigned k = 0; k < 2; k++) {
            struct relay_link *link = &r->carrier->pairs[i].links[k];
            *link = (struct relay_link){.bytes_passed = link->bytes_passed};
        }
    }
    fprintf(answer, "ok");
}

static void show(struct request *r, FILE *answer)
{
    fprintf(answer, "ok %zu", 2 * r->carrier->pairs_len);
    for (size_t i = 0; i < r->carrier->pairs_len; i++) {
        const struct relay_pair *pair = &r->carrier->pairs[i];
        for (unsigned k = 0; k < 2; k++) {
            fprintf(answer, "\n%u %u bytes=%" PRIu64 " held=%" PRIu64 " connections=%u ",
                    pair->nodes[k], pair->nodes[1 - k], pair->links[k].bytes_passed,
                    relay_carrier_held(pair, k), pair->connections);
            say_link(&pair->links[k], answer);
        }
    }
}

static const struct command {
    const char *name;
    size_t words_min, words_max;
    void (*run)(struct request *r, FILE *answer);
} commands[] = {
    {"link", 3, 7, change_link}, {"cut", 3, 3, cut},     {"heal", 3, 3, heal},
    {"reset", 3, 3, reset},      {"clear", 1, 1, clear}, {"show", 1, 1, show},
};

static bool find_link(struct request *r)
{
    uint64_t a, b;
    if (!relay_integer(r->words[1], RELAY_NODES_MAX - 1, &a) ||
        !relay_integer(r->words[2], RELAY_NODES_MAX - 1, &b))
        return false;
    r->link = relay_carrier_find(r->carrier, (unsigned)a, (unsigned)b, &r->pair);
    return r->link != NULL;
}

static void run(struct request *r, FILE *answer)
{
    const struct command *command = NULL;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (r->words_len > 0 && strcmp(r->words[0], commands[i].name) == 0)
            command = &commands[i];
    }
    if (command == NULL)
        fprintf(answer, "error: not a command: link, cut, heal, reset, clear or show");
    else if (r->words_len < command->words_min || r->words_len > command->words_max)
        fprintf(answer, "error: too few or too many words for %s", command->name);
    else if (command->words_min > 1 && !find_link(r))
        fprintf(answer, "error: no pair of these two nodes");
    else
        command->run(r, answer);
}

void relay_command(struct relay_carrier *carrier, char *line, FILE *answer)
{
    struct request r = {.carrier = carrier};
    char *rest = line, *word;
    while (r.words_len < WORDS_MAX && (word = strtok_r(rest, " \t\r", &rest)) != NULL)
        r.words[r.words_len++] = word;
    run(&r, answer);
    fputc('\n', answer);
}
