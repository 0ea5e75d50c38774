// Shorter names for the types that wit-bindgen makes of the contract, wit/replica.wit.
#ifndef CONTRACT_H
#define CONTRACT_H

#include "replica.h"

typedef dsms_replica_types_date_t date_t;
typedef dsms_replica_types_share_type_t share_type_t;
typedef dsms_replica_types_share_id_t share_id_t;
typedef dsms_replica_types_share_t share_t;
typedef dsms_replica_types_buyer_id_t buyer_id_t;
typedef dsms_replica_types_caller_t caller_t;

typedef dsms_replica_types_request_t request_t;
typedef dsms_replica_types_operation_t operation_t;
typedef dsms_replica_types_add_share_t add_share_t;
typedef dsms_replica_types_purchase_share_t purchase_share_t;
typedef dsms_replica_types_sell_share_t sell_share_t;
typedef dsms_replica_types_swap_shares_t swap_shares_t;

typedef dsms_replica_types_outcome_t outcome_t;
typedef dsms_replica_types_available_share_t available_share_t;
typedef dsms_replica_types_owned_t owned_t;

typedef dsms_replica_types_market_state_t market_state_t;
typedef dsms_replica_types_share_state_t share_state_t;
typedef dsms_replica_types_holding_state_t holding_state_t;

// The cases of the contract's variants: CALLER(ADMIN), OPERATION(ADD_SHARE), OUTCOME(ADDED), REFUSAL(NOT_FOUND).
#define CALLER(name) DSMS_REPLICA_TYPES_CALLER_##name
#define OPERATION(name) DSMS_REPLICA_TYPES_OPERATION_##name
#define OUTCOME(name) DSMS_REPLICA_TYPES_OUTCOME_##name
#define REFUSAL(name) DSMS_REPLICA_TYPES_REFUSAL_##name

// The share types, in the order in which a sale tries them: EQUITY, BONUS, DIVIDEND.
enum {
    EQUITY = DSMS_REPLICA_TYPES_SHARE_TYPE_EQUITY,
    BONUS = DSMS_REPLICA_TYPES_SHARE_TYPE_BONUS,
    DIVIDEND = DSMS_REPLICA_TYPES_SHARE_TYPE_DIVIDEND,
    SHARE_TYPES_LEN,
};

#endif
