"""What a report says, as plain records: every format is written from these, so that all say the same.

report.json is these records. **None is not zero** here either: it is what the run does not tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

FEW_VALUES = 10
"""A tag with more values than this has many."""
LEVEL = 0.05
"""A change with a smaller p is more than chance."""

Moved = Literal["rose", "fell", "no"]


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Right answers among all items of the test split, with the 95% Wilson interval."""

    items: int
    right: int
    share: float
    low: float
    high: float
    unparsable: int | None = None
    """Answers in which no final answer can be found; counted as wrong."""
    cut_off: int | None = None
    """Answers that the limit of new tokens cut off."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A mean over items with its 95% interval, by bootstrap over items."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """What several answers to each question, drawn at random, add up to."""

    k: int
    """Answers to each question."""
    passed: Mapping[int, Share]
    """Size -> the chance that one of so many answers is right (Chen et al. 2021)."""
    majority: Accuracy
    """Of the commonest final answer of all k; of several, the one that was drawn first."""
    ties: int | None
    """Questions with several commonest answers."""
    without: int | None
    """Questions to which no answer has a final answer."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How the test split was asked."""

    prompt: str
    """The first one, as the student read it."""
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Extremes:
    """The worst and the best group of a tag, among those that are large enough."""

    tag: str
    groups: int
    worst: str
    worst_accuracy: Accuracy
    best: str
    best_accuracy: Accuracy

    @property
    def gap(self) -> float:
        """Between the two accuracies."""
        return self.best_accuracy.share - self.worst_accuracy.share


@dataclass(frozen=True, kw_only=True)
class Change:
    """Accuracy against that of the base student on the same items; paired bootstrap over items, 95%."""

    items: int
    mean: float
    low: float
    high: float
    gained: int
    """Wrong before, right after."""
    lost: int
    p: float
    """McNemar's exact test."""

    def moved(self, p: float) -> Moved:
        """Whether the accuracy rose or fell by more than chance, by this p (its own, or a corrected one)."""
        if p >= LEVEL:
            return "no"
        return "rose" if self.gained > self.lost else "fell"


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Drafts that went no further, by cause."""

    cause: str
    """The name of the filter; empty where the teacher's replies gave no draft."""
    reason: str
    drafts: int
    undecided: bool = False
    """The filter could not tell, which is neither for nor against the drafts."""

    @property
    def by(self) -> str:
        """The cause, and whether it was undecided, in words."""
        return f"{self.cause}, undecided" if self.undecided else self.cause


@dataclass(frozen=True, kw_only=True)
class Yield:
    """What a filter made of the drafts that came to it."""

    filter: str
    place: int | None
    """In the recipe, from 0."""
    seen: int | None
    kept: int | None
    dropped: int | None
    undecided: int | None


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """From the seeds to the training set of a round."""

    seeds: int | None
    scored: int | None
    picked: int | None
    drafts: int | None
    written: int | None
    kept: int | None
    lost: tuple[Lost, ...]
    """The commonest first."""
    yields: tuple[Yield, ...]
    """In the order in which drafts pass the filters; none where the run does not tell."""


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How training went on examples that were held out of the pool."""

    examples: int | None
    losses: tuple[tuple[int, float], ...]
    """Step and loss, nats per token."""
    best_step: int | None
    kept_step: int | None
    """After which the student was as it is kept."""
    stopped_early: bool

    @property
    def kept_loss(self) -> float | None:
        """Of the student that is kept; None where it was not evaluated."""
        return next((loss for step, loss in self.losses if step == self.kept_step), None)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What was trained, on how much."""

    examples: int | None
    origins: Mapping[str, int]
    """Where they come from -> how many; empty where the run does not tell."""
    steps: int | None
    tokens: int | None
    truncated: int | None
    seconds: float | None
    loss_first: float | None
    loss_last: float | None
    validation: Validation | None
    """None where nothing was held out."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What teacher and judge were asked and paid. The student's own work is in the ledger."""

    requests: int
    tokens: int
    """Input and output."""
    cost_usd: float | None
    """None where the price of any request is unknown."""
    known_usd: float
    """The part that is known."""


