#include "names.h"

#include <stdio.h>
#include <string.h>

static const char *const MARKETS[] = {"NYK", "LON", "TOK"};
static const char SLOTS[] = "MAE";
static const char *const TYPES[] = {"Equity", "Bonus", "Dividend"};

void write_share(char name[static NAME_BYTES_MAX], share_t share) {
    share_id_t id = share.id;
    snprintf(name, NAME_BYTES_MAX, "%s%c%02u%02u%02u %s", MARKETS[id.market], SLOTS[id.slot], id.date.day,
             id.date.month, id.date.year % 100u, TYPES[share.share_type]);
}

void write_holding(char name[static NAME_BYTES_MAX], buyer_id_t buyer, share_t share) {
    char share_name[NAME_BYTES_MAX];
    write_share(share_name, share);
    snprintf(name, NAME_BYTES_MAX, "%sB%04u %.40s", MARKETS[buyer.market], buyer.number, share_name);
}
