#include "operations.h"

outcome_t remove_share(struct market *market, share_t share) {
    const struct listing *listing = market_listing(market, share);
    if (listing == NULL) {
        return refused(REFUSAL(NOT_FOUND));
    }
    outcome_t outcome = {
        .tag = OUTCOME(REMOVED),
        .val.removed = {
            .available = listing->available,
            .holders = (uint32_t)listing->holders.len,
            .units = listing->capacity - listing->available,
        },
    };
    market_delist(market, share);
    return outcome;
}
