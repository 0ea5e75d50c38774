#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "execute.h"
#include "memory.h"
#include "names.h"
#include "state.h"

struct market market = MARKET_EMPTY;
static int failures; // Of the test that runs.

void fail_test(const char *file, int line, const char *format, ...) {
    va_list values;
    va_start(values, format);
    fprintf(stderr, "%s:%d: ", file, line);
    vfprintf(stderr, format, values);
    fprintf(stderr, "\n");
    va_end(values);
    failures += 1;
}

size_t run_tests(const struct test *tests, size_t len) {
    size_t failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0); // A check of the market that fails ends the tests: say how far they have come.
    for (size_t i = 0; i < len; i++) {
        failures = 0;
        tests[i].run();
        CHECK_ROUND_TRIP();
        market_free(&market);
        printf("%s %s\n", failures == 0 ? "ok    " : "FAILED", tests[i].name);
        failed += failures != 0;
    }
    printf("%zu of %zu tests passed\n", len - failed, len);
    return failed;
}

// ---- Values, as people write them ----------------------------------------------------------------------------------

static uint8_t place_in(const char *all, char letter) {
    const char *place = strchr(all, letter);
    market_check(place != NULL && letter != '\0', "'%c' is none of %s", letter, all);
    return (uint8_t)(place - all);
}

share_t share(const char *id, share_type_t type) {
    unsigned day, month, year;
    market_check(sscanf(id + 4, "%2u%2u%2u", &day, &month, &year) == 3, "not a share id: %s", id);
    return (share_t){
        .share_type = type,
        .id = {
            .market = place_in("NLT", id[0]),
            .slot = place_in("MAE", id[3]),
            .date = {.year = (uint16_t)(2000 + year), .month = (uint8_t)month, .day = (uint8_t)day},
        },
    };
}

share_t equity(const char *id) {
    return share(id, EQUITY);
}

share_t bonus(const char *id) {
    return share(id, BONUS);
}

share_t dividend(const char *id) {
    return share(id, DIVIDEND);
}

buyer_id_t buyer(const char *id) {
    return (buyer_id_t){.market = place_in("NLT", id[0]), .number = (uint16_t)atoi(id + 4)};
}

bool same_days(date_t one, date_t other) {
    return one.year == other.year && one.month == other.month && one.day == other.day;
}

bool same_shares(share_t one, share_t other) {
    return one.share_type == other.share_type && one.id.market == other.id.market && one.id.slot == other.id.slot &&
           same_days(one.id.date, other.id.date);
}

bool same_buyers(buyer_id_t one, buyer_id_t other) {
    return one.market == other.market && one.number == other.number;
}

request_t as(const char *caller, request_t request) {
    buyer_id_t id = buyer(caller);
    if (caller[3] == 'A') {
        request.caller.tag = CALLER(ADMIN);
        request.caller.val.admin.market = id.market;
        request.caller.val.admin.number = id.number;
    } else {
        request.caller.tag = CALLER(BUYER);
        request.caller.val.buyer = id;
    }
    return request;
}

request_t add(const char *caller, share_t added, uint32_t capacity) {
    request_t request = {.operation.tag = OPERATION(ADD_SHARE)};
    request.operation.val.add_share = (add_share_t){.share = added, .capacity = capacity};
    return as(caller, request);
}

request_t drop(const char *caller, share_t removed) {
    request_t request = {.operation.tag = OPERATION(REMOVE_SHARE)};
    request.operation.val.remove_share = removed;
    return as(caller, request);
}

request_t list(const char *caller, share_type_t type) {
    request_t request = {.operation.tag = OPERATION(LIST_SHARE_AVAILABILITY)};
    request.operation.val.list_share_availability = type;
    return as(caller, request);
}

request_t buy(const char *id, share_t bought, uint32_t count) {
    request_t request = {.operation.tag = OPERATION(PURCHASE_SHARE)};
    request.operation.val.purchase_share = (purchase_share_t){.buyer = buyer(id), .share = bought, .count = count};
    return as(id, request);
}

request_t get(const char *id) {
    request_t request = {.operation.tag = OPERATION(GET_SHARES)};
    request.operation.val.get_shares = buyer(id);
    return as(id, request);
}

