"""`asft generate` writes a data set and its card, pays for nothing twice, and measures only what is read."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml

from asft import generate, recipe
from asft.cli import main
from asft.errors import JournalError, RunError
from asft.generate import Generated
from asft.progress import Progress
from asft.rundir import read_json, read_jsonl

NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "per_round": 4,
    "task": {"use": "pocket", "seeds": 8, "tests": 8},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "random"},
    "writer": {"use": "question_then_answer"},
    "filters": [{"use": "well_formed"}, {"use": "duplicate"}, {"use": "not_in_test"}],
}


def run(out: Path, *, given: dict[str, Any] | None = None, **changed: Any) -> Generated:
    options: dict[str, Any] = {"redo": None, "forms": ("chat", "prompt-completion"), "parquet": False}
    options |= {key: changed.pop(key) for key in ("redo", "forms", "parquet", "journal") if key in changed}
    made = recipe.read({**NANO, **(given or {}), **changed})
    with (out.parent / "told.txt").open("a") as told:
        return generate.generate(made, out, source="", command=["asft"], progress=Progress(told), **options)


def requests(made: Generated, counted: str) -> int:
    return sum(row.requests for row in getattr(made, counted))


def rows(out: Path, form: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / form / "data.jsonl").read_text("utf-8").splitlines()]


def test_a_data_set_has_both_forms_of_the_same_examples(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = run(out)
    plain, chat = rows(out, "prompt-completion"), rows(out, "chat")
    assert made.examples == len(plain) == len(chat) == 4
    assert all("####" in row["completion"] for row in plain)
    assert [
        [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["completion"]}]
        for row in plain
    ] == [row["messages"] for row in chat]
    written = [row["example"]["prompt"] for row in read_jsonl(out / "round-01" / "write.jsonl")]
    assert [row["prompt"] for row in plain] == written[:4]


def test_no_student_is_loaded_where_the_order_is_random(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asft.student.load", lambda *args: pytest.fail("a student was loaded"))
    run(tmp_path / "out")
    measured = read_jsonl(tmp_path / "out" / "round-01" / "measure.jsonl")
    assert [row["own"] for row in measured] == [None] * 8


def test_a_selector_that_reads_scores_has_the_student_measured(tmp_path: Path) -> None:
    run(tmp_path / "out", selector={"use": "top"}, student={"base": "pocket", "max_new_tokens": 40})
    picks = read_jsonl(tmp_path / "out" / "round-01" / "select.jsonl")[:8]
    scores = [row["score"] for row in picks]
    assert None not in scores
    assert scores == sorted(scores, reverse=True)
    assert "student that was measured" in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_the_same_command_again_asks_for_nothing_and_gives_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out)
    names = ("README.md", "chat/data.jsonl", "prompt-completion/data.jsonl")
    before = [(out / name).read_bytes() for name in names]
    again = run(out)
    assert [(out / name).read_bytes() for name in names] == before
    assert requests(again, "paid") == 8


def test_more_examples_go_on_from_those_that_are_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out)
    first = rows(out, "chat")
    more = run(out, per_round=6)
    assert rows(out, "chat")[:4] == first
    # A question and an answer each, and none paid twice.
    assert (more.examples, requests(more, "paid"), requests(more, "charged")) == (6, 12, 12)
    fewer = run(out, per_round=2)
    assert rows(out, "chat") == first[:2]
    assert requests(fewer, "paid") == 12


def test_a_budget_ends_it_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    # A script may take a question, an answer and a re-ask of each.
    small = run(out, budget={"requests": 8, "timeout_share": 0.0})
    assert small.budget_gone
    assert 0 < small.examples < 4
    assert requests(small, "charged") <= 8
    assert "used up before all examples were written" in (out / "README.md").read_text("utf-8")
    large = run(out, budget={"requests": 100, "timeout_share": 0.0})
    assert (large.examples, large.budget_gone, requests(large, "paid")) == (4, False, 8)


def test_data_sets_that_share_a_journal_pay_once(tmp_path: Path) -> None:
    journal = tmp_path / "shared.sqlite"
    one = run(tmp_path / "one", journal=journal)
    two = run(tmp_path / "two", journal=journal)
    assert (requests(one, "charged"), requests(one, "paid")) == (8, 8)
    assert (requests(two, "charged"), requests(two, "paid")) == (8, 0)
    assert rows(tmp_path / "one", "chat") == rows(tmp_path / "two", "chat")
    assert not (tmp_path / "two" / "journal.sqlite").exists()
    # The same command without --journal finds it.
    assert requests(run(tmp_path / "two"), "charged") == 8
    with pytest.raises(JournalError, match="shares the journal"):
        run(tmp_path / "two", journal=tmp_path / "other.sqlite")


def test_another_setting_is_told_and_redo_makes_it_anew(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out)
    with pytest.raises(RunError, match=r"writer\.votes was 0, now 1"):
        run(out, writer={"use": "question_then_answer", "votes": 1})
    made = run(out, writer={"use": "question_then_answer", "votes": 1}, redo="write")
    assert made.examples == 4


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match=r"holds other files \(thesis\.tex\)"):
        run(tmp_path)
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "run.json").write_text('{"name": "whole"}')
    with pytest.raises(RunError, match="holds a whole run"):
        run(whole)


def test_nothing_accepted_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"accepted nothing.* length of the question"):
        run(tmp_path / "out", filters=[{"use": "well_formed", "min_question": 1999}])


# Formats


def test_parquet_takes_the_place_of_json_lines_and_one_form_that_of_two(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(out)
    lines = rows(out, "chat")
    run(out, parquet=True, forms=("chat",))
    assert sorted(path.name for path in (out / "chat").iterdir()) == ["data.parquet"]
    assert not (out / "prompt-completion").exists()
    loaded = datasets.Dataset.from_parquet(str(out / "chat" / "data.parquet"), cache_dir=str(tmp_path / "c"))
    assert list(loaded) == lines


@pytest.mark.parametrize("parquet", [False, True])
def test_the_card_tells_load_dataset_where_each_form_is(tmp_path: Path, parquet: bool) -> None:
    out = tmp_path / "out"
    run(out, parquet=parquet)
    for form, columns in (("chat", ["messages"]), ("prompt-completion", ["prompt", "completion"])):
        loaded = datasets.load_dataset(str(out), form, split="train", cache_dir=str(tmp_path / "cache"))
        assert (loaded.column_names, len(loaded)) == (columns, 4)


def test_a_lone_surrogate_is_no_obstacle(tmp_path: Path) -> None:
    from asft.generate.data import put
    from asft.types import Example

    example = Example.make(task="t", prompt="a\ud800b", answer="1")
    for parquet in (False, True):
        [path] = put(tmp_path, [example], ["prompt-completion"], parquet=parquet)
        assert path.exists()
    assert generate.data.row(example, "prompt-completion") == {"prompt": "a?b", "completion": "1"}


# The card


def test_the_card_says_where_the_data_comes_from_what_fell_out_and_what_it_cost(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = run(
        out,
        per_round=3,
        teacher={"use": "rules", "error_rate": 0.5},
        writer={"use": "question_then_answer", "votes": 2},
        filters=[{"use": "well_formed"}, {"use": "agrees", "mode": "votes"}],
        budget={"requests": 500},
    )
    card = (out / "README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---")[1])
    assert front["tags"] == ["synthetic", "asft"]
    assert front["size_categories"] == ["n<1K"]
    assert "| teacher | `rules`; error_rate `0.5`" in card
    assert "| seeds | `pocket`; salt `A`, seeds `8`" in card
    assert "| selector | `random` |" in card
    assert "| criterion | none: the order does not depend on a student |" in card
    assert "| terms of the teacher | not stated in the recipe |" in card
    assert "Budget: 500 requests." in card
    prompts = read_json(out / "round-01" / "write.manifest.json")["settings"]["prompts"]
    assert sorted(prompts) == ["answer", "question"]
    assert all(f"| `{name}` | `" in card for name in prompts)
    dropped = sum(made.funnel["dropped"]["agrees"].values())
    assert dropped > 0
    assert "| `agrees` | mode `votes`" in card
    assert f"| {dropped} |" in card
    assert f"| charged to this data set | {requests(made, 'charged')} |" in card


def test_the_card_states_the_terms_that_the_recipe_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asft.generate.card import card

    out = tmp_path / "out"
    made = run(out)
    teacher = {"use": "openai", "model": "large-model", "terms": "training | allowed"}
    stated = recipe.read({**NANO, "teacher": teacher})
    told = card(
        stated,
        about=read_json(out / "run.json"),
        made=made,
        prompts={},
        files=made.files[:1],
        measured=False,
    )
    assert r"| terms of the teacher | training \| allowed |" in told
    assert "written by `large-model`" in told


# The command line


def test_a_recipe_without_selector_and_criterion_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    given = {key: value for key, value in NANO.items() if key not in ("selector", "criterion")}
    path.write_text(yaml.safe_dump(given))
    out = tmp_path / "out"
    command = ["generate", str(path), "--out", str(out), "--examples", "3", "--format", "chat"]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("\n3 examples from 3 of 8 seeds: 3 drafts, 0 came to nothing, 0 not kept\n")
    assert shown.splitlines()[-2:] == [str(out / "chat" / "data.jsonl"), str(out / "README.md")]
    assert read_json(out / "recipe.lock.json")["selector"]["use"] == "random"
    assert (out / "recipe.yaml").read_text().startswith("# --set per_round=3\n")
    # Scores without a criterion are a mistake.
    assert main([*command, "--set", "selector.use=top"]) == 1
    assert "criterion: a section with `use` is wanted" in capsys.readouterr().err


def test_a_recipe_that_extends_another_is_read_and_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(NANO))
    path = tmp_path / "mine.yaml"
    path.write_text("extends: base.yaml\nper_round: 3\nselector: {use: softmax}\n")
    out = tmp_path / "out"
    assert main(["generate", str(path), "--out", str(out), "--format", "chat"]) == 0
    assert read_json(out / "recipe.lock.json")["selector"]["use"] == "softmax"
    assert yaml.safe_load((out / "recipe.yaml").read_text())["writer"] == NANO["writer"]
