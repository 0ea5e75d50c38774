"""sell-share, which names a share id and no type."""

import unittest

from stock_market.ids import ShareType
from stock_market.outcomes import InsufficientOwned, Refusal, Sold
from words import Desk


class SellShare(unittest.TestCase):
    def setUp(self) -> None:
        self.desk = Desk()
        for text, count in [("NYKM100925 Equity", 2), ("NYKM100925 Bonus", 5), ("NYKM100925 Dividend", 9)]:
            self.desk.add(text, 100)
            self.desk.buy("NYKB1001", text, count)

    def test_units_come_from_the_first_type_of_which_there_are_enough(self) -> None:
        sales = [
            (1, Sold(ShareType.EQUITY, sold=1, remaining=1, available=99)),
            (2, Sold(ShareType.BONUS, sold=2, remaining=3, available=97)),
            (9, Sold(ShareType.DIVIDEND, sold=9, remaining=0, available=100)),
        ]
        for count, sold in sales:
            self.assertEqual(self.desk.sell("NYKB1001", "NYKM100925", count), sold)

    def test_types_are_not_added_up_and_nothing_is_sold_in_part(self) -> None:
        before = self.desk.held("NYKB1001")
        self.assertEqual(self.desk.sell("NYKB1001", "NYKM100925", 10), InsufficientOwned(9))
        self.assertEqual(self.desk.held("NYKB1001"), before)

    def test_the_largest_number_may_be_of_the_first_type(self) -> None:
        self.desk.buy("NYKB1002", "NYKM100925 Equity", 7)
        self.desk.buy("NYKB1002", "NYKM100925 Dividend", 2)
        self.assertEqual(self.desk.sell("NYKB1002", "NYKM100925", 8), InsufficientOwned(7))

    def test_what_is_not_held_cannot_be_sold(self) -> None:
        self.assertEqual(self.desk.sell("NYKB1001", "NYKA100925", 1), Refusal.NOT_OWNED)
        self.assertEqual(self.desk.sell("NYKB1002", "NYKM100925", 1), Refusal.NOT_OWNED)

    def test_a_holding_that_falls_to_0_disappears(self) -> None:
        self.desk.sell("NYKB1001", "NYKM100925", 9)
        self.assertEqual(self.desk.held("NYKB1001"), {"NYKM100925 Equity": 2, "NYKM100925 Bonus": 5})

    def test_nothing_is_kept_of_a_buyer_who_has_sold_everything(self) -> None:
        for count in [9, 5, 2]:
            self.desk.sell("NYKB1001", "NYKM100925", count)
        self.assertEqual(self.desk.market.portfolios, {})
