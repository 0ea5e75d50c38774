// The market: what it holds, and the few ways in which that changes.
//
// Every change keeps the laws of the market: capacity = available + units held, for every share; no holding of 0 units;
// no holding of a share that is not listed. The operations decide what to change, and never change a map themselves.
#ifndef MARKET_H
#define MARKET_H

#include <stdbool.h>

#include "contract.h"
#include "keys.h"
#include "map.h"

struct market {
    // Share key -> struct listing. Grows with the shares on the market, and moves only when one is added or removed.
    struct map listings;
    // Buyer key -> the buyer's portfolio, itself a struct map: share key -> units held, a uint32_t. There are at most
    // 30,000 buyers. A portfolio that has become empty stays, since its buyer is likely to come back.
    struct map portfolios;
};

struct listing {
    uint32_t capacity;
    uint32_t available;
    // The keys of the buyers who hold the share; a set, of at most 30,000.
    struct map holders;
};

// How an empty market begins.
#define MARKET_EMPTY {.listings = MAP_EMPTY(sizeof(struct listing)), .portfolios = MAP_EMPTY(sizeof(struct map))}

// Frees all that the market holds, and leaves an empty one.
void market_free(struct market *market);

// The listing of a share, or NULL. Good until a share is added or removed.
struct listing *market_listing(const struct market *market, share_t share);

// Lists a share that is not listed yet, all of its units available.
void market_list(struct market *market, share_t share, uint32_t capacity);

// Takes a listed share off, and every holding of it.
void market_delist(struct market *market, share_t share);

// The buyer's holdings, share key -> units; a map without entries if there are none.
const struct map *market_portfolio(const struct market *market, buyer_id_t buyer);

// How many units the buyer holds of the share, 0 if none.
uint32_t market_units_held(const struct market *market, buyer_id_t buyer, share_t share);

// Moves units, 1 or more, from what is available of a listed share to a buyer who holds none of it.
void market_give(struct market *market, buyer_id_t buyer, share_t share, uint32_t units);

// Moves units, 1 to as many as the buyer holds, back to what is available. A holding that falls to 0 disappears.
void market_take(struct market *market, buyer_id_t buyer, share_t share, uint32_t units);

#endif
