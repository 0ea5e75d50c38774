"""swap-shares: all units of old become as many of new, in one step or not at all."""

import unittest
from itertools import pairwise

from stock_market.outcomes import InsufficientNew, Refusal, Swapped
from words import Desk


class SwapShares(unittest.TestCase):
    def setUp(self) -> None:
        self.desk = Desk()

    def list_all(self, *texts: str) -> None:
        for text in texts:
            self.desk.add(text, 10)

    def hold_all(self, buyer: str, *texts: str) -> None:
        self.list_all(*texts)
        for text in texts:
            self.desk.buy(buyer, text, 4)
        self.assertEqual(self.desk.held(buyer), dict.fromkeys(texts, 4))

    def test_home_to_foreign_to_foreign_to_home(self) -> None:
        self.hold_all("NYKB1001", "NYKM100925 Equity")
        self.list_all("LONM110925 Equity", "TOKM120925 Dividend", "NYKA100925 Equity")
        way = ["NYKM100925 Equity", "LONM110925 Equity", "TOKM120925 Dividend", "NYKA100925 Equity"]
        for old, new in pairwise(way):
            self.assertEqual(self.desk.swap("NYKB1001", old, new), Swapped(4))
            self.assertEqual((self.desk.available(old), self.desk.available(new)), (10, 6))
            self.assertEqual(self.desk.held("NYKB1001"), {new: 4})

    def test_exactly_enough_is_enough_and_one_too_few_changes_nothing(self) -> None:
        self.hold_all("NYKB1001", "NYKM100925 Equity")
        self.desk.add("NYKM110925 Equity", 4)
        self.desk.add("NYKM120925 Equity", 3)
        refused = self.desk.swap("NYKB1001", "NYKM100925 Equity", "NYKM120925 Equity")
        self.assertEqual(refused, InsufficientNew(available=3, needed=4))
        self.assertEqual(self.desk.held("NYKB1001"), {"NYKM100925 Equity": 4})
        self.assertEqual(self.desk.available("NYKM100925 Equity"), 6)
        self.assertEqual(self.desk.swap("NYKB1001", "NYKM100925 Equity", "NYKM110925 Equity"), Swapped(4))

    def test_the_old_holding_does_not_count_for_the_limits(self) -> None:
        self.hold_all("NYKB1001", "LONM080925 Equity", "LONM090925 Equity", "TOKM110925 Equity")
        self.list_all("TOKM120925 Equity", "TOKE120925 Equity")
        self.assertEqual(self.desk.swap("NYKB1001", "LONM080925 Equity", "TOKM120925 Equity"), Swapped(4))
        self.assertEqual(self.desk.swap("NYKB1001", "TOKM120925 Equity", "TOKE120925 Equity"), Swapped(4))

    def test_an_old_holding_that_does_not_bear_on_a_limit_is_of_no_help(self) -> None:
        foreign = ["LONM080925 Equity", "LONM090925 Equity", "TOKM110925 Equity"]
        self.hold_all("NYKB1001", "NYKM100925 Equity", "LONM150925 Equity", "NYKM110925 Bonus", *foreign)
        self.list_all("TOKM120925 Equity", "NYKE110925 Equity")
        # A home share of the week, a foreign share of another week; then the same day under another type.
        for old in ["NYKM100925 Equity", "LONM150925 Equity"]:
            self.assertEqual(self.desk.swap("NYKB1001", old, "TOKM120925 Equity"), Refusal.WEEKLY_LIMIT)
        self.assertEqual(self.desk.swap("NYKB1001", "NYKM110925 Bonus", "NYKE110925 Equity"), Refusal.DAILY_LIMIT)

    def test_with_the_weekly_limit_reached_the_home_market_is_free(self) -> None:
        self.hold_all("NYKB1001", "LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity")
        self.list_all("NYKM110925 Equity")
        self.assertEqual(self.desk.swap("NYKB1001", "LONM100925 Equity", "NYKM110925 Equity"), Swapped(4))

    def test_the_first_refusal_in_order_is_returned(self) -> None:
        foreign = ["LONM080925 Equity", "LONM090925 Equity", "TOKM110925 Equity"]
        self.hold_all("NYKB1001", "NYKM100925 Equity", *foreign)
        self.hold_all("LONB1001", "NYKM140925 Bonus")
        for text in ["NYKE110925 Equity", "LONM120925 Equity", "NYKM130925 Equity"]:
            self.desk.add(text, 1)
        refused = [
            ("NYKM010125 Equity", "NYKM010125 Equity", Refusal.SAME_SHARE),
            ("NYKM010125 Equity", "NYKM020125 Equity", Refusal.NOT_OWNED),
            ("NYKM140925 Bonus", "NYKM020125 Equity", Refusal.NOT_OWNED),
            ("NYKM100925 Equity", "NYKM100925 Bonus", Refusal.NEW_NOT_FOUND),
            ("NYKM100925 Equity", "TOKM110925 Equity", Refusal.ALREADY_OWNED),
            ("NYKM100925 Equity", "NYKE110925 Equity", Refusal.DAILY_LIMIT),
            ("NYKM100925 Equity", "LONM120925 Equity", Refusal.WEEKLY_LIMIT),
            ("NYKM100925 Equity", "NYKM130925 Equity", InsufficientNew(available=1, needed=4)),
        ]
        for old, new, refusal in refused:
            with self.subTest(refusal):
                self.assertEqual(self.desk.swap("NYKB1001", old, new), refusal)
        self.assertEqual(self.desk.held("NYKB1001"), dict.fromkeys(["NYKM100925 Equity", *foreign], 4))

    def test_crossing_swaps_never_serve_each_other(self) -> None:
        self.desk.add("NYKM100925 Equity", 4)
        self.desk.add("NYKM110925 Equity", 4)
        self.desk.buy("NYKB1001", "NYKM100925 Equity", 4)
        self.desk.buy("NYKB1002", "NYKM110925 Equity", 4)
        refused = InsufficientNew(available=0, needed=4)
        self.assertEqual(self.desk.swap("NYKB1001", "NYKM100925 Equity", "NYKM110925 Equity"), refused)
        self.assertEqual(self.desk.swap("NYKB1002", "NYKM110925 Equity", "NYKM100925 Equity"), refused)
