/* Links: authenticated, encrypted, coalesced frames between nodes, and between clients and nodes.
 *
 * A link is one nng stream (tcp:// or ipc://), a handshake (link/handshake.h) and then records
 * (link/record.h). A frame is an opaque string of 1..SLU_FRAME_BYTES_MAX bytes; frames of one link
 * arrive in the order in which they were sent, each once, or the link goes down.
 *
 *      slu_link_send ─▶ bounded queue ─▶ seal a record ─▶ nng stream ─▶ open it ─▶ handler.frame
 *      (any thread)     BUSY when full   (the sender, or an nng thread  (one nng thread at a time)
 *                                         while the socket is full)
 *
 *      slu_listener   accepts; up/frame/down of many links          (daemon)
 *      slu_dialer     one link at a time, redials for ever           (daemon, to one peer)
 *      slu_link_connect   one link, blocking, no redial              (client library)
 *
 * Threads: handler functions run on nng's threads, or on the link's own (config.reader_threads),
 * and must not block for long. For one link `up`, `frame`, `rested` and `down` never run at the
 * same time; `drained` may run beside `frame` but never before `up` has begun or after `down`.
 * Different links are concurrent. Every function below may be called from any thread and from
 * handler functions, except the blocking ones, which say so.
 *
 * Ownership: links are reference counted. A link passed to a handler is borrowed; who keeps it past
 * `down` calls slu_link_hold, and later slu_link_release. After `down` a held link is inert: send
 * gives CLOSED.
 *
 * What happens when something is full: send queue -> BUSY and a counter; inbound links of an
 * address -> the newcomer is closed and counted; inbound links in all -> the oldest that is still
 * in its handshake is closed and counted, without one the newcomer, so that connections that say
 * nothing keep nobody out; too many failed handshakes of an address -> the newcomer is closed
 * before it is read. Whatever an outsider sends harms its own connection only.
 */
#ifndef SLU_LINK_LINK_H
#define SLU_LINK_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"
#include "crypto/keyguard.h"
#include "sluice/error.h"

#define SLU_LINK_CLIENT         0xffffu /* slu_link_peer: an anonymous client */
#define SLU_LINK_REASON_BYTES   224u    /* holds every reason text with its NUL */
#define SLU_LINK_REMOTE_BYTES   128u    /* holds every remote address text with its NUL */
#define SLU_LINK_HANDSHAKE_MS   5000u   /* default of config.handshake_ms */

/* Redial, doubled with jitter from the first up to one of the others. Who is away costs nobody
 * anything by being called often, and is wanted the moment it is back; who hears us and refuses us
 * counts our failures (fail_per_minute). */
#define SLU_LINK_BACKOFF_MIN_MS     50u
#define SLU_LINK_BACKOFF_AWAY_MS    250u
#define SLU_LINK_BACKOFF_REFUSED_MS 2000u

struct slu_link;
struct slu_listener;
struct slu_dialer;

/** Why a handshake failed, as counted. */
enum slu_link_fail {
    SLU_LINK_FAIL_MALFORMED,    /* garbage, or lengths out of range */
    SLU_LINK_FAIL_VERSION,      /* other protocol version */
    SLU_LINK_FAIL_CHAIN,        /* other chain id */
    SLU_LINK_FAIL_UNKNOWN_PEER, /* index outside the table, or this node's own */
    SLU_LINK_FAIL_SIGNATURE,    /* signature or first record does not verify */
    SLU_LINK_FAIL_WRONG_KEY,    /* the server's key is not the expected one */
    SLU_LINK_FAIL_REFUSED,      /* the other side refused us, with a text */
    SLU_LINK_FAIL_TIMEOUT,      /* handshake_ms passed */
    SLU_LINK_FAIL_CLOSED,       /* reset, end of stream or local close before the end of it */
    SLU_LINK_FAIL_INTERNAL,     /* signing or memory refused here */
    SLU_LINK_FAILS
};

/** Live counters; zeroed by the owner, shared by any number of listeners and dialers, read with
 * slu_link_counters_read. `links_open` is a gauge. Must outlive what uses it. */
struct slu_link_counters {
    _Atomic uint64_t links_open; /* connections held, handshake included */
    _Atomic uint64_t links_up;   /* of these, past the handshake */
    _Atomic uint64_t handshakes_ok;
    _Atomic uint64_t handshakes_failed[SLU_LINK_FAILS];
    _Atomic uint64_t refused_rate; /* closed on accept: too many failures of that address */
    _Atomic uint64_t refused_full; /* closed on accept, or for a newcomer: too many links */
    _Atomic uint64_t accept_errors;
    _Atomic uint64_t bad_records; /* links dropped for a record that is not what it should be */
    _Atomic uint64_t idle_drops;  /* links dropped by idle_timeout_ms */
    _Atomic uint64_t bytes_in, bytes_out; /* on the wire, handshakes included */
    _Atomic uint64_t frames_in, frames_out;
    _Atomic uint64_t records_in, records_out;
    _Atomic uint64_t busy_drops; /* frames refused by a full send queue */
};

