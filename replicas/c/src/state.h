// The whole market as the contract words it: how a replica catches up with the others.
#ifndef STATE_H
#define STATE_H

#include "market.h"

// The lists belong to the caller.
market_state_t export_state(const struct market *market);

// Replaces the market by the given one and returns true. If the state breaks a law, returns false with the reason in
// `words`, and leaves the market as it was. Sorts the lists of the state, which stay the caller's.
bool import_state(struct market *market, market_state_t *state, char *words, size_t words_size);

#endif