request_t sell(const char *id, const char *share_id, uint32_t count) {
    request_t request = {.operation.tag = OPERATION(SELL_SHARE)};
    request.operation.val.sell_share = (sell_share_t){.buyer = buyer(id), .id = equity(share_id).id, .count = count};
    return as(id, request);
}

request_t swap(const char *id, share_t old, share_t new) {
    request_t request = {.operation.tag = OPERATION(SWAP_SHARES)};
    request.operation.val.swap_shares = (swap_shares_t){.buyer = buyer(id), .old = old, .new_ = new};
    return as(id, request);
}

enum { TEXT_BYTES_MAX = 4096 };

__attribute__((format(printf, 2, 3))) static void append(char text[static TEXT_BYTES_MAX], const char *format, ...) {
    size_t len = strlen(text);
    va_list values;
    va_start(values, format);
    vsnprintf(text + len, TEXT_BYTES_MAX - len, format, values);
    va_end(values);
}

static void describe_refusal(char text[static TEXT_BYTES_MAX], const dsms_replica_types_refusal_t *refusal) {
    static const char *const NAMES[] = {
        "forbidden",    "wrong-market", "already-exists", "not-found",          "already-owned", "daily-limit",
        "weekly-limit", "sold-out",     "not-owned",      "insufficient-owned", "same-share",    "new-not-found",
        "insufficient-new",
    };
    append(text, "%s", NAMES[refusal->tag]);
    if (refusal->tag == REFUSAL(INSUFFICIENT_OWNED)) {
        append(text, " %u", refusal->val.insufficient_owned.owned);
    }
    if (refusal->tag == REFUSAL(INSUFFICIENT_NEW)) {
        append(text, " %u of %u", refusal->val.insufficient_new.available, refusal->val.insufficient_new.needed);
    }
}

static void describe(char text[static TEXT_BYTES_MAX], const outcome_t *outcome) {
    char name[NAME_BYTES_MAX];
    text[0] = '\0';
    switch (outcome->tag) {
    case OUTCOME(ADDED):
        append(text, "added %u", outcome->val.added.capacity);
        break;
    case OUTCOME(REMOVED):
        append(text, "removed, %u available, %u holders of %u", outcome->val.removed.available,
               outcome->val.removed.holders, outcome->val.removed.units);
        break;
    case OUTCOME(AVAILABILITY):
        append(text, "available:");
        for (size_t i = 0; i < outcome->val.availability.shares.len; i++) {
            available_share_t item = outcome->val.availability.shares.ptr[i];
            write_share(name, (share_t){.share_type = outcome->val.availability.share_type, .id = item.id});
            append(text, " %s %u;", name, item.available);
        }
        break;
    case OUTCOME(PURCHASED):
        append(text, "bought %u of %u, %u available", outcome->val.purchased.bought, outcome->val.purchased.requested,
               outcome->val.purchased.available);
        break;
    case OUTCOME(HOLDINGS):
        append(text, "holds:");
        for (size_t i = 0; i < outcome->val.holdings.len; i++) {
            write_share(name, outcome->val.holdings.ptr[i].share);
            append(text, " %s %u;", name, outcome->val.holdings.ptr[i].units);
        }
        break;
    case OUTCOME(SOLD):
        append(text, "sold %u of type %u, %u remain, %u available", outcome->val.sold.sold,
               outcome->val.sold.share_type, outcome->val.sold.remaining, outcome->val.sold.available);
        break;
    case OUTCOME(SWAPPED):
        append(text, "swapped %u", outcome->val.swapped.units);
        break;
    case OUTCOME(REFUSED):
        describe_refusal(text, &outcome->val.refused);
        break;
    }
}

void free_outcome(const outcome_t *outcome) {
    if (outcome->tag == OUTCOME(AVAILABILITY)) {
        free(outcome->val.availability.shares.ptr);
    }
    if (outcome->tag == OUTCOME(HOLDINGS)) {
        free(outcome->val.holdings.ptr);
    }
}

void expect(const char *file, int line, const char *expected, request_t request) {
    char given[TEXT_BYTES_MAX];
    outcome_t outcome = execute(&market, &request);
    describe(given, &outcome);
    free_outcome(&outcome);
    if (strcmp(given, expected) != 0) {
        fail_test(file, line, "expected \"%s\", given \"%s\"", expected, given);
    }
}

