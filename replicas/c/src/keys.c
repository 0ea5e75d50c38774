#include "keys.h"

#include "calendar.h"

enum {
    SLOT_BITS = 2,
    MARKET_BITS = 2,
    DAY_BITS = 5,
    MONTH_BITS = 4,
    YEAR_BITS = 7,
    WEEK_BITS = 13, // A century has 5219 weeks.

    MARKET_AT = SLOT_BITS,
    DAY_AT = MARKET_AT + MARKET_BITS,
    MONTH_AT = DAY_AT + DAY_BITS,
    YEAR_AT = MONTH_AT + MONTH_BITS,
    WEEK_AT = YEAR_AT + YEAR_BITS,
    TYPE_AT = WEEK_AT + WEEK_BITS,

    NUMBER_BITS = 14, // A buyer has four digits.
};

static uint64_t field(uint64_t key, int at, int bits) {
    return key >> at & ((UINT64_C(1) << bits) - 1);
}

uint64_t share_key(share_t share) {
    date_t date = share.id.date;
    return (uint64_t)share.share_type << TYPE_AT | (uint64_t)week_of(date) << WEEK_AT |
           (uint64_t)(date.year - 2000u) << YEAR_AT | (uint64_t)date.month << MONTH_AT | (uint64_t)date.day << DAY_AT |
           (uint64_t)share.id.market << MARKET_AT | (uint64_t)share.id.slot;
}

share_t share_of_key(uint64_t key) {
    return (share_t){
        .share_type = (share_type_t)(key >> TYPE_AT),
        .id = {
            .market = (uint8_t)field(key, MARKET_AT, MARKET_BITS),
            .slot = (uint8_t)field(key, 0, SLOT_BITS),
            .date = {
                .year = (uint16_t)(2000 + field(key, YEAR_AT, YEAR_BITS)),
                .month = (uint8_t)field(key, MONTH_AT, MONTH_BITS),
                .day = (uint8_t)field(key, DAY_AT, DAY_BITS),
            },
        },
    };
}

// All keys that are equal to `key` in the bits from `at` on.
static struct key_range keys_alike(uint64_t key, int at) {
    uint64_t from = key >> at << at;
    return (struct key_range){.from = from, .to = from + (UINT64_C(1) << at)};
}

struct key_range keys_of_type(share_type_t type) {
    return keys_alike((uint64_t)type << TYPE_AT, TYPE_AT);
}

struct key_range keys_of_week(share_t share) {
    return keys_alike(share_key(share), WEEK_AT);
}

struct key_range keys_of_day(share_t share) {
    return keys_alike(share_key(share), DAY_AT);
}

uint64_t buyer_key(buyer_id_t buyer) {
    return (uint64_t)buyer.market << NUMBER_BITS | buyer.number;
}

buyer_id_t buyer_of_key(uint64_t key) {
    return (buyer_id_t){.market = (uint8_t)(key >> NUMBER_BITS), .number = (uint16_t)field(key, 0, NUMBER_BITS)};
}
