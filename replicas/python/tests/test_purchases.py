"""purchase-share with its limits, and get-shares."""

import unittest

from stock_market.outcomes import Holdings, Owned, Purchased, Refusal
from words import Desk, share


class PurchaseShare(unittest.TestCase):
    def setUp(self) -> None:
        self.desk = Desk()

    def list_and_buy(self, buyer: str, *texts: str) -> list:
        """Lists the shares and lets the buyer buy one unit of each. Returns 1 for each success, else the refusal."""
        for text in texts:
            self.desk.add(text, 10)
        outcomes = [self.desk.buy(buyer, text, 1) for text in texts]
        return [outcome.bought if isinstance(outcome, Purchased) else outcome for outcome in outcomes]

    def test_as_many_units_are_bought_as_there_are(self) -> None:
        self.desk.add("NYKM100925 Equity", 10)
        self.assertEqual(self.desk.buy("NYKB1001", "NYKM100925 Equity", 4), Purchased(4, 4, 6))
        self.assertEqual(self.desk.buy("LONB1001", "NYKM100925 Equity", 1_000_000), Purchased(1_000_000, 6, 0))
        self.assertEqual(self.desk.buy("TOKB1001", "NYKM100925 Equity", 1), Refusal.SOLD_OUT)
        self.assertEqual(self.desk.held("TOKB1001"), {})

    def test_a_buyer_holds_a_share_once_until_all_of_it_is_sold(self) -> None:
        self.desk.add("NYKM100925 Equity", 3)
        self.desk.buy("NYKB1001", "NYKM100925 Equity", 2)
        self.assertEqual(self.desk.buy("NYKB1001", "NYKM100925 Equity", 1), Refusal.ALREADY_OWNED)
        self.desk.sell("NYKB1001", "NYKM100925", 1)
        self.assertEqual(self.desk.buy("NYKB1001", "NYKM100925 Equity", 1), Refusal.ALREADY_OWNED)
        self.desk.sell("NYKB1001", "NYKM100925", 1)
        self.assertEqual(self.desk.buy("NYKB1001", "NYKM100925 Equity", 1), Purchased(1, 1, 2))

    def test_one_share_of_a_type_on_a_day_whatever_the_market_and_the_slot(self) -> None:
        outcomes = self.list_and_buy("NYKB1001", "NYKM100925 Equity", "NYKA100925 Equity", "LONM100925 Equity")
        self.assertEqual(outcomes, [1, Refusal.DAILY_LIMIT, Refusal.DAILY_LIMIT])

    def test_other_types_and_other_days_are_free(self) -> None:
        texts = [
            "NYKM100925 Equity",
            "NYKM100925 Bonus",
            "NYKA100925 Dividend",
            "NYKM110925 Equity",
            "NYKM100926 Equity",
        ]
        self.assertEqual(self.list_and_buy("NYKB1001", *texts), [1, 1, 1, 1, 1])

    def test_three_foreign_shares_in_a_week_of_all_types_and_markets_together(self) -> None:
        texts = ["LONM080925 Equity", "TOKM090925 Bonus", "LONE140925 Dividend", "TOKE120925 Equity"]
        self.assertEqual(self.list_and_buy("NYKB1001", *texts), [1, 1, 1, Refusal.WEEKLY_LIMIT])

    def test_the_home_market_is_unlimited_and_does_not_count(self) -> None:
        home = ["NYKM080925 Equity", "NYKM090925 Equity", "NYKM100925 Equity", "NYKM110925 Equity"]
        self.assertEqual(self.list_and_buy("NYKB1001", *home, "LONM120925 Equity"), [1, 1, 1, 1, 1])

    def test_weeks_are_those_of_iso_8601(self) -> None:
        three = {
            "a week begins on Monday": (
                ["LONM080925 Equity", "LONM100925 Equity", "LONM140925 Equity"],
                {"LONM110925 Equity": Refusal.WEEKLY_LIMIT, "LONM070925 Equity": 1, "LONM150925 Equity": 1},
            ),
            "a week goes on over New Year": (
                ["LONM281226 Equity", "LONM311226 Equity", "LONM010127 Equity"],
                {"LONM030127 Equity": Refusal.WEEKLY_LIMIT, "LONM040127 Equity": 1, "LONM271226 Equity": 1},
            ),
            "December can belong to the first week of the next year": (
                ["LONM301224 Equity", "LONM311224 Equity", "LONM010125 Equity"],
                {"LONM050125 Equity": Refusal.WEEKLY_LIMIT, "LONM291224 Equity": 1, "LONM060125 Equity": 1},
            ),
            "the same week of another year is another week": (
                ["LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity"],
                {"LONM110925 Equity": Refusal.WEEKLY_LIMIT, "LONM110924 Equity": 1},
            ),
            "a week holds the 29th of February": (
                ["LONM260224 Equity", "LONM290224 Equity", "LONM010324 Equity"],
                {"LONM030324 Equity": Refusal.WEEKLY_LIMIT, "LONM040324 Equity": 1},
            ),
        }
        for law, (held, then) in three.items():
            with self.subTest(law):
                self.desk = Desk()
                self.assertEqual(self.list_and_buy("NYKB1001", *held), [1, 1, 1])
                self.assertEqual(self.list_and_buy("NYKB1001", *then), list(then.values()))

    def test_selling_frees_the_limits_once_all_units_are_sold(self) -> None:
        self.list_and_buy("NYKB1001", "LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity")
        self.desk.sell("NYKB1001", "LONM080925", 1)
        self.assertEqual(self.list_and_buy("NYKB1001", "LONE080925 Equity"), [1])

    def test_the_first_refusal_in_order_is_returned(self) -> None:
        # All of these have no units left, and the buyer has three foreign shares of the week.
        self.list_and_buy("NYKB1001", "LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity")
        for text in ["LONE100925 Equity", "LONM110925 Equity", "NYKM120925 Equity"]:
            self.desk.add(text, 1)
            self.desk.buy("TOKB1001", text, 1)
        self.desk.buy("TOKB1001", "LONM100925 Equity", 9)
        self.assertEqual(self.desk.buy("NYKB1001", "LONA100925 Equity", 1), Refusal.NOT_FOUND)
        self.assertEqual(self.desk.buy("NYKB1001", "LONM100925 Equity", 1), Refusal.ALREADY_OWNED)
        self.assertEqual(self.desk.buy("NYKB1001", "LONE100925 Equity", 1), Refusal.DAILY_LIMIT)
        self.assertEqual(self.desk.buy("NYKB1001", "LONM110925 Equity", 1), Refusal.WEEKLY_LIMIT)
        self.assertEqual(self.desk.buy("NYKB1001", "NYKM120925 Equity", 1), Refusal.SOLD_OUT)


class GetShares(unittest.TestCase):
    def test_it_lists_the_holdings_of_one_buyer_in_all_markets(self) -> None:
        desk = Desk()
        desk.add("NYKM100925 Equity", 10)
        desk.add("TOKM110925 Bonus", 10)
        desk.buy("NYKB1001", "NYKM100925 Equity", 2)
        desk.buy("NYKB1001", "TOKM110925 Bonus", 3)
        desk.buy("NYKB1002", "NYKM100925 Equity", 4)
        owned = [Owned(share("NYKM100925 Equity"), 2), Owned(share("TOKM110925 Bonus"), 3)]
        self.assertEqual(desk.shares("NYKB1001"), Holdings(owned))
        self.assertEqual(desk.shares("TOKB0000"), Holdings([]))
