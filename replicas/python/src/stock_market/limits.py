"""What a buyer may hold. A purchase has to pass these rules, and so has the new half of a swap."""

from .ids import Share
from .market import Portfolio
from .outcomes import Refusal

FOREIGN_SHARES_IN_WEEK_MAX = 3


def refusal_to_hold(portfolio: Portfolio, share: Share, instead_of: Share | None = None) -> Refusal | None:
    """Why the buyer may not come to hold the share, or None.

    With `instead_of`, a share that the buyer holds, the rules are applied as if that holding were gone already.
    """
    if share in portfolio.units:
        return Refusal.ALREADY_OWNED

    on_day = portfolio.shares_on_day.get(share.day, 0)
    if instead_of is not None and instead_of.day == share.day:
        on_day -= 1
    if on_day > 0:
        return Refusal.DAILY_LIMIT

    if portfolio.is_foreign(share):
        in_week = portfolio.foreign_shares_in_week.get(share.week, 0)
        if instead_of is not None and portfolio.is_foreign(instead_of) and instead_of.week == share.week:
            in_week -= 1
        if in_week >= FOREIGN_SHARES_IN_WEEK_MAX:
            return Refusal.WEEKLY_LIMIT
    return None
