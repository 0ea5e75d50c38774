// What a buyer may hold: the rules that purchases and swaps share.
#ifndef LIMITS_H
#define LIMITS_H

#include "market.h"

// Whether the buyer may acquire the share. If not, `refusal` is the first that applies of `already-owned`,
// `daily-limit` and `weekly-limit`. `leaving` is a holding that the buyer gives away in the same step, and that counts
// no more; NULL if there is none.
bool may_acquire(const struct market *market, buyer_id_t buyer, share_t share, const share_t *leaving,
                 uint8_t *refusal);

#endif
