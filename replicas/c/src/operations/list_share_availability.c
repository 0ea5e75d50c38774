#include "memory.h"
#include "operations.h"

outcome_t list_share_availability(const struct market *market, share_type_t type) {
    const struct map *listings = &market->listings;
    struct key_range range = keys_of_type(type);
    size_t first = map_lower_bound(listings, range.from);
    size_t len = map_lower_bound(listings, range.to) - first;

    available_share_t *shares = allocate(len, sizeof *shares);
    for (size_t i = 0; i < len; i++) {
        const struct listing *listing = map_value(listings, first + i);
        shares[i] = (available_share_t){
            .id = share_of_key(listings->keys[first + i]).id,
            .available = listing->available,
        };
    }
    return (outcome_t){
        .tag = OUTCOME(AVAILABILITY),
        .val.availability = {.share_type = type, .shares = {.ptr = shares, .len = len}},
    };
}
