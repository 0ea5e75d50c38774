#include "state.h"

#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "names.h"

enum { CAPACITY_MAX = 1000000 };

static size_t count_holdings(const struct market *market) {
    size_t count = 0;
    for (size_t i = 0; i < market->portfolios.len; i++) {
        const struct map *portfolio = map_value(&market->portfolios, i);
        count += portfolio->len;
    }
    return count;
}

market_state_t export_state(const struct market *market) {
    const struct map *listings = &market->listings;
    share_state_t *shares = allocate(listings->len, sizeof *shares);
    for (size_t i = 0; i < listings->len; i++) {
        const struct listing *listing = map_value(listings, i);
        shares[i] = (share_state_t){
            .share = share_of_key(listings->keys[i]),
            .capacity = listing->capacity,
            .available = listing->available,
        };
    }

    size_t holdings_len = count_holdings(market), filled = 0;
    holding_state_t *holdings = allocate(holdings_len, sizeof *holdings);
    for (size_t i = 0; i < market->portfolios.len; i++) {
        buyer_id_t buyer = buyer_of_key(market->portfolios.keys[i]);
        const struct map *portfolio = map_value(&market->portfolios, i);
        for (size_t j = 0; j < portfolio->len; j++) {
            const uint32_t *units = map_value(portfolio, j);
            holdings[filled++] = (holding_state_t){
                .buyer = buyer,
                .share = share_of_key(portfolio->keys[j]),
                .units = *units,
            };
        }
    }
    return (market_state_t){
        .shares = {.ptr = shares, .len = listings->len},
        .holdings = {.ptr = holdings, .len = holdings_len},
    };
}

static int compare(uint64_t left, uint64_t right) {
    return (left > right) - (left < right);
}

static int compare_shares(const void *left, const void *right) {
    return compare(share_key(((const share_state_t *)left)->share), share_key(((const share_state_t *)right)->share));
}

static int compare_holdings(const void *left, const void *right) {
    const holding_state_t *one = left, *other = right;
    int buyers = compare(buyer_key(one->buyer), buyer_key(other->buyer));
    return buyers != 0 ? buyers : compare(share_key(one->share), share_key(other->share));
}

// qsort, which must not be called with a null pointer, as an empty list may have.
static void sort(void *items, size_t len, size_t size, int (*compare_items)(const void *, const void *)) {
    if (len > 0) {
        qsort(items, len, size, compare_items);
    }
}

static bool refuse_share(char *words, size_t words_size, share_t share, const char *reason) {
    char name[NAME_BYTES_MAX];
    write_share(name, share);
    snprintf(words, words_size, "%s %s", name, reason);
    return false;
}

static bool refuse_holding(char *words, size_t words_size, const holding_state_t *holding, const char *reason) {
    char name[NAME_BYTES_MAX];
    write_holding(name, holding->buyer, holding->share);
    snprintf(words, words_size, "%s %s", name, reason);
    return false;
}

// Lists the shares, all of their units available for now.
static bool import_shares(struct market *market, const share_state_t *shares, size_t len, char *words, size_t size) {
    for (size_t i = 0; i < len; i++) {
        share_t share = shares[i].share;
        if (market_listing(market, share) != NULL) {
            return refuse_share(words, size, share, "is there twice");
        }
        if (shares[i].capacity < 1 || shares[i].capacity > CAPACITY_MAX) {
            return refuse_share(words, size, share, "has a capacity that is not 1 to 1,000,000");
        }
        market_list(market, share, shares[i].capacity);
    }
    return true;
}

// Gives each buyer what the holdings say.
static bool import_holdings(struct market *market, const holding_state_t *holdings, size_t len, char *words,
                            size_t size) {
    for (size_t i = 0; i < len; i++) {
        const holding_state_t *holding = &holdings[i];
        const struct listing *listing = market_listing(market, holding->share);
        if (listing == NULL) {
            return refuse_holding(words, size, holding, "is held, but the share is not listed");
        }
        if (holding->units == 0) {
            return refuse_holding(words, size, holding, "is a holding of no units");
        }
        if (market_units_held(market, holding->buyer, holding->share) != 0) {
            return refuse_holding(words, size, holding, "is there twice");
        }
        if (holding->units > listing->available) {
            return refuse_holding(words, size, holding, "is more than is left of the share's capacity");
        }
        market_give(market, holding->buyer, holding->share, holding->units);
    }
    return true;
}

// Whether what is left of each share, now that all holdings are taken from its capacity, is what the state says.
static bool is_accounted_for(const struct market *market, const share_state_t *shares, size_t len, char *words,
                             size_t size) {
    for (size_t i = 0; i < len; i++) {
        if (market_listing(market, shares[i].share)->available != shares[i].available) {
            return refuse_share(words, size, shares[i].share, "has a capacity other than available and held together");
        }
    }
    return true;
}

bool import_state(struct market *market, market_state_t *state, char *words, size_t words_size) {
    share_state_t *shares = state->shares.ptr;
    holding_state_t *holdings = state->holdings.ptr;
    size_t shares_len = state->shares.len, holdings_len = state->holdings.len;
    // In this order every insertion is at the end of its map.
    sort(shares, shares_len, sizeof *shares, compare_shares);
    sort(holdings, holdings_len, sizeof *holdings, compare_holdings);

    struct market imported = MARKET_EMPTY;
    if (!import_shares(&imported, shares, shares_len, words, words_size) ||
        !import_holdings(&imported, holdings, holdings_len, words, words_size) ||
        !is_accounted_for(&imported, shares, shares_len, words, words_size)) {
        market_free(&imported);
        return false;
    }
    market_free(market);
    *market = imported;
    return true;
}
