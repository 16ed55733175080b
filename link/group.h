/* Private to link/: a group holds the links of one listener, dialer or connect, with what they
 * share: config, handler, limits, and a clock that looks at each link every SLU_LINK_TICK_MS.
 *
 *     listener / dialer / connect ──owns──▶ group ◀──counted reference── link, link, ...
 *
 * Lock order: group.mutex, then link.mutex. Neither is held while a handler function, a hook, or
 * encryption runs. References: the owner, each link, and the clock hold one each.
 *
 * nng's rules that this folder lives by: an aio is freed by nng_aio_reap, which may be called from
 * its own callback; a stream is freed when none of its aios is under way; nng_aio_begin and
 * nng_aio_finish on an idle aio run its callback on an nng thread, which is how any thread hands
 * work over ("kick"); an aio that was stopped never calls back, so none is stopped in use. */
#ifndef SLU_LINK_GROUP_H
#define SLU_LINK_GROUP_H

#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>

#include "link/handshake.h"
#include "link/limiter.h"
#include "link/link.h"
#include "link/queue.h"

#define SLU_LINK_TICK_MS   500
#define SLU_LINK_LINGER_MS 1000u /* a refusal may take so long to be read */
#define SLU_LINK_TRIM_MS   2000u /* idle so long: give big buffers back */

struct slu_link_hooks {
    void *owner;
    /** Handshake done, before handler.up; false: nobody wants the link any more. */
    bool (*opened)(void *owner, struct slu_link *link);
    /** The link ended, after handler.down, before it leaves the group. */
    void (*ended)(void *owner, struct slu_link *link, bool was_up, int error, const char *reason);
};

struct slu_link_group {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* links, busy, clock_running, a link's announced or ended */
    _Atomic uint32_t references;
    struct slu_link_config config;
    struct slu_link_handler handler;
    struct slu_link_hooks hooks;
    struct slu_link_counters *counters;
    struct slu_link_counters no_counters; /* when config.counters is NULL */
    struct slu_limiter *limiter;          /* listeners only */
    struct slu_link *first;               /* the newest ... */
    struct slu_link *last;                /* ... and the oldest */
    uint32_t links;
    uint32_t readers; /* threads that have not ended */
    bool stopping;
    bool clock_running;
    bool busy; /* the owner's own aio is under way */
    nng_aio *clock;
};

struct slu_link {
    _Atomic uint32_t references;
    struct slu_link_group *group;
    struct slu_link *next; /* group.mutex */
    struct slu_link *previous;
    bool announced; /* group.mutex: `up` has returned */
    bool ended;     /* group.mutex: everything is over */
    nng_stream *stream;
    nng_aio *rx;     /* with a callback */
    nng_aio *rx_own; /* without: what a reader thread waits for (reader.c) */
    nng_aio *tx;     /* with a callback */
    nng_aio *tx_now; /* without: what the socket takes at once (writer.c) */
    bool dialed;
    uint8_t address[SLU_LIMITER_KEY_BYTES];
    char remote[SLU_LINK_REMOTE_BYTES];
    _Atomic(void *) user;

    pthread_mutex_t mutex;    /* from here to the next mark */
    pthread_cond_t rx_wanted; /* wakes the reader thread: rx_busy or closed */
    bool up;
    bool lingering;
    atomic_bool closed; /* written under the mutex */
    bool rx_busy;       /* the rx callback runs or will run */
    bool tx_busy;
    bool rx_parked; /* not busy because reading is paused */
    bool finished;
    bool want_drained;
    bool keepalive_due;
    int error;
    enum slu_link_fail fail;
    char reason[SLU_LINK_REASON_BYTES];
    struct slu_queue queue;
    uint8_t hs_out[SLU_HANDSHAKE_OUT_BYTES];
    size_t hs_out_len;

    atomic_bool threaded; /* a thread of the link's own reads, by rx_own */
    int socket;           /* what that thread waits on; -1: on rx_own */
    atomic_bool paused;
    atomic_bool roomy;         /* the read buffer has grown */
    _Atomic uint64_t begun_ms; /* connected, or lingering since */
    _Atomic uint64_t read_ms;
    _Atomic uint64_t wrote_ms;