@dataclass(frozen=True, kw_only=True)
class RoundFacts:
    """One round. The fields `..._so_far` add up all rounds to this one; None where one of them is unknown."""

    number: int
    finished: bool
    short: bool
    """Fewer examples were kept than the recipe asks for."""
    funnel: Funnel | None
    training: Training | None
    accuracy: Accuracy | None
    validated: Accuracy | None
    """On what is held out of the pool; None where the run does not go by it."""
    change: Change | None
    samples: Sampled | None
    spent: Spent | None
    kept_so_far: int | None
    tokens_so_far: int | None
    cost_usd_so_far: float | None
    seconds: Mapping[str, float]
    """By step."""

    @property
    def dropped(self) -> int | None:
        """Drafts that came to nothing, for whatever reason."""
        if self.funnel is None or self.funnel.drafts is None or self.funnel.kept is None:
            return None
        return self.funnel.drafts - self.funnel.kept


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How hard the pool was in a round. All rounds share the edges, so that they can be compared."""

    round: int
    edges: tuple[float, ...]
    asked: tuple[int, ...]
    """Seeds per bin that the teacher was asked about."""
    others: tuple[int, ...]
    """The other seeds per bin."""
    median_asked: float | None
    median_others: float | None
    unscored: int
    """Seeds that have no score."""


@dataclass(frozen=True, kw_only=True)
class HardSeed:
    """A seed with a high score, and what the student itself answered."""

    example_id: str
    score: float
    prompt: str
    answer: str
    own: str | None
    """The student's greedy answer; None where it was not asked for one."""
    grade: float | None
    cut_off: bool


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A draft beside the seed that it was written from."""

    round: int
    number: int
    outcome: str
    """kept, dropped, undecided, no draft, or no verdict (in an unfinished round)."""
    why: str
    """The filter and its reason."""
    seed_prompt: str
    seed_answer: str
    prompt: str
    completion: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class TagValue:
    """The test items that have one value of a tag, before and after; only items with both answers."""

    value: str
    before: Accuracy
    after: Accuracy
    change: Change
    p: float
    """McNemar's exact test, corrected over the values of the tag (Holm)."""
    moved: Moved
    """By that p."""


@dataclass(frozen=True, kw_only=True)
class Tag:
    """What a tag of the test items shows about the change."""

    name: str
    values: tuple[TagValue, ...]
    """In their natural order; of many, those whose change is the surest first."""

    @property
    def many(self) -> bool:
        """Whether it is looked through for what moved, rather than read value by value."""
        return len(self.values) > FEW_VALUES

    def count(self, moved: Moved) -> int:
        """How many values rose, fell, or did neither."""
        return sum(value.moved == moved for value in self.values)


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """Requests of one kind in one step."""

    round: int | None
    step: str
    role: str
    purpose: str
    requests: int | None
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a report says."""

    name: str
    task: str
    student: str
    started: str
    seed: str
    command: str
    before: Accuracy | None
    """The base student."""
    after: Accuracy | None
    """The student of the last round that was evaluated."""
    after_round: int | None
    change: Change | None
    asked: Asked | None
    """How the test split was asked in the last round that was evaluated; so are the extremes."""
    extremes: tuple[Extremes, ...]
    """The largest gap first."""
    rounds: tuple[RoundFacts, ...]
    scores: tuple[Scores, ...]
    hard_round: int | None
    """The round whose scores `hard_seeds` are from: the last one."""
    hard_seeds: tuple[HardSeed, ...]
    samples: tuple[Sample, ...]
    tags: tuple[Tag, ...]
    """Those with few values first."""
    tags_too_fine: tuple[str, ...]
    """Tags with so many values that hardly any has a few items."""
    ledger: tuple[LedgerRow, ...]
    ledger_total: Spent | None
    settings: tuple[tuple[str, str], ...]
    """Key path and value, as in recipe.lock.json."""
    versions: tuple[tuple[str, str], ...]
    hardware: tuple[tuple[str, str], ...]
    changes: tuple[str, ...]
    """What the run was extended by, under what else it went on, what rules changed, and what stopped it; a
    sentence each."""
    notes: tuple[str, ...]
    """What is missing or does not fit, a sentence each."""
