"""Who may ask, and that these checks come first."""

import unittest

from stock_market.outcomes import Refusal, Swapped
from words import Desk


class Permission(unittest.TestCase):
    def setUp(self) -> None:
        self.desk = Desk()

    def test_a_buyer_may_not_ask_for_what_admins_do(self) -> None:
        self.assertEqual(self.desk.add("NYKM100925 Equity", 1, by="NYKB1001"), Refusal.FORBIDDEN)
        self.assertEqual(self.desk.remove("NYKM100925 Equity", by="NYKB1001"), Refusal.FORBIDDEN)
        self.assertEqual(self.desk.availability("Equity", by="NYKB1001"), Refusal.FORBIDDEN)

    def test_forbidden_comes_before_wrong_market(self) -> None:
        self.assertEqual(self.desk.add("LONM100925 Equity", 1, by="NYKB1001"), Refusal.FORBIDDEN)

    def test_an_admin_adds_and_removes_shares_of_the_own_market_only(self) -> None:
        self.assertEqual(self.desk.add("LONM100925 Equity", 1, by="NYKA1001"), Refusal.WRONG_MARKET)
        self.assertEqual(self.desk.remove("LONM100925 Equity", by="NYKA1001"), Refusal.WRONG_MARKET)
        self.desk.add("LONM100925 Equity", 1)
        self.assertEqual(self.desk.add("LONM100925 Equity", 1, by="NYKA1001"), Refusal.WRONG_MARKET)

    def test_a_buyer_acts_for_itself_only(self) -> None:
        # The second caller has the same number in another market, the third is an admin of another market.
        for stranger in ["NYKB1002", "LONB1001", "LONA1001"]:
            with self.subTest(stranger):
                self.assertEqual(self.desk.buy("NYKB1001", "NYKM100925 Equity", 1, by=stranger), Refusal.FORBIDDEN)
                self.assertEqual(self.desk.shares("NYKB1001", by=stranger), Refusal.FORBIDDEN)
                self.assertEqual(self.desk.sell("NYKB1001", "NYKM100925", 1, by=stranger), Refusal.FORBIDDEN)
                same = "NYKM100925 Equity"
                self.assertEqual(self.desk.swap("NYKB1001", same, same, by=stranger), Refusal.FORBIDDEN)

    def test_an_admin_acts_for_the_buyers_of_the_own_market(self) -> None:
        # The buyer has the same number as the admin, and is still somebody else.
        self.desk.add("LONM100925 Equity", 10)
        self.desk.add("NYKM110925 Bonus", 10)
        self.desk.buy("NYKB1001", "LONM100925 Equity", 4, by="NYKA1001")
        swapped = self.desk.swap("NYKB1001", "LONM100925 Equity", "NYKM110925 Bonus", by="NYKA7777")
        self.assertEqual(swapped, Swapped(4))
        self.assertEqual(self.desk.held("NYKB1001"), {"NYKM110925 Bonus": 4})