/** One reading of the counters (not an atomic snapshot of all of them together). */
struct slu_link_stats {
    uint64_t links_open, links_up;
    uint64_t handshakes_ok, handshakes_failed[SLU_LINK_FAILS];
    uint64_t refused_rate, refused_full, accept_errors;
    uint64_t bad_records, idle_drops;
    uint64_t bytes_in, bytes_out, frames_in, frames_out, records_in, records_out;
    uint64_t busy_drops;
};

void slu_link_counters_read(struct slu_link_counters *counters, struct slu_link_stats *stats);
/** A short lower-case word for metrics and logs ("malformed", "version", ...). */
const char *slu_link_fail_name(enum slu_link_fail fail);

enum slu_link_role {
    SLU_LINK_AS_NODE,   /* has a node key: listens, or dials as peer */
    SLU_LINK_AS_CLIENT, /* anonymous; only dials */
};

/** Who we are and what we allow. Copied by the functions that take it; what its pointers point at
 * (peers, counters, the signer's context) must outlive the listener, dialer or link.
 * Start from slu_link_config_default(), whose values stand in brackets. */
struct slu_link_config {
    enum slu_link_role role; /* [AS_CLIENT] */
    uint16_t version;        /* [SLU_PROTOCOL_VERSION]; other values are for tests */
    uint8_t chain_id32[32];  /* [zero]; zero is "tell me" and for clients only */
    /* AS_NODE: ourselves. The signer is asked with SLU_ROLE_LINK, on nng's threads. */
    uint16_t node;
    uint8_t public32[32];
    struct slu_signer signer;
    /* Public keys of the nodes by index: peers that a listener lets in. NULL: clients only. */
    const uint8_t (*peers)[32];
    uint16_t peers_count;
    bool refuse_clients; /* [false] listener: peers only */
    bool reader_threads; /* [false] each link that is up is read by a thread of its own: for few
                          * links that carry much */
    /* Dialing: the node key that the server must prove; has_expect false accepts any. */
    bool has_expect; /* [false] */
    uint8_t expect_public32[32];
    /* Times, in ms; 0 turns keepalive_ms and the idle timeouts off. Resolution about 500 ms. */
    uint32_t handshake_ms;        /* [5000] connect and handshake, each */
    uint32_t keepalive_ms;        /* [1000] peer links and dialed links: empty record when idle */
    uint32_t idle_timeout_ms;     /* [10000] peer links and dialed links: nothing read so long */
    uint32_t client_keepalive_ms; /* [3000] the same for inbound anonymous clients */
    uint32_t client_idle_timeout_ms; /* [0] */
    /* Bounds. */
    uint32_t queue_bytes_max; /* [8 MiB] per link, frames with 4 bytes each; at least one frame */
    uint32_t links_max;       /* [4096] inbound, handshakes included */
    uint32_t links_per_address_max; /* [256] inbound; IPv6 by /64 */
    uint32_t fail_burst;            /* [20] failed handshakes an address may have at once ... */
    uint32_t fail_per_minute;       /* [30] ... and refilled so; 0 turns the limit off */
    bool limit_loopback; /* [false] the per-address limits hold for loopback and ipc, too */
    struct slu_link_counters *counters; /* [NULL] NULL: not counted */
};

struct slu_link_config slu_link_config_default(void);

/** What the owner wants to hear. NULL functions are allowed. */
struct slu_link_handler {
    void *context;
    /** The handshake is done; slu_link_peer and the like are valid. */
    void (*up)(void *context, struct slu_link *link);
    /** One frame; `data` is valid during the call only. */
    void (*frame)(void *context, struct slu_link *link, const uint8_t *data, size_t len);
    /** Every frame that has arrived was delivered: what the owner gathered from them can be dealt
     * with in one go. */
    void (*rested)(void *context, struct slu_link *link);
    /** After a BUSY, the queue has fallen under half of queue_bytes_max: send again. */
    void (*drained)(void *context, struct slu_link *link);
    /** The last call for a link that was up: `error` is 0 after a local slu_link_close, else
     * SLU_ERR_*; `reason` is printable ASCII, valid during the call. A dialer also reports each
     * failed attempt here, with `link` NULL. A listener's failed handshakes are only counted. */
    void (*down)(void *context, struct slu_link *link, int error, const char *reason);
};

/* ---- a link ---- */

