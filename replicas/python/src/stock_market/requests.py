"""What can be asked for. One class for each operation, its fields the arguments."""

from dataclasses import dataclass

from .ids import BuyerId, Caller, Share, ShareId, ShareType


@dataclass(frozen=True, slots=True)
class AddShare:
    share: Share
    capacity: int


@dataclass(frozen=True, slots=True)
class RemoveShare:
    share: Share


@dataclass(frozen=True, slots=True)
class ListShareAvailability:
    share_type: ShareType


@dataclass(frozen=True, slots=True)
class PurchaseShare:
    buyer: BuyerId
    share: Share
    count: int


@dataclass(frozen=True, slots=True)
class GetShares:
    buyer: BuyerId


@dataclass(frozen=True, slots=True)
class SellShare:
    buyer: BuyerId
    id: ShareId
    count: int


@dataclass(frozen=True, slots=True)
class SwapShares:
    buyer: BuyerId
    old: Share
    new: Share


Operation = AddShare | RemoveShare | ListShareAvailability | PurchaseShare | GetShares | SellShare | SwapShares


@dataclass(frozen=True, slots=True)
class Request:
    caller: Caller
    operation: Operation
