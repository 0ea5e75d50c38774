"""Who and what a request names: markets, shares, admins and buyers.

All of these are values: they never change, equal ones are interchangeable, and they serve as keys of dicts. The fields
are those of the contract, by name and in meaning.
"""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum

# The numbers are the places of the cases in the contract. An IntEnum hashes as fast as an int does; an Enum does not.


class Market(IntEnum):
    NYK = 0
    LON = 1
    TOK = 2


class Slot(IntEnum):
    MORNING = 0
    AFTERNOON = 1
    EVENING = 2


class ShareType(IntEnum):
    """In the order in which `sell-share` tries them."""

    EQUITY = 0
    BONUS = 1
    DIVIDEND = 2


@dataclass(frozen=True, slots=True)
class ShareId:
    """A share id such as `NYKM100925`. It does not name one share by itself: see `Share`."""

    market: Market
    slot: Slot
    date: date

    def __str__(self) -> str:
        slot = "MAE"[self.slot]
        return f"{self.market.name}{slot}{self.date.day:02}{self.date.month:02}{self.date.year % 100:02}"


@dataclass(frozen=True, slots=True)
class Share:
    """The pair of type and share id. The same share id under two types is two shares."""

    share_type: ShareType
    id: ShareId

    def __str__(self) -> str:
        return f"{self.id} {self.share_type.name.capitalize()}"

    @property
    def day(self) -> tuple[ShareType, date]:
        """What the daily limit counts by. Shares of other types have days of their own."""
        return self.share_type, self.id.date

    @property
    def week(self) -> tuple[int, int]:
        """What the weekly limit counts by: the ISO 8601 week-year and week, for all types together.

        The week-year is not always the year of the date: 31-12-2026 and 01-01-2027 both lie in week 53 of 2026.
        """
        week_year, week, _ = self.id.date.isocalendar()
        return week_year, week


@dataclass(frozen=True, slots=True)
class AdminId:
    """An administrator of one market, such as `NYKA1001`."""

    market: Market
    number: int

    def __str__(self) -> str:
        return f"{self.market.name}A{self.number:04}"


@dataclass(frozen=True, slots=True)
class BuyerId:
    """A buyer, such as `TOKB5678`. The market is the buyer's home market."""

    market: Market
    number: int

    def __str__(self) -> str:
        return f"{self.market.name}B{self.number:04}"


Caller = AdminId | BuyerId
