"""Export and import of the whole market."""

import random
import unittest

from stock_market.exchange import BrokenStateError, HoldingState, MarketState, ShareState, export_state, import_state
from stock_market.outcomes import Refusal
from words import Desk, caller, share

ONE = share("NYKM100925 Equity")
OTHER = share("LONM100925 Bonus")
BUYER = caller("NYKB1001")


class RoundTrip(unittest.TestCase):
    def test_an_empty_market_comes_back_empty(self) -> None:
        self.assertEqual(export_state(import_state(MarketState([], []))), MarketState([], []))

    def test_a_market_comes_back_as_it_was_in_whatever_order(self) -> None:
        desk = busy_desk()
        state = export_state(desk.market)
        self.assertGreater(len(state.holdings), 20)
        backwards = import_state(MarketState(reversed(state.shares), reversed(state.holdings)))
        again = export_state(backwards)
        self.assertCountEqual(again.shares, state.shares)
        self.assertCountEqual(again.holdings, state.holdings)

    def test_what_is_counted_for_the_limits_comes_back_too(self) -> None:
        desk = busy_desk()
        copy = import_state(export_state(desk.market))
        self.assertEqual(copy.portfolios, desk.market.portfolios)
        self.assertEqual(copy.listings, desk.market.listings)

    def test_the_limits_are_no_law_of_the_state(self) -> None:
        first, second = share("NYKM100925 Equity"), share("NYKA100925 Equity")
        market = import_state(
            MarketState(
                [ShareState(first, 5, 4), ShareState(second, 5, 4)],
                [HoldingState(BUYER, first, 1), HoldingState(BUYER, second, 1)],
            )
        )
        desk = Desk()
        desk.market = market
        desk.add("NYKE100925 Equity", 5)
        # Both of them count, until both are sold.
        desk.sell("NYKB1001", "NYKM100925", 1)
        self.assertEqual(desk.buy("NYKB1001", "NYKE100925 Equity", 1), Refusal.DAILY_LIMIT)
        desk.sell("NYKB1001", "NYKA100925", 1)
        desk.buy("NYKB1001", "NYKE100925 Equity", 1)
        self.assertEqual(desk.held("NYKB1001"), {"NYKE100925 Equity": 1})


class BrokenState(unittest.TestCase):
    def test_a_broken_state_is_refused_in_words(self) -> None:
        one, held = ShareState(ONE, 10, 6), HoldingState(BUYER, ONE, 4)
        broken = [
            ([one, one], [held], "NYKM100925 Equity is listed twice"),
            ([ShareState(ONE, 0, 0)], [], "capacity of 0"),
            ([ShareState(ONE, 1_000_001, 1_000_001)], [], "capacity of 1000001"),
            ([ShareState(ONE, 10, 5)], [held], "5 units available; its capacity and its holdings leave 6"),
            ([ShareState(ONE, 10, 11)], [], "11 units available"),
            ([one], [], "6 units available; its capacity and its holdings leave 10"),
            ([one], [held, HoldingState(BUYER, OTHER, 4)], "NYKB1001 holds LONM100925 Bonus, which is not listed"),
            ([one], [held, HoldingState(caller("LONB1001"), ONE, 0)], "LONB1001 holds 0 units"),
            ([ShareState(ONE, 10, 2)], [held, held], "NYKB1001 holds NYKM100925 Equity twice"),
            ([ShareState(ONE, 3, 0)], [held], "more units of NYKM100925 Equity are held than its capacity of 3"),
        ]
        for shares, holdings, words in broken:
            with self.subTest(words), self.assertRaisesRegex(BrokenStateError, words):
                import_state(MarketState(shares, holdings))

    def test_a_refused_state_changes_nothing_in_the_market_that_it_came_from(self) -> None:
        market = busy_desk().market
        before = export_state(market)
        with self.assertRaises(BrokenStateError):
            import_state(MarketState(before.shares, before.holdings[1:]))
        self.assertEqual(export_state(market), before)


def busy_desk() -> Desk:
    """A market after some hundred requests of all kinds, always the same."""
    chance = random.Random(1)
    desk = Desk()
    texts = [
        f"{market}{slot}{day:02}0925 {share_type}"
        for market in ["NYK", "LON", "TOK"]
        for slot in "MAE"
        for day in range(8, 16)
        for share_type in ["Equity", "Bonus", "Dividend"]
    ]
    for text in texts:
        desk.add(text, chance.randint(1, 9))
    for _ in range(600):
        buyer = chance.choice(["NYKB0001", "NYKB0002", "LONB0001", "TOKB0001"])
        text, other = chance.sample(texts, 2)
        match chance.choice(["buy", "sell", "swap"]):
            case "buy":
                desk.buy(buyer, text, chance.randint(1, 4))
            case "sell":
                desk.sell(buyer, text.split()[0], chance.randint(1, 2))
            case "swap":
                desk.swap(buyer, chance.choice(list(desk.held(buyer)) or [text]), other)
    for text in chance.sample(texts, 5):
        desk.remove(text)
    return desk
