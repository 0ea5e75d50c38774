#include "execute.h"

#include "check.h"
#include "operations.h"
#include "permission.h"

outcome_t execute(struct market *market, const request_t *request) {
    uint8_t refusal;
    if (!is_permitted(request, &refusal)) {
        return refused(refusal);
    }
    const operation_t *operation = &request->operation;
    switch (operation->tag) {
    case OPERATION(ADD_SHARE):
        return add_share(market, &operation->val.add_share);
    case OPERATION(REMOVE_SHARE):
        return remove_share(market, operation->val.remove_share);
    case OPERATION(LIST_SHARE_AVAILABILITY):
        return list_share_availability(market, operation->val.list_share_availability);
    case OPERATION(PURCHASE_SHARE):
        return purchase_share(market, &operation->val.purchase_share);
    case OPERATION(GET_SHARES):
        return get_shares(market, operation->val.get_shares);
    case OPERATION(SELL_SHARE):
        return sell_share(market, &operation->val.sell_share);
    case OPERATION(SWAP_SHARES):
        return swap_shares(market, &operation->val.swap_shares);
    }
    fail_at(__FILE__, __LINE__, "an operation that the contract does not have: %u", operation->tag);
}
