"""add-share, remove-share and list-share-availability."""

import unittest

from stock_market.ids import ShareType
from stock_market.outcomes import Added, Availability, AvailableShare, Refusal, Removed
from words import Desk, share_id


class AddShare(unittest.TestCase):
    def setUp(self) -> None:
        self.desk = Desk()

    def test_all_of_an_added_share_is_available(self) -> None:
        self.assertEqual(self.desk.add("NYKM100925 Equity", 100), Added(100))
        self.assertEqual(self.desk.available("NYKM100925 Equity"), 100)

    def test_a_share_is_added_once_and_keeps_its_capacity(self) -> None:
        self.desk.add("NYKM100925 Equity", 100)
        self.assertEqual(self.desk.add("NYKM100925 Equity", 7), Refusal.ALREADY_EXISTS)
        self.assertEqual(self.desk.available("NYKM100925 Equity"), 100)

    def test_the_same_id_under_another_type_is_another_share(self) -> None:
        self.desk.add("NYKM100925 Equity", 100)
        self.assertEqual(self.desk.add("NYKM100925 Bonus", 50), Added(50))


class RemoveShare(unittest.TestCase):
    def setUp(self) -> None:
        self.desk = Desk()

    def test_what_is_not_listed_is_not_found(self) -> None:
        self.desk.add("NYKM100925 Equity", 100)
        self.assertEqual(self.desk.remove("NYKM100925 Bonus"), Refusal.NOT_FOUND)

    def test_the_holdings_of_all_buyers_go_with_the_share(self) -> None:
        self.desk.add("NYKM100925 Equity", 100)
        self.desk.add("NYKM110925 Equity", 100)
        self.desk.buy("NYKB1001", "NYKM100925 Equity", 4)
        self.desk.buy("LONB2002", "NYKM100925 Equity", 6)
        self.desk.buy("LONB2002", "NYKM110925 Equity", 1)
        self.assertEqual(self.desk.remove("NYKM100925 Equity"), Removed(available=90, holders=2, units=10))
        self.assertEqual(self.desk.held("NYKB1001"), {})
        self.assertEqual(self.desk.held("LONB2002"), {"NYKM110925 Equity": 1})

    def test_it_frees_the_limits_of_those_who_held_it(self) -> None:
        for text in ["LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity", "LONE080925 Equity"]:
            self.desk.add(text, 10)
        for text in ["LONM080925 Equity", "LONM090925 Equity", "LONM100925 Equity"]:
            self.desk.buy("NYKB1001", text, 1)
        self.assertEqual(self.desk.buy("NYKB1001", "LONE080925 Equity", 1), Refusal.DAILY_LIMIT)
        self.desk.remove("LONM080925 Equity")
        self.desk.buy("NYKB1001", "LONE080925 Equity", 1)
        self.assertEqual(self.desk.held("NYKB1001").get("LONE080925 Equity"), 1)

    def test_a_share_that_is_added_again_begins_anew(self) -> None:
        self.desk.add("NYKM100925 Equity", 10)
        self.desk.buy("NYKB1001", "NYKM100925 Equity", 4)
        self.desk.remove("NYKM100925 Equity")
        self.desk.add("NYKM100925 Equity", 3)
        self.assertEqual(self.desk.available("NYKM100925 Equity"), 3)


class ListShareAvailability(unittest.TestCase):
    def test_it_lists_one_type_of_all_markets_sold_out_shares_included(self) -> None:
        desk = Desk()
        desk.add("NYKM100925 Equity", 5)
        desk.add("TOKE110925 Equity", 7)
        desk.add("LONA120925 Bonus", 9)
        desk.buy("NYKB1001", "NYKM100925 Equity", 5)
        self.assertEqual(
            desk.availability("Equity"),
            Availability(
                ShareType.EQUITY,
                [AvailableShare(share_id("NYKM100925"), 0), AvailableShare(share_id("TOKE110925"), 7)],
            ),
        )
        self.assertEqual(desk.availability("Dividend"), Availability(ShareType.DIVIDEND, []))
