"""What a step is charged, over all the drives that it takes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from asft import flops
from asft.budget import Account, Budget, largest
from asft.engine.calls import Endpoint
from asft.errors import BudgetError
from asft.journal import Journal, Line, Reading


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
        journal: Journal,
        budget: Budget,
        endpoints: Mapping[str, Endpoint],
        at: tuple[int, str],
        *,
        elsewhere: int = 0,
    ) -> "Charged":
        """That of a step whose first script is still to come.

        `at`: its round and name. `elsewhere`: FLOPs that are set aside for the student.
        """
        sizes = {role: endpoint.active_params for role, endpoint in endpoints.items()}
        before, recorded, timed_out = journal.spent(but=at), journal.spent(), journal.timed_out()
        if budget.flops is not None and largest(sizes.values()) is not None:
            calls = _Computed.of(journal, sizes, at)
            before, recorded = replace(before, flops=calls.before), replace(recorded, flops=calls.replies)
            timed_out = replace(timed_out, flops=calls.timeouts)
            elsewhere += _by_student(journal, at)
        account = Account(
            budget,
            [endpoint.prices for endpoint in endpoints.values()],
            active_params=sizes.values(),
            elsewhere=elsewhere,
            before=before,
            timed_out=timed_out,
            recorded=recorded + timed_out,
        )
        return Charged(account=account)


@dataclass(kw_only=True)
class _Computed:
    """FLOPs of the calls that a run was charged for.

    They are made from the tokens of each, so that a run can be given a budget of them when it is continued.
    """

    before: int = 0
    """Of replies to other steps."""
    replies: int = 0
    """Of all."""
    timeouts: int = 0

    @staticmethod
    def of(journal: Journal, sizes: Mapping[str, float | None], at: tuple[int, str]) -> "_Computed":
        """`sizes`: `active_params` by role. `at`: the round and step that are not before."""
        made, most = _Computed(), largest(sizes.values())
        for line in _calls(journal):
            # Who else may have been asked, is taken for the largest; so is one that timed out.
            size = sizes.get(line.role, most) if line.kind != "timeout" else most
            count = flops.asked(
                size or 0.0,
                input_tokens=line.input_tokens,
                cached_tokens=line.cached_tokens,
                output_tokens=line.output_tokens,
            )
            if line.kind == "timeout":
                made.timeouts += count
            else:
                made.replies += count
                made.before += count if (line.round, line.step) != at else 0
        return made


def _calls(journal: Journal) -> Iterator[Line]:
    with Reading(journal.path) as reading:
        yield from (call.line for call in reading.calls(journal.run) if call.line.charged)


def _by_student(journal: Journal, at: tuple[int, str]) -> int:
    """FLOPs that the student computed in other steps; those of this one are among what is set aside.

    Raises BudgetError where they are not known.
    """
    total = 0
    for row in journal.sums():
        if row.role != "student" or (row.round, row.step) == at:
            continue
        if row.flops is None:
            raise BudgetError(
                f"a budget of flops cannot be kept, because it is not known what {row.purpose or row.step} "
                f"took in round {row.round}, by a model of its own; set a budget of requests or tokens"
            )
        total += round(row.flops)
    return total
