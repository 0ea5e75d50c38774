// Shares and buyers as numbers, whose order puts together what the rules ask about together.
//
// A share is, from the highest bit to the lowest:
//
//     type   2 bits    all shares of one type lie side by side,
//     week  13 bits    among these those of one week,
//     date  16 bits    and among these those of one day: 7 bits of year, 4 of month, 5 of day
//     market 2 bits
//     slot   2 bits
//
// The week follows from the date; it is there for the order alone.
#ifndef KEYS_H
#define KEYS_H

#include <stdint.h>

#include "contract.h"

uint64_t share_key(share_t share);
share_t share_of_key(uint64_t key);

// Keys `from <= key < to`.
struct key_range {
    uint64_t from;
    uint64_t to;
};

// All shares of a type; those of the type and week of a share; those of the type and date of a share.
struct key_range keys_of_type(share_type_t type);
struct key_range keys_of_week(share_t share);
struct key_range keys_of_day(share_t share);

uint64_t buyer_key(buyer_id_t buyer);
buyer_id_t buyer_of_key(uint64_t key);

#endif
