"""What the student computes is in the ledger of a real run, and what it has to compute yet is set aside."""

from pathlib import Path
from typing import Any

import pytest

from asft import flops, loop, recipe, student
from asft.ceilings import LORA
from asft.errors import BudgetError, RunError
from asft.journal import Journal
from asft.progress import Progress
from asft.registry import plugin
from asft.rundir import read_json, read_jsonl
from asft.teachers.rules import Rules
from asft.types import Reply, Request


@plugin
class Sized:
    """Rules, as if they were a model."""

    active_params: float | None = 1e5

    async def reply(self, request: Request) -> Reply:
        return await Rules().reply(request)


NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 1,
    "per_round": 4,
    "task": {"use": "pocket", "seeds": 8, "tests": 4},
    "student": {"base": "pocket", "max_new_tokens": 40},
    "teacher": {"use": f"{__file__}:Sized"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
    "train": {"max_steps": 2},
}


def run(out: Path, redo: str | None = None, **changed: Any) -> dict[tuple[int, str, str, str], float | None]:
    made = recipe.read({**NANO, **changed})
    with (out.parent / "progress.txt").open("a") as told:
        loop.run(made, out, source="", command=["asft"], redo=redo, progress=Progress(told))
    return ledger(out)


def ledger(out: Path) -> dict[tuple[int, str, str, str], float | None]:
    with Journal(out / "journal.sqlite") as journal:
        return {(one.round, one.step, one.role, one.purpose): one.flops for one in journal.sums()}


def of_student(
    rows: dict[tuple[int, str, str, str], float | None],
) -> dict[tuple[int, str, str], float | None]:
    return {(at, step, why): count for (at, step, role, why), count in rows.items() if role == "student"}


def test_each_step_of_the_student_is_a_line_and_is_charged_once(tmp_path: Path) -> None:
    rows = run(tmp_path / "run")
    found = of_student(rows)
    assert set(found) == {(0, "evaluate", ""), (1, "measure", "own"), (1, "train", ""), (1, "evaluate", "")}
    # By the tokens that are in the files.
    work = flops.of_student(student.place("pocket"), lora=LORA)
    loaded = student.load(student.Student(), "cpu")
    dataset = read_jsonl(tmp_path / "run" / "round-01" / "dataset.jsonl")
    lengths = [
        (len(prompt), len(answer))
        for prompt, answer in zip(
            student.prompt_ids(loaded.tokenizer, [row["prompt"] for row in dataset]),
            student.answer_ids(loaded, [row["completion"] for row in dataset]),
            strict=True,
        )
    ]
    told = read_json(tmp_path / "run" / "round-01" / "train.json")
    assert told["tokens"] == sum(map(sum, lengths))
    passes = told["tokens_seen"] / told["tokens"]
    assert found[1, "train", ""] == flops.training(work.work, lengths, passes=passes, adapter=work.adapter)
    # Nothing is done, and nothing charged, when the same run goes on.
    assert run(tmp_path / "run") == rows
    assert of_student(run(tmp_path / "run", redo="evaluate"))[1, "evaluate", ""] == pytest.approx(
        2 * (found[1, "evaluate", ""] or 0.0)
    )


def test_what_the_base_measures_is_charged_without_an_adapter_in_every_round(tmp_path: Path) -> None:
    found = {}
    for measured in ("base", "previous"):
        rows = run(tmp_path / measured, rounds=2, data={"measured": measured})
        found[measured] = [of_student(rows)[number, "measure", "own"] for number in (1, 2)]
    assert found["base"][0] == found["base"][1] == found["previous"][0]
    assert found["previous"][1] != found["previous"][0]


def test_what_filters_measure_is_a_line_of_the_write_step(tmp_path: Path) -> None:
    rows = of_student(run(tmp_path / "run", filters=[{"use": "still_uncertain", "above": 0.001}]))
    assert (rows[1, "write", "own"] or 0.0) > 0.0


def test_a_run_within_its_budget_comes_to_its_end(tmp_path: Path) -> None:
    free = sum(count or 0.0 for count in of_student(run(tmp_path / "free")).values())
    rows = run(tmp_path / "run", budget={"flops": 1.6 * free})
    assert (1, "evaluate", "student", "") in rows
    assert free < sum(count or 0.0 for count in rows.values()) <= 1.6 * free


def test_a_budget_that_does_not_do_for_the_student_makes_no_call(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the budget allows no further draft"):
        run(tmp_path / "run", budget={"flops": 1e9})
    assert not [at for at in ledger(tmp_path / "run") if at[2] == "teacher"]


def test_a_budget_needs_to_know_how_large_the_teacher_is(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="no active_params"):
        run(tmp_path / "run", budget={"flops": 1e18}, teacher={**NANO["teacher"], "active_params": None})
