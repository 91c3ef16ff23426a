"""Recipes that extend others, and the methods of presets laid over a study's recipe."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import cli, loop, recipe
from asft.errors import RecipeError

BASE: dict[str, Any] = {
    "name": "base",
    "seed": 3,
    "rounds": 2,
    "per_round": 6,
    "task": {"use": "pocket", "seeds": 16, "tests": 16},
    "student": {"base": "pocket", "max_new_tokens": 60},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "gold"},
    "selector": {"use": "top", "max_draws": 2},
    "writer": {"use": "question_with_answer", "prompt": "gsm8k_question_with_answer", "reasks": 3},
    "filters": [{"use": "well_formed"}, {"use": "duplicate"}],
    "data": {"include_seeds": True},
    "train": {"max_steps": 2, "learning_rate": 0.001},
}


def put(folder: Path, name: str, said: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(said if isinstance(said, str) else yaml.safe_dump(said, sort_keys=False))
    return path


def test_what_a_recipe_says_goes_before_what_it_extends(tmp_path: Path) -> None:
    put(tmp_path, "base.yaml", BASE)
    path = put(
        tmp_path,
        "deep/mine.yaml",
        {
            "extends": "../base.yaml",
            "rounds": 5,
            "selector": {"use": "softmax"},
            "filters": [{"use": "not_in_test"}],
            "train": {"learning_rate": 0.5},
            "student": {"batch_size": 7},
        },
    )
    settings = recipe.load(path).settings
    assert settings["name"] == "mine"
    assert settings["rounds"] == 5
    assert settings["per_round"] == 6
    # Plug-ins and lists are replaced whole, other sections joined.
    assert settings["selector"] == {"use": "softmax", "temperature": 1.0, "max_draws": None}
    assert [one["use"] for one in settings["filters"]] == ["not_in_test"]
    assert settings["train"] == {"max_steps": 2, "learning_rate": 0.5}
    assert (settings["student"]["max_new_tokens"], settings["student"]["batch_size"]) == (60, 7)


def test_null_leaves_a_section_at_its_defaults(tmp_path: Path) -> None:
    put(tmp_path, "base.yaml", BASE)
    path = put(tmp_path, "mine.yaml", "extends: base.yaml\ndata: null\nfilters: null\n")
    settings = recipe.load(path).settings
    assert settings["data"]["include_seeds"] is False
    assert settings["filters"] == []


def test_a_chain_is_joined_from_its_end(tmp_path: Path) -> None:
    put(tmp_path, "a.yaml", BASE)
    put(tmp_path, "b.yaml", {"extends": "a.yaml", "rounds": 7, "train": {"learning_rate": 0.7}})
    path = put(tmp_path, "c.yaml", {"extends": "b.yaml", "train": {"max_steps": 9}})
    made = recipe.load(path, ["train.max_steps=11", "selector.max_draws=5"])
    assert made.rounds == 7
    assert made.train == {"max_steps": 11, "learning_rate": 0.7}
    assert made.settings["selector"] == {"use": "top", "max_draws": 5}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a": "extends: none.yaml"}, "there is no .*none.yaml; the path is taken from the folder"),
        ({"a": "extends: a.yaml"}, "it extends itself: a.yaml -> a.yaml"),
        (
            {"a": "extends: b.yaml", "b": "extends: c.yaml", "c": "extends: ./b.yaml"},
            "it extends itself: a.yaml -> b.yaml -> c.yaml -> b.yaml; leave out one `extends`",
        ),
        ({"a": "extends: [b.yaml]"}, r"a.yaml: extends = \['b.yaml'\]: the path of a recipe is wanted"),
        ({"a": "extends: b.yaml", "b": "rounds: ["}, "b.yaml is no YAML"),
        ({"a": "extends: b.yaml", "b": "- rounds"}, "b.yaml holds no keys"),
    ],
)
def test_what_cannot_be_extended_is_told(tmp_path: Path, files: dict[str, str], told: str) -> None:
    for name, text in files.items():
        put(tmp_path, f"{name}.yaml", text)
    with pytest.raises(RecipeError, match=told):
        recipe.load(tmp_path / "a.yaml")


def test_a_recipe_that_extends_nothing_is_kept_as_it_is_written(tmp_path: Path) -> None:
    text = "# mine\nrounds:   2   # few\n"
    assert recipe.source(put(tmp_path, "a.yaml", text)) == text


def test_a_joined_recipe_is_kept_whole_with_the_words_on_its_method(tmp_path: Path) -> None:
    put(tmp_path, "base.yaml", BASE)
    text = "# A method.\n# Of mine.\nextends: base.yaml\nrounds: 5\n# not on top\n"
    path = put(tmp_path, "mine.yaml", text)
    kept = recipe.source(path)
    assert kept.startswith("# A method.\n# Of mine.\n# Joined from mine.yaml, base.yaml.\nname: mine\n")
    alone = put(tmp_path / "elsewhere", "other.yaml", kept)
    assert recipe.load(alone).settings == recipe.load(path).settings


def test_a_run_directory_holds_the_joined_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources: list[str] = []

    def run(*_: Any, source: str, **__: Any) -> None:
        sources.append(source)
        raise RecipeError("far enough")

    monkeypatch.setattr(loop, "run", run)
    put(tmp_path, "base.yaml", {**BASE, "writer": {"use": "question_then_answer"}})
    path = put(tmp_path, "mine.yaml", "extends: base.yaml\n")
    out = tmp_path / "run"
    assert cli.main(["run", str(path), "--set", "rounds=1", "--out", str(out)]) == 1
    assert sources[0].startswith("# --set rounds=1\n# Joined from mine.yaml, base.yaml.\n")
    assert yaml.safe_load(sources[0])["per_round"] == 6


# Methods laid over a study's recipe


def test_an_overlay_changes_the_method_and_nothing_that_a_study_decides() -> None:
    preset = {
        **dict.fromkeys(("name", "seed", "rounds", "per_round", "max_drafts", "licence"), "of the preset"),
        **{key: {"use": "other"} for key in ("task", "teacher", "judge")},
        **{key: {"some": 1} for key in ("student", "train", "lora", "evaluate", "budget", "engine")},
        "criterion": {"use": "entropy"},
        "selector": {"use": "random"},
        "writer": {"use": "question_then_answer", "votes": 2},
        "filters": [{"use": "rouge_l"}],
        "data": {"start_from": "previous"},
    }
    assert recipe.overlay(BASE, preset) == {
        **BASE,
        "criterion": {"use": "entropy"},
        "selector": {"use": "random"},
        "writer": {"use": "question_then_answer", "votes": 2},
        "filters": [{"use": "rouge_l"}],
        "data": {"include_seeds": True, "start_from": "previous"},
    }


def test_an_overlay_keeps_the_prompts_of_the_same_writer() -> None:
    laid = recipe.overlay(BASE, {"writer": {"use": "question_with_answer", "reasks": 0}})
    assert laid["writer"] == {**BASE["writer"], "reasks": 0}


def test_an_overlay_lets_a_misspelt_key_through_to_be_told() -> None:
    with pytest.raises(RecipeError, match="selektor: unknown key, did you mean 'selector'"):
        recipe.read(recipe.overlay(BASE, {"selektor": {"use": "top"}}))


def test_an_overlay_leaves_both_as_they_are() -> None:
    base, preset = {"data": {"a": 1}}, {"data": {"b": 2}}
    assert recipe.overlay(base, preset) == {"data": {"a": 1, "b": 2}}
    assert (base, preset) == ({"data": {"a": 1}}, {"data": {"b": 2}})


def test_the_method_of_a_recipe_is_what_it_says_and_not_what_it_runs_on_alone(tmp_path: Path) -> None:
    put(tmp_path, "base.yaml", BASE)
    put(tmp_path, "paper.yaml", {"extends": "base.yaml", "selector": {"use": "top"}, "rounds": 1})
    path = put(tmp_path, "offline.yaml", {"extends": "paper.yaml", "filters": []})
    assert recipe.preset(str(path)) == {"selector": {"use": "top"}, "rounds": 1, "filters": []}
    assert recipe.preset(str(tmp_path / "base.yaml")) == BASE


def test_a_preset_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(RecipeError, match=r"there is no preset 'statik'; known: .*static"):
        recipe.preset("statik")
