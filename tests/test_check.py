"""What `asft check` says of a recipe that asks: what it costs at most, who judges, and what stops it."""

import re
import sys
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from asft import ceilings, check, inquiring, recipe
from asft.budget import Prices, ceiling_of
from asft.errors import FatalError, RecipeError
from asft.registry import plugin
from asft.teachers.rules import Rules
from asft.types import Answer, Context, Measurements, Observation, Reply, Request
from tests.criteria.asked import driven

NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 2,
    "per_round": 3,
    "max_drafts": 5,
    "task": {"use": "pocket", "seeds": 6, "tests": 2},
    "student": {"base": "pocket", "max_new_tokens": 60},
    "teacher": {"use": "rules"},
    "criterion": {"use": "judge"},
    "selector": {"use": "top"},
    "writer": {"use": "question_with_answer", "reasks": 0},
    "filters": [],
}


@plugin
class Paid:
    """A judge that says who it is, what it costs, and whether it is there."""

    input: float | None = 2.0
    says: str = "big-model at example.org"
    broken: str = ""
    away: str = ""

    @property
    def prices(self) -> Prices | None:
        each = None if self.input is None else Decimal(str(self.input))
        return None if each is None else Prices(input=each, output=each)

    def check(self) -> str:
        if self.broken:
            raise FatalError(self.broken)
        return self.says

    async def reach(self) -> list[str]:
        if self.away:
            raise FatalError(self.away)
        return ["a word of warning"]

    async def reply(self, request: Request) -> Reply:
        return await Rules().reply(request)


def paid(**options: Any) -> dict[str, Any]:
    return {"use": f"{Path(__file__).resolve()}:Paid", **options}


def reading(**changed: Any) -> recipe.Reading:
    return recipe.look_at({**NANO, **changed})


def shown(**changed: Any) -> str:
    return check.check(reading(**changed))


def numbers(text: str, line: str) -> list[int]:
    [found] = [one for one in text.splitlines() if one.startswith(line)]
    return [int(number) for number in re.findall(r"\d+", found.removeprefix(line))]


def at_most(text: str, name: str) -> int:
    return numbers(text, f"  {name} ")[-1]


def test_each_measurement_is_told_with_what_it_takes() -> None:
    text = shown(criterion={"use": "acquisition", "uncertainty": {"use": "disagreement", "k": 4}})
    assert "measures  embedding, samples" in text
    assert "  embedding: 6 forward passes, over questions; and those accepted before; in each round" in text
    assert "  samples: 24 answers of at most 60 tokens, 4 to each seed; in each round" in text


@pytest.mark.parametrize(
    ("criterion", "told"),
    [
        ({"use": "loss"}, "own: 6 answers of at most 60 tokens"),
        ({"use": "loss", "of": "gold"}, "gold: 6 forward passes, over worked references"),
        ({"use": "gradient_norm"}, "gradient: 6 forward passes, over own answers"),
        ({"use": "influence", "count": 4}, "reference_gradient: 4 forward passes, over worked references"),
        ({"use": "reward", "model": "a/b"}, "reward: 6 forward passes of a/b, over own answers"),
        (
            {"use": "bald", "members": 3, "examples": 50},
            "ensemble: 3 trainings on at most 50 examples, and 18 forward passes, over own answers",
        ),
    ],
)
def test_what_is_measured_of_the_student_is_told_in_passes_and_answers(
    criterion: dict[str, Any], told: str
) -> None:
    assert f"  {told}; in each round" in shown(criterion=criterion)


def test_needs_that_ask_are_told_with_requests_and_tokens_and_added_to_the_whole() -> None:
    text = shown()
    # 6 grades, each asked for again at most once, of at most 1024 tokens.
    requests, tokens_in, tokens_out = numbers(text, "  judge: at most")
    assert requests == 12
    assert tokens_out == 12 * 1024
    alone = shown(criterion={"use": "loss"})
    # 2 rounds of 5 drafts of 1 request each, and the grades of 2 rounds.
    assert at_most(alone, "requests") == 10
    assert at_most(text, "requests") == 10 + 2 * 12
    assert at_most(text, "input tokens") == at_most(alone, "input tokens") + 2 * tokens_in
    assert at_most(text, "output tokens") == at_most(alone, "output tokens") + 2 * tokens_out


@pytest.mark.parametrize(
    "criterion",
    [
        {"use": "judge", "max_answer_bytes": 500},
        {"use": "judge", "mode": "pairwise", "max_answer_bytes": 500, "reasks": 2},
        {"use": "llm_pick", "batch": 4},
    ],
)
def test_no_answer_of_a_student_takes_more_than_what_was_told(criterion: dict[str, Any]) -> None:
    made = reading(criterion=criterion).recipe()
    seeds = tuple(made.task.load("seed"))
    context = Context(task=made.task, seeds=seeds, accepted=(), test=(), round=1, seed=1)
    [told] = ceilings.of(made, context).pool.values()
    for text in ("", "#### 3", "ä" * 100_000, "\n" * 700):
        pool = Measurements(
            round=2,
            examples=seeds,
            observations=tuple(
                Observation(example_id=seed.id, own=Answer(text=text, token_ids=(), finish="length"))
                for seed in seeds
            ),
        )
        # A judge and a teacher that never say anything that can be read, and as much of it as may be.
        asked = [
            request
            for _, one in inquiring.inquiries(made.needs[-1:], pool, 1)
            for request in driven(one, lambda _: "y" * 9000)[1]
        ]
        assert asked
        assert len(asked) <= told.requests
        assert sum(ceiling_of(request).input_tokens for request in asked) <= told.input_tokens
        assert sum(request.sampling.max_tokens for request in asked) <= told.output_tokens


