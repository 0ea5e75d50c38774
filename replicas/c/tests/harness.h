// What the tests of the market are written with: requests and states as people write them, and a runner.
#ifndef HARNESS_H
#define HARNESS_H

#include "market.h"

// The market under test; empty when a test begins. When it ends, its state goes through another market and back.
extern struct market market;

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}

// Runs each test, and prints how it went. Returns how many have failed.
size_t run_tests(const struct test *tests, size_t len);

// Fails the test, which goes on, and prints a message: a format and its values, as for printf.
#define FAIL(...) fail_test(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(condition) ((condition) ? (void)0 : FAIL("not so: %s", #condition))
// Executes the request, and compares what describe() in harness.c writes about the outcome.
#define EXPECT(expected, request) expect(__FILE__, __LINE__, expected, request)
// Imports a state such as "NYKM100925 0 10/8; NYKB1001 NYKM100925 0 2;": a share with its type, capacity and available
// units, and a holding. Compares the words of the refusal, "" for none. A refused import must leave the market alone.
#define EXPECT_IMPORT(expected, state) expect_import(__FILE__, __LINE__, expected, state)
// Runs `failing` in a process of its own, and compares what it prints to standard error before it ends, without the
// file and line.
#define EXPECT_LAST_WORDS(expected, failing) expect_last_words(__FILE__, __LINE__, expected, failing)
// The state is taken by another market, which refuses what breaks a law, and comes back the same.
#define CHECK_ROUND_TRIP() check_round_trip(__FILE__, __LINE__)

// Shares, `NYKM100925`.
share_t share(const char *id, share_type_t type);
share_t equity(const char *id);
share_t bonus(const char *id);
share_t dividend(const char *id);

// Requests. Whoever they name makes them: an admin, `NYKA1001`, or a buyer, `NYKB1001`.
request_t add(const char *admin, share_t added, uint32_t capacity);
request_t drop(const char *admin, share_t removed);
request_t list(const char *admin, share_type_t type);
request_t buy(const char *buyer_id, share_t bought, uint32_t count);
request_t get(const char *buyer_id);
request_t sell(const char *buyer_id, const char *share_id, uint32_t count);
request_t swap(const char *buyer_id, share_t old, share_t new);
// The request, made by somebody else.
request_t as(const char *caller, request_t request);

buyer_id_t buyer(const char *id);
bool same_days(date_t one, date_t other);
bool same_shares(share_t one, share_t other);
bool same_buyers(buyer_id_t one, buyer_id_t other);
void free_outcome(const outcome_t *outcome);
void free_state(const market_state_t *state);

__attribute__((format(printf, 3, 4))) void fail_test(const char *file, int line, const char *format, ...);
void expect(const char *file, int line, const char *expected, request_t request);
void expect_import(const char *file, int line, const char *expected, const char *text);
void expect_last_words(const char *file, int line, const char *expected, void (*failing)(void));
void check_round_trip(const char *file, int line);

#endif
