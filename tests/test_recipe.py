import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import recipe
from asft.errors import RecipeError
from asft.starter import recipes, write

NANO: dict[str, Any] = {
    "name": "nano",
    "seed": 1,
    "rounds": 2,
    "per_round": 6,
    "task": {"use": "pocket", "seeds": 16, "tests": 16},
    "student": {"base": "pocket", "max_new_tokens": 80},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "own"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
    "filters": [{"use": "well_formed"}, {"use": "duplicate"}],
    "train": {"max_steps": 2},
}


@pytest.mark.parametrize("path", sorted(recipes().glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_loads(path: Path) -> None:
    assert recipe.load(path).name == path.stem


def test_all_problems_are_told_at_once_under_their_keys() -> None:
    wrong = {
        **NANO,
        "rouds": 3,
        "rounds": 0,
        "task": {"use": "pokcet"},
        "selector": {"use": "softmax", "temprature": 2},
        "filters": [{"use": "well_formed"}, {"use": "nope"}],
        "train": {"max_step": 3, "output_dir": "x"},
        "budget": {"usd": -1},
    }
    with pytest.raises(RecipeError) as caught:
        recipe.read(wrong)
    told = str(caught.value)
    for part in (
        "rouds: unknown key, did you mean 'rounds'?",
        "rounds = 0: a whole number of at least 1",
        "task: there is no task 'pokcet'; did you mean 'pocket'?",
        "selector: unknown option 'temprature', did you mean 'temperature'?",
        "filters.1: there is no filter 'nope'",
        "train.max_step: unknown key, did you mean 'max_steps'?",
        "train.output_dir: cannot be set here, the run directory decides it",
        "budget: option 'usd' = -1",
    ):
        assert part in told
    assert len(told.splitlines()) == 8


def test_a_missing_section_names_the_plug_ins_to_choose_from() -> None:
    without = {key: value for key, value in NANO.items() if key != "selector"}
    with pytest.raises(RecipeError, match=r"selector: a section with `use` is wanted.*softmax"):
        recipe.read(without)


def test_overrides_reach_any_depth_lists_too(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(NANO))
    made = recipe.load(
        path, ["train.learning_rate=1e-3", "lora.r=4", "filters.1.use=not_in_test", "task.salt=C"]
    )
    assert made.train == {"max_steps": 2, "learning_rate": 0.001}
    assert made.lora == {"r": 4}
    assert [item["use"] for item in made.settings["filters"]] == ["well_formed", "not_in_test"]
    assert made.settings["task"]["salt"] == "C"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("rounds", "write it as key.path=value"),
        ("rounds.x=1", "'rounds' is a value and has no keys below it"),
        ("filters.9.use=top", "'9' is no place in a list of 2"),
        ("rounds=[", "is no YAML value"),
    ],
)
def test_an_override_that_cannot_be_read_is_told(tmp_path: Path, override: str, told: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(NANO))
    with pytest.raises(RecipeError, match=told.replace("[", r"\[")):
        recipe.load(path, [override])


def test_a_recipe_that_is_not_there_or_no_yaml_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="asft init"):
        recipe.load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("rounds: [1\n")
    with pytest.raises(RecipeError, match="is no YAML"):
        recipe.load(tmp_path / "bad.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(RecipeError, match="holds no keys"):
        recipe.load(tmp_path / "empty.yaml")


def test_the_settings_hold_every_default() -> None:
    settings = recipe.read(NANO).settings
    assert settings["max_drafts"] == 24
    assert settings["data"] == {
        "start_from": "base",
        "train_on": "all",
        "include_seeds": False,
        "replay": None,
        "weights": {"written": 1.0, "seed": 1.0, "replay": 1.0, "by": "equal"},
        "order": "shuffled",
        "measured": "previous",
        "validation": None,
    }
    assert settings["selector"]["use"] == "top"
    assert settings["task"]["salt"] == "A"


def test_the_starter_can_be_checked_as_it_is_and_writes_over_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "my-study"
    paths = write(folder)
    assert [path.relative_to(folder).as_posix() for path in paths] == [
        "prompts/answer.md",
        "prompts/question.md",
        "recipe.yaml",
    ]
    made = recipe.load(folder / "recipe.yaml")
    assert made.name == "my-study"
    assert made.settings["writer"]["question_prompt"] == str(folder / "prompts" / "question.md")
    with pytest.raises(Exception, match="is there already"):
        write(folder)


def test_settings_are_plain_json_prices_and_budgets_in_dollars_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADER", "secret")
    teacher = {
        "use": "openai",
        "model": "m",
        "prices": {"input": 0.15, "output": "0.6"},
        "extra_headers": {"X-Key": "${HEADER}"},
    }
    made = recipe.read({**NANO, "teacher": teacher, "budget": {"usd": 5}})
    plain = json.loads(json.dumps(made.settings))
    assert plain == made.settings
    assert plain["budget"]["usd"] == 5.0
    assert plain["teacher"]["prices"]["output"] == 0.6
    assert "secret" not in json.dumps(plain)
