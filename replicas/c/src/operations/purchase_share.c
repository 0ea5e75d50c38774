#include "limits.h"
#include "operations.h"

outcome_t purchase_share(struct market *market, const purchase_share_t *arguments) {
    const struct listing *listing = market_listing(market, arguments->share);
    if (listing == NULL) {
        return refused(REFUSAL(NOT_FOUND));
    }
    uint8_t refusal;
    if (!may_acquire(market, arguments->buyer, arguments->share, NULL, &refusal)) {
        return refused(refusal);
    }
    if (listing->available == 0) {
        return refused(REFUSAL(SOLD_OUT));
    }
    uint32_t bought = arguments->count < listing->available ? arguments->count : listing->available;
    market_give(market, arguments->buyer, arguments->share, bought);
    return (outcome_t){
        .tag = OUTCOME(PURCHASED),
        .val.purchased = {.requested = arguments->count, .bought = bought, .available = listing->available},
    };
}
