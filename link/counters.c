#include "link/link.h"

void slu_link_counters_read(struct slu_link_counters *counters, struct slu_link_stats *stats)
{
#define READ(field) stats->field = atomic_load_explicit(&counters->field, memory_order_relaxed)
    READ(links_open);
    READ(links_up);
    READ(handshakes_ok);
    for (int i = 0; i < SLU_LINK_FAILS; i++)
        READ(handshakes_failed[i]);
    READ(refused_rate);
    READ(refused_full);
    READ(accept_errors);
    READ(bad_records);
    READ(idle_drops);
    READ(bytes_in);
    READ(bytes_out);
    READ(frames_in);
    READ(frames_out);
    READ(records_in);
    READ(records_out);
    READ(busy_drops);
#undef READ
}

const char *slu_link_fail_name(enum slu_link_fail fail)
{
    switch (fail) {
    case SLU_LINK_FAIL_MALFORMED:
        return "malformed";
    case SLU_LINK_FAIL_VERSION:
        return "version";
    case SLU_LINK_FAIL_CHAIN:
        return "chain";
    case SLU_LINK_FAIL_UNKNOWN_PEER:
        return "unknown_peer";
    case SLU_LINK_FAIL_SIGNATURE:
        return "signature";
    case SLU_LINK_FAIL_WRONG_KEY:
        return "wrong_key";
    case SLU_LINK_FAIL_REFUSED:
        return "refused";
    case SLU_LINK_FAIL_TIMEOUT:
        return "timeout";
    case SLU_LINK_FAIL_CLOSED:
        return "closed";
    case SLU_LINK_FAIL_INTERNAL:
        return "internal";
    case SLU_LINK_FAILS:
        break;
    }
    return "?";
}

struct slu_link_config slu_link_config_default(void)
{
    return (struct slu_link_config){
        .role = SLU_LINK_AS_CLIENT,
        .version = SLU_PROTOCOL_VERSION,
        .handshake_ms = SLU_LINK_HANDSHAKE_MS,
        .keepalive_ms = 1000,
        .idle_timeout_ms = 10000,
        .client_keepalive_ms = 3000,
        .queue_bytes_max = 8u * 1024u * 1024u,
        .links_max = 4096,
        .links_per_address_max = 256,
        .fail_burst = 20,
        .fail_per_minute = 30,
    };
}
