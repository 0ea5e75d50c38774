// One request, from the check of who asks to its outcome.
#ifndef EXECUTE_H
#define EXECUTE_H

#include "market.h"

// Lists in the outcome belong to the caller.
outcome_t execute(struct market *market, const request_t *request);

#endif
