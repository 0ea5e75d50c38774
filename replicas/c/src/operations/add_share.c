#include "operations.h"

outcome_t add_share(struct market *market, const add_share_t *arguments) {
    if (market_listing(market, arguments->share) != NULL) {
        return refused(REFUSAL(ALREADY_EXISTS));
    }
    market_list(market, arguments->share, arguments->capacity);
    return (outcome_t){.tag = OUTCOME(ADDED), .val.added.capacity = arguments->capacity};
}
