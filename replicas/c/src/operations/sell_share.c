#include "operations.h"

outcome_t sell_share(struct market *market, const sell_share_t *arguments) {
    uint32_t largest_holding = 0;
    for (share_type_t type = 0; type < SHARE_TYPES_LEN; type++) {
        share_t share = {.share_type = type, .id = arguments->id};
        uint32_t held = market_units_held(market, arguments->buyer, share);
        if (held >= arguments->count) {
            market_take(market, arguments->buyer, share, arguments->count);
            return (outcome_t){
                .tag = OUTCOME(SOLD),
                .val.sold = {
                    .share_type = type,
                    .sold = arguments->count,
                    .remaining = held - arguments->count,
                    .available = market_listing(market, share)->available,
                },
            };
        }
        if (held > largest_holding) {
            largest_holding = held;
        }
    }
    if (largest_holding == 0) {
        return refused(REFUSAL(NOT_OWNED));
    }
    outcome_t outcome = refused(REFUSAL(INSUFFICIENT_OWNED));
    outcome.val.refused.val.insufficient_owned.owned = largest_holding;
    return outcome;
}
