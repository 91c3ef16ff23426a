"""What a step is charged, over all the drives that it takes."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from asft.budget import Account, Budget, Prices
from asft.journal import Journal


@dataclass(frozen=True, kw_only=True)
class Charged:
    """The account of a step, and the replies that it has used: each is charged once.

    A step that drives its scripts in several turns hands it on from one to the next; an account of its own
    would know nothing of what the turns before have used.
    """

    account: Account
    used: set[bytes] = field(default_factory=set)
    """Keys of the replies that are charged."""

    @staticmethod
    def begin(
        journal: Journal, budget: Budget, prices: Iterable[Prices | None], at: tuple[int, str]
    ) -> "Charged":
        """That of a step whose first script is still to come. `at`: its round and name."""
        timed_out = journal.timed_out()
        account = Account(
            budget,
            prices,
            before=journal.spent(but=at),
            timed_out=timed_out,
            recorded=journal.spent() + timed_out,
        )
        return Charged(account=account)
