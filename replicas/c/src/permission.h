// Who may ask: the checks that come before those of the operation itself.
#ifndef PERMISSION_H
#define PERMISSION_H

#include <stdbool.h>

#include "contract.h"

// Whether the caller may ask for the operation. If not, `refusal` is `forbidden` or `wrong-market`.
bool is_permitted(const request_t *request, uint8_t *refusal);

#endif