    struct slu_handshake *hs; /* from here on: whoever holds rx_busy */
    bool rx_kicked;
    size_t rx_asked;
    bool rx_filled; /* the last read gave all that was asked: there may be more */
    bool unrested;  /* frames were delivered since the last `rested` */
    slu_record_stream rx_stream;
    uint8_t *buffer;
    size_t buffer_cap;
    size_t at;
    size_t end;
    const uint8_t *text; /* frames of an opened record that wait to be delivered */
    const uint8_t *text_end;
    uint8_t small[256]; /* the handshake is read through this */
    uint16_t peer;
    uint8_t peer_public32[32];
    uint8_t chain_id32[32];

    bool tx_kicked; /* from here on: whoever holds tx_busy */
    slu_record_stream tx_stream;
    struct slu_chunk *flying;
    const uint8_t *tx_at;
    size_t tx_left;
    size_t hs_sent;
    uint8_t keepalive[SLU_RECORD_WIRE_MIN];
};

/* ---- group.c ---- */

/** A group with one reference for its owner and its clock running. Errors: CONFIG, MEMORY. */
SLU_MUST_USE int slu_link_group_new(struct slu_link_group **group,
                                    const struct slu_link_config *config,
                                    const struct slu_link_handler *handler,
                                    const struct slu_link_hooks *hooks, bool limits,
                                    char *reason_text, size_t cap);
void slu_link_group_release(struct slu_link_group *group);
/** Sets `stopping` and closes every link. */
void slu_link_group_stop(struct slu_link_group *group);
/** After stop: waits until links, their threads, the owner's aio and the clock have ended. */
void slu_link_group_wait(struct slu_link_group *group);
/** Sets `busy`, unless stopping. */
bool slu_link_group_set_busy(struct slu_link_group *group);
void slu_link_group_clear_busy(struct slu_link_group *group);

/* ---- link.c ---- */

/** Takes `stream` and begins the handshake; the group must not be stopping. Errors: MEMORY (stream
 * freed). */
SLU_MUST_USE int slu_link_start(struct slu_link_group *group, nng_stream *stream, bool dialed);
/** Looks at deadlines; group.mutex is held. */
void slu_link_tick(struct slu_link *link, uint64_t now_ms);
/** Closes with a reason; the first one counts. */
__attribute__((format(printf, 4, 5))) void slu_link_fail_with(struct slu_link *link, int error,
                                                              enum slu_link_fail fail,
                                                              const char *format, ...);
/** Hands the aio's callback to an nng thread. */
void slu_link_kick(nng_aio *aio);
/** Lets the reader go on, wherever it runs; rx_busy and rx_kicked were set just now. */
void slu_link_kick_reader(struct slu_link *link);

/* ---- reader.c, writer.c ---- */
void slu_link_rx_callback(void *link);
void slu_link_tx_callback(void *link);
/** Takes tx_busy if nobody has it; link.mutex is held. Returns whether slu_link_write has to follow
 * once the lock is given up. */
SLU_MUST_USE bool slu_link_wake_writer(struct slu_link *link);
/** Writes on the calling thread, which has just taken tx_busy; what the socket does not take at
 * once goes on on nng's threads, and so does the end of a link that was closed meanwhile. */
void slu_link_write(struct slu_link *link);
/** Gives up link.mutex, rx_busy or tx_busy (`busy`) and the reference that went with it; ends the
 * link when it is closed and this was the last thing under way. */
void slu_link_rest(struct slu_link *link, bool *busy);

/* ---- socket.c ---- */

/** The descriptor of a connected TCP stream, to wait on while the stream lives; -1: not found, or
 * another transport. Looks through the process's descriptors: for few, long-lived links. */
int slu_link_socket(nng_stream *stream);
/** Waits until the socket has something to read, an end included. False: timeout_ms (-1: none)
 * passed. */
bool slu_link_readable(int socket, int timeout_ms);

/* ---- address.c ---- */

enum slu_link_place {
    SLU_LINK_GONE, /* reset before anyone could ask for its address */
    SLU_LINK_NEAR, /* loopback or ipc */
    SLU_LINK_FAR,
};

/** The key for limits (IPv6: its /64), and the text for logs, of the remote end. */
enum slu_link_place slu_link_address(nng_stream *stream, uint8_t key[SLU_LIMITER_KEY_BYTES],
                                     char text[SLU_LINK_REMOTE_BYTES]);

#endif
