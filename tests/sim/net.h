/* The fake network: packets carry real encodings, decoded and verified once for all receivers. */
#ifndef SLU_SIM_NET_H
#define SLU_SIM_NET_H

#include "wire/message.h"

struct sim;

struct sim_packet {
    uint32_t references;
    uint16_t from;
    uint16_t instance;           /* which of the sender's copies sent it (twins have two) */
    bool valid;                  /* decodes and verifies */
    uint64_t signer_view;        /* for traces: the view or position that it is about */
    struct slu_message *message; /* as decoded */
    uint8_t *payload;
    uint8_t tag[8]; /* for traces: of the thing's digest */
};

/** The part of a message that is in use: long lists are mostly empty. */
size_t sim_message_bytes(const struct slu_message *message);
/** What travels beside the body of a batch or an inbox item; NULL and 0 for the others. */
const uint8_t *sim_payload_of(const struct slu_message *message, size_t *len);
/** Encodes `message`, decodes it again and checks its signatures. */
struct sim_packet *sim_packet_of(struct sim *sim, uint16_t from, const struct slu_message *message);
/** From bytes that a core produced. */
struct sim_packet *sim_packet_decode(struct sim *sim, uint16_t from, uint8_t kind,
                                     const uint8_t *body, size_t body_len, const uint8_t *payload,
                                     size_t payload_len);
void sim_packet_release(struct sim_packet *packet);

/** Sends over the link from -> to as the plan's network does it. */
void sim_net_send(struct sim *sim, struct sim_packet *packet, uint16_t to);
/** The same with a delay of the sender's choice (a Byzantine one). */
void sim_net_send_after(struct sim *sim, struct sim_packet *packet, uint16_t to, uint64_t delay_ms);

#endif
