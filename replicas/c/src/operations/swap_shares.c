#include "limits.h"
#include "operations.h"

outcome_t swap_shares(struct market *market, const swap_shares_t *arguments) {
    buyer_id_t buyer = arguments->buyer;
    share_t old = arguments->old, new = arguments->new_;
    if (share_key(old) == share_key(new)) {
        return refused(REFUSAL(SAME_SHARE));
    }
    uint32_t units = market_units_held(market, buyer, old);
    if (units == 0) {
        return refused(REFUSAL(NOT_OWNED));
    }
    const struct listing *listing = market_listing(market, new);
    if (listing == NULL) {
        return refused(REFUSAL(NEW_NOT_FOUND));
    }
    uint8_t refusal;
    if (!may_acquire(market, buyer, new, &old, &refusal)) {
        return refused(refusal);
    }
    if (listing->available < units) {
        outcome_t outcome = refused(REFUSAL(INSUFFICIENT_NEW));
        outcome.val.refused.val.insufficient_new.available = listing->available;
        outcome.val.refused.val.insufficient_new.needed = units;
        return outcome;
    }
    market_take(market, buyer, old, units);
    market_give(market, buyer, new, units);
    return (outcome_t){.tag = OUTCOME(SWAPPED), .val.swapped.units = units};
}
