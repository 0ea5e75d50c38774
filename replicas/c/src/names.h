// Shares and holdings as people write them.
#ifndef NAMES_H
#define NAMES_H

#include "contract.h"

// Enough for `NYKB1234 NYKM100925 Dividend`.
enum { NAME_BYTES_MAX = 64 };

// `NYKM100925 Dividend`.
void write_share(char name[static NAME_BYTES_MAX], share_t share);

// `NYKB1234 NYKM100925 Dividend`.
void write_holding(char name[static NAME_BYTES_MAX], buyer_id_t buyer, share_t share);

#endif
