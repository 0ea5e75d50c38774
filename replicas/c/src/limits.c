#include "limits.h"

// How many distinct shares outside the home market a buyer may hold in one week.
enum { FOREIGN_SHARES_PER_WEEK_MAX = 3 };

// No share has this key: a share's has 39 bits.
#define NO_KEY UINT64_MAX

static bool holds_another_of_the_day(const struct map *portfolio, share_t share, uint64_t leaving) {
    struct key_range day = keys_of_day(share);
    size_t first = map_lower_bound(portfolio, day.from);
    for (size_t i = first; i < portfolio->len && portfolio->keys[i] < day.to; i++) {
        if (portfolio->keys[i] != leaving) {
            return true;
        }
    }
    return false;
}

// Of all types together, in the week of the share.
static unsigned foreign_shares_of_the_week(const struct map *portfolio, buyer_id_t buyer, share_t share,
                                           uint64_t leaving) {
    unsigned foreign = 0;
    for (share_type_t type = 0; type < SHARE_TYPES_LEN; type++) {
        struct key_range week = keys_of_week((share_t){.share_type = type, .id = share.id});
        size_t first = map_lower_bound(portfolio, week.from);
        for (size_t i = first; i < portfolio->len && portfolio->keys[i] < week.to; i++) {
            share_t held = share_of_key(portfolio->keys[i]);
            if (held.id.market != buyer.market && portfolio->keys[i] != leaving) {
                foreign += 1;
            }
        }
    }
    return foreign;
}

bool may_acquire(const struct market *market, buyer_id_t buyer, share_t share, const share_t *leaving,
                 uint8_t *refusal) {
    const struct map *portfolio = market_portfolio(market, buyer);
    uint64_t leaving_key = leaving == NULL ? NO_KEY : share_key(*leaving);

    *refusal = REFUSAL(ALREADY_OWNED);
    if (map_find(portfolio, share_key(share)) != NULL) {
        return false;
    }
    *refusal = REFUSAL(DAILY_LIMIT);
    if (holds_another_of_the_day(portfolio, share, leaving_key)) {
        return false;
    }
    *refusal = REFUSAL(WEEKLY_LIMIT);
    return share.id.market == buyer.market ||
           foreign_shares_of_the_week(portfolio, buyer, share, leaving_key) < FOREIGN_SHARES_PER_WEEK_MAX;
}
