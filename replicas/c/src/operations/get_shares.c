#include "memory.h"
#include "operations.h"

outcome_t get_shares(const struct market *market, buyer_id_t buyer) {
    const struct map *portfolio = market_portfolio(market, buyer);
    owned_t *holdings = allocate(portfolio->len, sizeof *holdings);
    for (size_t i = 0; i < portfolio->len; i++) {
        const uint32_t *units = map_value(portfolio, i);
        holdings[i] = (owned_t){.share = share_of_key(portfolio->keys[i]), .units = *units};
    }
    return (outcome_t){.tag = OUTCOME(HOLDINGS), .val.holdings = {.ptr = holdings, .len = portfolio->len}};
}
