#include "permission.h"

#include "check.h"

static bool is_admin(const caller_t *caller) {
    return caller->tag == CALLER(ADMIN);
}

// The buyer in person, or an admin of the buyer's home market.
static bool may_ask_for(const caller_t *caller, buyer_id_t buyer) {
    if (is_admin(caller)) {
        return caller->val.admin.market == buyer.market;
    }
    return caller->val.buyer.market == buyer.market && caller->val.buyer.number == buyer.number;
}

// An admin, for a share of the admin's own market.
static bool may_manage(const caller_t *caller, share_t share, uint8_t *refusal) {
    if (!is_admin(caller)) {
        return false;
    }
    *refusal = REFUSAL(WRONG_MARKET);
    return caller->val.admin.market == share.id.market;
}

bool is_permitted(const request_t *request, uint8_t *refusal) {
    const caller_t *caller = &request->caller;
    const operation_t *operation = &request->operation;
    *refusal = REFUSAL(FORBIDDEN);
    switch (operation->tag) {
    case OPERATION(ADD_SHARE):
        return may_manage(caller, operation->val.add_share.share, refusal);
    case OPERATION(REMOVE_SHARE):
        return may_manage(caller, operation->val.remove_share, refusal);
    case OPERATION(LIST_SHARE_AVAILABILITY):
        return is_admin(caller);
    case OPERATION(PURCHASE_SHARE):
        return may_ask_for(caller, operation->val.purchase_share.buyer);
    case OPERATION(GET_SHARES):
        return may_ask_for(caller, operation->val.get_shares);
    case OPERATION(SELL_SHARE):
        return may_ask_for(caller, operation->val.sell_share.buyer);
    case OPERATION(SWAP_SHARES):
        return may_ask_for(caller, operation->val.swap_shares.buyer);
    }
    fail_at(__FILE__, __LINE__, "an operation that the contract does not have: %u", operation->tag);
}
