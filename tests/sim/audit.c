#include "tests/sim/audit.h"

#include "audit/audit.h"
#include "sluice/error.h"

static void audit_node(struct sim *sim, struct sim_node *node, const struct slu_store *const *others,
                       size_t other_count)
{
    struct slu_store store = sim_disk_store(&node->disk);
    struct slu_audit_report report;
    uint64_t from, to;
    int rc = slu_audit_range(&store, &from, &to);
    if (rc == SLU_ERR_NOT_FOUND)
        return; /* it lost its disk, and is not back yet */
    struct slu_audit *audit =
        slu_audit_new(&sim->genesis, &store, others, other_count, &sim->verifier);
    SLU_CHECK(!rc && audit);
    rc = slu_audit_run(audit, from, to, &report);
    slu_audit_free(audit);
    if (rc)
        sim_violation(sim, 15, "the audit of node %u ends with %s", node->id, slu_strerror(rc));
    else if (!report.held)
        sim_violation(sim, 15, "the audit of node %u: %s does not hold at height %lu: %s", node->id,
                      slu_audit_rule_name(report.fault), report.fault_height, report.why);
}

void audit_all(struct sim *sim)
{
    struct slu_store stores[SIM_NODES_MAX];
    const struct slu_store *others[SIM_NODES_MAX];
    size_t count = 0;
    for (uint16_t i = 0; i < sim->plan.n; i++)
        if (sim_is_honest(sim, i)) {
            stores[count] = sim_disk_store(&sim->nodes[i].disk);
            others[count] = &stores[count];
            count++;
        }
    for (uint16_t i = 0; i < sim->plan.n; i++)
        if (sim_is_honest(sim, i))
            audit_node(sim, &sim->nodes[i], others, count);
}
