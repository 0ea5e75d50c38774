// The component: what the host calls, passed on to the market. Nothing but memory is decided here.
//
// Who owns what, by the canonical ABI:
//
// - What the host passes in, it writes to memory that it asks of cabi_realloc below, and then forgets. The bindings
//   free a request, which holds no lists. The lists of an imported state are freed here.
// - What is returned is read by the host, which then calls the `cabi_post_` function of the bindings. That frees the
//   lists and texts, so they have to come from malloc.
#include "execute.h"
#include "memory.h"
#include "state.h"

// The state of this instance. The host runs one call at a time.
static struct market the_market = MARKET_EMPTY;

void exports_dsms_replica_market_execute(exports_dsms_replica_market_context_t *context,
                                         exports_dsms_replica_market_request_t *request,
                                         exports_dsms_replica_market_outcome_t *outcome) {
    (void)context; // The rules do not depend on it.
    *outcome = execute(&the_market, request);
}

void exports_dsms_replica_market_export_state(exports_dsms_replica_market_market_state_t *state) {
    *state = export_state(&the_market);
}

bool exports_dsms_replica_market_import_state(exports_dsms_replica_market_market_state_t *state,
                                              replica_string_t *error) {
    char words[256];
    bool taken = import_state(&the_market, state, words, sizeof words);
    exports_dsms_replica_market_market_state_free(state);
    if (!taken) {
        replica_string_dup(error, words);
    }
    return taken;
}

// Replaces the one of the bindings, which ends the call without a word when there is no memory left.
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *items, size_t old_size, size_t align,
                                                                size_t new_size) {
    (void)old_size;
    // No memory is needed for nothing, but the pointer has to be aligned. malloc aligns for every type of the contract.
    return new_size == 0 ? (void *)align : reallocate(items, 1, new_size);
}
