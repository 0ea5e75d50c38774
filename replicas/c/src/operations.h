// The operations of the market, one function and one file each: src/operations/.
//
// Whether the caller may ask has been checked before any of them runs. Each checks its refusals in the order of the
// contract, and changes nothing before the last of them has passed. Lists in an outcome belong to the caller.
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "market.h"

outcome_t add_share(struct market *market, const add_share_t *arguments);
outcome_t remove_share(struct market *market, share_t share);
outcome_t list_share_availability(const struct market *market, share_type_t type);
outcome_t purchase_share(struct market *market, const purchase_share_t *arguments);
outcome_t get_shares(const struct market *market, buyer_id_t buyer);
outcome_t sell_share(struct market *market, const sell_share_t *arguments);
outcome_t swap_shares(struct market *market, const swap_shares_t *arguments);

// A refusal that carries nothing but its name.
static inline outcome_t refused(uint8_t refusal) {
    return (outcome_t){.tag = OUTCOME(REFUSED), .val.refused.tag = refusal};
}

#endif
