/* What happened: a ring of the newest events, a hash over all of them, and words for people. */
#include <string.h>

#include "tests/sim/sim.h"

static void print_line(const struct sim_trace *t, FILE *out)
{
    static const char *const votes[] = {"notarize", "nullify", "finalize", "?"};
    static const char *const words[SIM_T_KINDS] = {
        "sends",          "gets",     "loses", "signs",   "syncs",    "CRASHES",   "RESTARTS",
        "LOSES ITS DISK", "delivers", "links", "submits", "accepted", "is paused", "enters view"};
    char tag[17];
    slu_hex_encode(tag, t->tag, 8);
    fprintf(out, "%8lu n%-2u %-14s", t->time_ms, t->node, words[t->kind]);
    switch ((enum sim_trace_kind)t->kind) {
    case SIM_T_SEND:
    case SIM_T_LOSE:
        fprintf(out, " %-8s %6lu %s -> ", slu_message_name((enum slu_message_kind)t->what),
                t->number, tag);
        if (t->peer == SLU_TO_ALL)
            fprintf(out, "all");
        else
            fprintf(out, "n%u", t->peer);
        break;
    case SIM_T_RECEIVE:
        fprintf(out, " %-8s %6lu %s <- n%u", slu_message_name((enum slu_message_kind)t->what),
                t->number, tag, t->peer);
        break;
    case SIM_T_SIGN:
        fprintf(out, " %-8s %6lu %s", votes[t->what & 3], t->number, tag);
        break;
    case SIM_T_PEER_UP:
        fprintf(out, " n%u", t->peer);
        break;
    case SIM_T_DELIVER:
        fprintf(out, " height %lu %s", t->number, tag);
        break;
    case SIM_T_SYNC:
    case SIM_T_CRASH:
    case SIM_T_RESTART:
    case SIM_T_WIPE:
    case SIM_T_SUBMIT:
    case SIM_T_ACCEPT:
    case SIM_T_FAULT:
    case SIM_T_VIEW:
    case SIM_T_KINDS:
        fprintf(out, " %lu", t->number);
        break;
    }
    fputc('\n', out);
}

void sim_note(struct sim *sim, enum sim_trace_kind kind, uint16_t node, uint16_t peer, uint8_t what,
              uint64_t number, const uint8_t *tag8)
{
    struct sim_trace *t = &sim->trace[sim->trace_count++ % SIM_TRACE_MAX];
    *t = (struct sim_trace){.time_ms = sim->now_ms,
                            .number = number,
                            .node = node,
                            .peer = peer,
                            .kind = (uint8_t)kind,
                            .what = what};
    uint64_t tag = 0;
    if (tag8) {
        memcpy(t->tag, tag8, 8);
        memcpy(&tag, tag8, 8);
    }
    sim->hash = sim_mix(sim->hash ^ sim->now_ms);
    sim->hash = sim_mix(sim->hash ^ number ^ (uint64_t)node << 48 ^ (uint64_t)peer << 32);
    sim->hash = sim_mix(sim->hash ^ tag ^ (uint64_t)kind << 8 ^ what);
    if (sim->trace_out)
        print_line(t, sim->trace_out);
}

/* Receipts repeat what was sent, and syncs are many: the short trace leaves them out. */
static bool is_relevant(const struct sim_trace *t)
{
    return t->kind != SIM_T_RECEIVE && t->kind != SIM_T_SYNC && t->kind != SIM_T_SUBMIT &&
           !(t->kind == SIM_T_SEND && (t->what == SLU_MSG_BATCH || t->what == SLU_MSG_FETCH));
}

void sim_trace_print(const struct sim *sim, FILE *out, uint64_t max)
{
    uint64_t kept = sim->trace_count < SIM_TRACE_MAX ? sim->trace_count : SIM_TRACE_MAX;
    uint64_t from = sim->trace_count, found = 0;
    while (from > sim->trace_count - kept && found < max)
        found += is_relevant(&sim->trace[--from % SIM_TRACE_MAX]);
    for (; from < sim->trace_count; from++)
        if (is_relevant(&sim->trace[from % SIM_TRACE_MAX]))
            print_line(&sim->trace[from % SIM_TRACE_MAX], out);
}

void sim_state_print(const struct sim *sim, FILE *out)
{
    static const char *const roles[] = {"honest", "puppet", "twisted", "twin", "silent", "deviant", "damaged"};
    for (uint16_t i = 0; i < sim->instances; i++) {
        const struct sim_node *node = &sim->nodes[i];
        fprintf(out, "n%u %s%s", node->id, roles[node->role], node->up ? "" : " DOWN");
        if (node->core) {
            const struct slu_core_stats *s = slu_core_stats(node->core);
            fprintf(out, ": view %lu, final view %lu, final height %lu, delivered %lu, own %lu%s",
                    s->view, s->final_view, s->final_height, s->delivered_height,
                    s->own_pending_txs, slu_core_rejoining(node->core) ? ", rejoining" : "");
            for (uint16_t l = 0; l < sim->plan.n; l++) {
                struct slu_lane_status lane;
                slu_core_lane_status(node->core, l, &lane);
                fprintf(out, "%s lane %u: acked %lu certified %lu committed %lu",
                        l % 2 ? "," : "\n   ", l, lane.acked.position, lane.certified.position,
                        lane.committed.position);
            }
        }
        fputc('\n', out);
    }
}

const char *sim_count_name(enum sim_count count)
{
    static const char *const names[SIM_N_COUNTS] = {
        "lost",          "late",
        "duplicated",    "partitioned",
        "crashes",       "torn",
        "lost_disks",    "pauses",
        "clock_jumps",   "forged",
        "forks",         "double_votes",
        "bad_reports",   "double_proposals",
        "withheld",      "replays",
        "wrong_answers", "odd_txs",
        "forced",        "floods",
        "deviations",    "cheats",
        "key_k",         "sealed",
        "waited",        "spilled",
        "on_the_dot",    "opened",
        "void",          "share_lies",
        "release_lies",  "bundles",       "bundles_forced",
        "bundles_bad",   "bundles_opened",
    };
    return (unsigned)count < SIM_N_COUNTS ? names[count] : "?";
}
