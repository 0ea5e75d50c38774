#include "market.h"

#include "check.h"

void market_free(struct market *market) {
    for (size_t i = 0; i < market->listings.len; i++) {
        struct listing *listing = map_value(&market->listings, i);
        map_free(&listing->holders);
    }
    map_free(&market->listings);
    for (size_t i = 0; i < market->portfolios.len; i++) {
        map_free(map_value(&market->portfolios, i));
    }
    map_free(&market->portfolios);
}

struct listing *market_listing(const struct market *market, share_t share) {
    return map_find(&market->listings, share_key(share));
}

void market_list(struct market *market, share_t share, uint32_t capacity) {
    struct listing *listing = map_insert(&market->listings, share_key(share));
    *listing = (struct listing){.capacity = capacity, .available = capacity, .holders = MAP_EMPTY(0)};
}

void market_delist(struct market *market, share_t share) {
    uint64_t key = share_key(share);
    struct listing *listing = map_find(&market->listings, key);
    market_check(listing != NULL, "the share is not listed");
    for (size_t i = 0; i < listing->holders.len; i++) {
        map_remove(map_find(&market->portfolios, listing->holders.keys[i]), key);
    }
    map_free(&listing->holders);
    map_remove(&market->listings, key);
}

const struct map *market_portfolio(const struct market *market, buyer_id_t buyer) {
    static const struct map NOTHING = MAP_EMPTY(sizeof(uint32_t));
    const struct map *portfolio = map_find(&market->portfolios, buyer_key(buyer));
    return portfolio == NULL ? &NOTHING : portfolio;
}

uint32_t market_units_held(const struct market *market, buyer_id_t buyer, share_t share) {
    const uint32_t *units = map_find(market_portfolio(market, buyer), share_key(share));
    return units == NULL ? 0 : *units;
}

void market_give(struct market *market, buyer_id_t buyer, share_t share, uint32_t units) {
    struct listing *listing = market_listing(market, share);
    market_check(listing != NULL, "units of a share that is not listed");
    market_check(units >= 1 && units <= listing->available, "gives %u units of %u", units, listing->available);

    struct map *portfolio = map_find(&market->portfolios, buyer_key(buyer));
    if (portfolio == NULL) {
        portfolio = map_insert(&market->portfolios, buyer_key(buyer));
        *portfolio = (struct map)MAP_EMPTY(sizeof(uint32_t));
    }
    uint32_t *held = map_insert(portfolio, share_key(share));
    *held = units;
    map_insert(&listing->holders, buyer_key(buyer));
    listing->available -= units;
}

void market_take(struct market *market, buyer_id_t buyer, share_t share, uint32_t units) {
    struct listing *listing = market_listing(market, share);
    struct map *portfolio = map_find(&market->portfolios, buyer_key(buyer));
    uint32_t *held = portfolio == NULL ? NULL : map_find(portfolio, share_key(share));
    market_check(listing != NULL && held != NULL, "takes units that are not held");
    market_check(units >= 1 && units <= *held, "takes %u units of %u", units, *held);
    market_check(units <= listing->capacity - listing->available, "more units are held than the capacity has");

    *held -= units;
    listing->available += units;
    if (*held == 0) {
        map_remove(portfolio, share_key(share));
        map_remove(&listing->holders, buyer_key(buyer));
    }
}
