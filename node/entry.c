#include "node/entry.h"

#include "wire/bundle.h"
#include "wire/opening.h"
#include "wire/tx.h"

bool slu_entry_is_for(uint64_t rollup, uint64_t of, uint8_t kind, const uint8_t *payload,
                      size_t len)
{
    struct slu_bundle bundle;
    struct slu_opening opening;
    if (of != 0)
        return of == rollup;
    if (kind == SLU_ENTRY_OPENED && slu_opening_read(&opening, payload, len, true) == 0)
        return slu_bundle_read(&bundle, opening.payload, opening.payload_len) == 0 &&
               slu_bundle_has(&bundle, rollup);
    return (kind & ~SLU_ENTRY_FORCED) == SLU_TX_BUNDLE &&
           slu_bundle_read(&bundle, payload, len) == 0 && slu_bundle_has(&bundle, rollup);
}
