"""What can be answered: a success of the operation that was asked for, or a refusal.

The fields are those of the contract, by name and in meaning.
"""

from dataclasses import dataclass
from enum import Enum, auto

from .ids import Share, ShareId, ShareType


@dataclass(frozen=True, slots=True)
class Added:
    capacity: int


@dataclass(frozen=True, slots=True)
class Removed:
    available: int
    holders: int
    units: int


@dataclass(frozen=True, slots=True)
class AvailableShare:
    id: ShareId
    available: int


@dataclass(frozen=True, slots=True)
class Availability:
    share_type: ShareType
    shares: list[AvailableShare]


@dataclass(frozen=True, slots=True)
class Purchased:
    requested: int
    bought: int
    available: int


@dataclass(frozen=True, slots=True)
class Owned:
    share: Share
    units: int


@dataclass(frozen=True, slots=True)
class Holdings:
    owned: list[Owned]


@dataclass(frozen=True, slots=True)
class Sold:
    share_type: ShareType
    sold: int
    remaining: int
    available: int


@dataclass(frozen=True, slots=True)
class Swapped:
    units: int


class Refusal(Enum):
    """The reasons that need no more words. Each is an outcome by itself."""

    FORBIDDEN = auto()
    WRONG_MARKET = auto()
    ALREADY_EXISTS = auto()
    NOT_FOUND = auto()
    ALREADY_OWNED = auto()
    DAILY_LIMIT = auto()
    WEEKLY_LIMIT = auto()
    SOLD_OUT = auto()
    NOT_OWNED = auto()
    SAME_SHARE = auto()
    NEW_NOT_FOUND = auto()


@dataclass(frozen=True, slots=True)
class InsufficientOwned:
    """A refusal that carries the largest number of units held under one type."""

    owned: int


@dataclass(frozen=True, slots=True)
class InsufficientNew:
    """A refusal that carries the units of the new share that are available, and those that would be needed."""

    available: int
    needed: int


Success = Added | Removed | Availability | Purchased | Holdings | Sold | Swapped
Outcome = Success | Refusal | InsufficientOwned | InsufficientNew