// ---- States, as EXPECT_IMPORT words them ---------------------------------------------------------------------------

void free_state(const market_state_t *state) {
    free(state->shares.ptr);
    free(state->holdings.ptr);
}

static market_state_t parse_state(const char *text) {
    enum { ITEMS_MAX = 8 };
    market_state_t state = {
        .shares.ptr = allocate(ITEMS_MAX, sizeof(share_state_t)),
        .holdings.ptr = allocate(ITEMS_MAX, sizeof(holding_state_t)),
    };
    char first[16], second[16];
    unsigned type, number, other;
    for (const char *item = text; item != NULL && *item != '\0'; item = strchr(item, ';') + 1) {
        if (sscanf(item, " %15s %u %u/%u", first, &type, &number, &other) == 4) {
            state.shares.ptr[state.shares.len++] = (share_state_t){share(first, (share_type_t)type), number, other};
        } else if (sscanf(item, " %15s %15s %u %u", first, second, &type, &number) == 4) {
            state.holdings.ptr[state.holdings.len++] =
                (holding_state_t){buyer(first), share(second, (share_type_t)type), number};
        } else {
            fail_at(__FILE__, __LINE__, "neither a share nor a holding: %s", item);
        }
    }
    return state;
}

// Whether two exports say the same, in the same order.
static bool same_states(const market_state_t *one, const market_state_t *other) {
    if (one->shares.len != other->shares.len || one->holdings.len != other->holdings.len) {
        return false;
    }
    for (size_t i = 0; i < one->shares.len; i++) {
        share_state_t a = one->shares.ptr[i], b = other->shares.ptr[i];
        if (!same_shares(a.share, b.share) || a.capacity != b.capacity || a.available != b.available) {
            return false;
        }
    }
    for (size_t i = 0; i < one->holdings.len; i++) {
        holding_state_t a = one->holdings.ptr[i], b = other->holdings.ptr[i];
        if (!same_buyers(a.buyer, b.buyer) || !same_shares(a.share, b.share) || a.units != b.units) {
            return false;
        }
    }
    return true;
}

void expect_import(const char *file, int line, const char *expected, const char *text) {
    char words[256] = "";
    market_state_t before = export_state(&market), state = parse_state(text);
    bool taken = import_state(&market, &state, words, sizeof words);
    if (taken != (expected[0] == '\0') || strcmp(words, expected) != 0) {
        fail_test(file, line, "expected \"%s\", given \"%s\"", expected, words);
    }
    if (!taken) {
        market_state_t after = export_state(&market);
        if (!same_states(&before, &after)) {
            fail_test(file, line, "the refused import has changed the market");
        }
        free_state(&after);
    }
    free_state(&before);
    free_state(&state);
}

void check_round_trip(const char *file, int line) {
    char words[256] = "";
    struct market other = MARKET_EMPTY;
    market_state_t state = export_state(&market), copy = export_state(&market);
    if (!import_state(&other, &copy, words, sizeof words)) {
        fail_test(file, line, "the exported state was refused: %s", words);
    }
    market_state_t again = export_state(&other);
    if (!same_states(&state, &again)) {
        fail_test(file, line, "the state came back changed");
    }
    free_state(&state);
    free_state(&copy);
    free_state(&again);
    market_free(&other);
}

// ---- Failing -------------------------------------------------------------------------------------------------------

void expect_last_words(const char *file, int line, const char *expected, void (*failing)(void)) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        failing();
        _exit(0);
    }
    close(ends[1]);
    char given[1024] = "";
    size_t len = 0;
    for (ssize_t more; len < sizeof given - 1 && (more = read(ends[0], given + len, sizeof given - 1 - len)) > 0;) {
        len += (size_t)more;
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    given[strcspn(given, "\n")] = '\0';
    const char *message = strstr(given, ": ");
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    if (message == NULL || strcmp(message + 2, expected) != 0 || strncmp(given, "src/", 4) != 0) {
        fail_test(file, line, "expected \"src/FILE:LINE: %s\", given \"%s\"", expected, given);
    }
}