/** Queues one frame of head_len + body_len bytes, copied (either part may be empty, not both), for
 * the next flush: frames that belong together share a record and a system call.
 * Errors: LIMIT (0 or more than SLU_FRAME_BYTES_MAX bytes), BUSY (queue full, not queued, counted;
 * `drained` will follow once there is room), CLOSED, MEMORY. */
SLU_MUST_USE int slu_link_append(struct slu_link *link, const void *head, size_t head_len,
                                 const void *body, size_t body_len);
/** Begins to write what is queued, on the calling thread as far as the socket takes it at once. */
void slu_link_flush(struct slu_link *link);
/** Append and flush in one. */
SLU_MUST_USE int slu_link_send(struct slu_link *link, const void *head, size_t head_len,
                               const void *body, size_t body_len);
/** Bytes accepted by slu_link_send and not yet handed to the operating system. */
size_t slu_link_queued_bytes(struct slu_link *link);

/** Stops reading between two frames: when called from `frame`, no further frame arrives until
 * resume. Called from elsewhere, one call may be under way. The other side meets a full socket and
 * then its own BUSY. No idle timeout while paused. */
void slu_link_pause_reading(struct slu_link *link);
void slu_link_resume_reading(struct slu_link *link);

/** Shuts the link; queued frames are lost; `down` follows on an nng thread. Idempotent. */
void slu_link_close(struct slu_link *link);
/** Closes and waits until `down` has returned. Blocks: not from a handler function. */
void slu_link_close_wait(struct slu_link *link);

struct slu_link *slu_link_hold(struct slu_link *link);
void slu_link_release(struct slu_link *link);

/** A slot for the owner; the link never looks at it. Set it in `up`. */
void slu_link_set_user(struct slu_link *link, void *user);
void *slu_link_user(struct slu_link *link);

/** The other side's proven node index, or SLU_LINK_CLIENT. Without `expect_public32` the index that
 * a server shows is only its word. Valid from `up` on, as the next two. */
uint16_t slu_link_peer(const struct slu_link *link);
/** The other side's proven node key; zero for an anonymous client. */
const uint8_t *slu_link_peer_public32(const struct slu_link *link);
/** The chain of this link; a client with a zero chain id learns it here. */
const uint8_t *slu_link_chain_id32(const struct slu_link *link);
/** "127.0.0.1:7000", "[::1]:7000" or "ipc"; for logs. Lives as long as the link. */
const char *slu_link_remote(const struct slu_link *link);
/** Whether this side dialed. */
bool slu_link_dialed(const struct slu_link *link);

/* ---- listener, dialer, connect ---- */

/** Listens on `url` ("tcp://127.0.0.1:7000", port 0 for any; "ipc:///path") and accepts until
 * stopped. On failure `reason_text` (cap bytes) says why, with the URL.
 * Errors: CONFIG, IO, MEMORY. */
SLU_MUST_USE int slu_listener_start(struct slu_listener **listener, const char *url,
                                    const struct slu_link_config *config,
                                    const struct slu_link_handler *handler, char *reason_text,
                                    size_t cap);
/** The URL in use, with the real port. Lives as long as the listener. */
const char *slu_listener_url(const struct slu_listener *listener);
/** The bound TCP port; 0 for ipc. */
uint16_t slu_listener_port(const struct slu_listener *listener);
/** Stops accepting, closes the links (each gets its `down`), waits until no handler function runs
 * and none will, frees. Blocks: not from a handler function. NULL is allowed. */
void slu_listener_stop(struct slu_listener *listener);

/** Dials `url` until stopped: redials after each failure or end, after 50 ms ... 250 ms with jitter
 * while nobody answers, up to 2 s when the other side refuses us or links do not last a second.
 * Errors: CONFIG, MEMORY; an unreachable server is none, but a `down` with link NULL. */
SLU_MUST_USE int slu_dialer_start(struct slu_dialer **dialer, const char *url,
                                  const struct slu_link_config *config,
                                  const struct slu_link_handler *handler, char *reason_text,
                                  size_t cap);
/** As slu_listener_stop. */
void slu_dialer_stop(struct slu_dialer *dialer);

/** Connects once and blocks until the link is up (`up` was called) or `timeout_ms` has passed. On
 * success the caller owns one reference and ends with slu_link_close_wait and slu_link_release; on
 * failure no handler function was called and none will be, and `reason_text` says why.
 * Errors: CONFIG, IO (unreachable), TIMEOUT, MALFORMED, SIGNATURE, MISMATCH (version, chain or
 * key), REFUSED, CLOSED, MEMORY. Not from a handler function. */
SLU_MUST_USE int slu_link_connect(struct slu_link **link, const char *url,
                                  const struct slu_link_config *config,
                                  const struct slu_link_handler *handler, uint32_t timeout_ms,
                                  char *reason_text, size_t cap);

#endif