def test_an_answer_without_a_limit_of_its_own_is_as_long_as_the_references_allow() -> None:
    short = reading(criterion={"use": "judge", "max_answer_bytes": 10**6})
    made = short.recipe()
    seeds = tuple(made.task.load("seed"))
    context = Context(task=made.task, seeds=seeds, accepted=(), test=(), round=1, seed=1)
    bounded = ceilings.of(made, context).pool["judge"]
    open_ended = ceilings.of(
        recipe.look_at(
            {
                **NANO,
                "student": {"base": "pocket"},
                "criterion": {"use": "judge", "max_answer_bytes": 10**6},
            }
        ).recipe(),
        context,
    ).pool["judge"]
    assert open_ended.input_tokens > bounded.input_tokens > 6 * 60 * ceilings.LONGEST_TOKEN


def test_it_says_who_judges() -> None:
    assert "judge     the teacher" in shown()
    assert re.search(r"^judge     .*:Paid: big-model at example\.org$", shown(judge=paid()), re.MULTILINE)
    assert "judge     " not in shown(criterion={"use": "loss"})


def test_a_filter_that_asks_has_a_judge_and_a_ceiling_for_each_draft() -> None:
    text = shown(criterion={"use": "loss"}, filters=[{"use": "judge", "reasks": 2}])
    assert "judge     the teacher" in text
    assert numbers(text, "  filters: at most")[0] == 3
    # 2 rounds of 5 drafts of 1 request, each judged by up to 3.
    assert at_most(text, "requests") == 2 * 5 * (1 + 3)


def test_what_filters_measure_of_drafts_is_told() -> None:
    filters = [{"use": "still_uncertain", "above": 0.1}]
    assert "  of drafts: own" in shown(criterion={"use": "loss"}, filters=filters)


def test_a_writer_that_asks_nobody_is_right_as_it_is() -> None:
    told = shown(writer={"use": "reference"}, criterion={"use": "unscored"}, selector={"use": "random"})
    assert "The writer asks nobody." in told
    assert "Nothing is wrong with this recipe." in told
    assert numbers(told, "  requests ") == [0, 0]


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_a_vllm_that_is_to_decode_and_is_not_here_is_told() -> None:
    named = {"decoder": "vllm", "base": "pocket", "max_new_tokens": 60}
    told = "Warning: student.decoder: vLLM is not installed here"
    assert told in shown(student=named)
    assert told not in shown(student={**named, "vllm": {"base_url": "http://127.0.0.1:1/v1"}})
    assert told not in shown(student={**named, "vllm": {"python": sys.executable}})


def test_a_judge_that_nobody_asks_is_told() -> None:
    text = shown(criterion={"use": "loss"}, judge=paid())
    assert "Warning: judge: no criterion, selector or filter asks it" in text
    assert "has no effect" not in shown(judge=paid())


def test_the_cost_is_counted_at_the_prices_of_whoever_is_dearer() -> None:
    text = shown(judge=paid(input=1000.0))
    about, most = (
        sum(numbers(text, f"  {name} ")[place] for name in ("input tokens", "output tokens"))
        for place in (0, 1)
    )
    assert re.search(rf"  USD  +{about / 1000:.2f}  +{most / 1000:.2f}$", text, re.MULTILINE)
    assert re.search(r"  USD  +\?  +unknown \(no prices\)$", shown(judge=paid(input=None)), re.MULTILINE)


def test_a_budget_in_dollars_needs_the_prices_of_the_judge() -> None:
    with pytest.raises(RecipeError, match=r"budget\.usd: the judge's prices are unknown"):
        shown(judge=paid(input=None), budget={"usd": 1.0})
    assert "Nothing is wrong" in shown(judge=paid(input=1.0), budget={"usd": 1.0})


def test_a_judge_with_a_wrong_key_is_told_like_a_teacher() -> None:
    with pytest.raises(RecipeError, match=r"^judge: the key is missing$"):
        shown(judge=paid(broken="the key is missing"))


def test_a_judge_is_reached_before_a_new_run() -> None:
    assert "a word of warning" in check.start(reading(judge=paid()))
    with pytest.raises(RecipeError, match=r"^judge: nobody is there$"):
        check.start(reading(judge=paid(away="nobody is there")))
    assert "Nothing is wrong" in shown(judge=paid(away="nobody is there")), "check makes no call"


@pytest.mark.parametrize(
    ("budget", "warned"),
    [
        ({"requests": 12, "timeout_share": 0.0}, False),
        ({"requests": 11, "timeout_share": 0.0}, True),
        ({"tokens": 20_000}, True),
        ({"usd": 0.01}, True),
        ({"usd": 100.0}, False),
        ({}, False),
    ],
)
def test_a_budget_that_may_not_do_for_the_pool_is_told(budget: dict[str, Any], warned: bool) -> None:
    text = shown(budget=budget, judge=paid(input=1.0))
    assert ("Warning: budget: judge may take 12 requests" in text) == warned


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(RecipeError) as told:
        shown(
            judge=paid(broken="no key", input=None), budget={"usd": 1.0}, task={"use": "pocket", "seeds": 0}
        )
    lines = str(told.value).splitlines()
    assert [line.split(":")[0] for line in lines] == ["task", "judge", "budget.usd"]
