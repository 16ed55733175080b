#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "link/group.h"

enum slu_link_place slu_link_address(nng_stream *stream, uint8_t key[SLU_LIMITER_KEY_BYTES],
                                     char text[SLU_LINK_REMOTE_BYTES])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t loopback6[16] = {[15] = 1};
    nng_sockaddr address;
    char name[INET6_ADDRSTRLEN] = "?";
    memset(key, 0, SLU_LIMITER_KEY_BYTES);
    if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &address) != 0) {
        snprintf(text, SLU_LINK_REMOTE_BYTES, "unknown");
        return SLU_LINK_GONE;
    }
    if (address.s_family == NNG_AF_INET) {
        memcpy(key, mapped, sizeof mapped);
        memcpy(key + 12, &address.s_in.sa_addr, 4);
        inet_ntop(AF_INET, key + 12, name, sizeof name);
        snprintf(text, SLU_LINK_REMOTE_BYTES, "%s:%u", name, ntohs(address.s_in.sa_port));
        return key[12] == 127 ? SLU_LINK_NEAR : SLU_LINK_FAR;
    }
    if (address.s_family == NNG_AF_INET6) {
        const uint8_t *ip = (const uint8_t *)address.s_in6.sa_addr;
        inet_ntop(AF_INET6, ip, name, sizeof name);
        snprintf(text, SLU_LINK_REMOTE_BYTES, "[%s]:%u", name, ntohs(address.s_in6.sa_port));
        bool is_mapped = memcmp(ip, mapped, sizeof mapped) == 0;
        memcpy(key, ip, is_mapped ? 16 : 8);
        bool near = memcmp(ip, loopback6, 16) == 0 || (is_mapped && ip[12] == 127);
        return near ? SLU_LINK_NEAR : SLU_LINK_FAR;
    }
    snprintf(text, SLU_LINK_REMOTE_BYTES, "ipc");
    return SLU_LINK_NEAR;
}
