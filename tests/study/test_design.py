from pathlib import Path
from typing import Any

import pytest
import yaml

from asft import study
from asft.errors import RecipeError

ROOT = Path(__file__).resolve().parents[2]
GIVEN: dict[str, Any] = {
    "name": "small",
    "recipe": str(ROOT / "recipes" / "quickstart.yaml"),
    "set": {"rounds": 2, "per_round": 10, "task.seeds": 60, "train": {"max_steps": 8}},
    "seeds": [3, 1],
    "seeded": ["task.sample"],
    "budget": {"examples": 20},
    "arms": {
        "static": {"preset": "static"},
        "entropy": {"set": {"criterion.use": "entropy"}},
    },
    "compare_to": "static",
}


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({**GIVEN, **changes}, sort_keys=False), encoding="utf-8")
    return path


def test_each_run_has_the_base_recipe_with_its_arm_its_seed_and_the_budget_on_top(tmp_path: Path) -> None:
    found = study.load(written(tmp_path))
    given = found.given(found.arms[1], 3)
    assert given["name"] == "small entropy 3"
    assert (given["seed"], given["task"]["sample"], given["task"]["use"]) == (3, 3, "pocket")
    assert given["criterion"] == {"use": "entropy", "of": "own"}
    assert (given["rounds"], given["train"], given["budget"]) == (2, {"max_steps": 8}, {"examples": 20})


def test_a_preset_changes_the_method_and_leaves_all_else_to_the_study(tmp_path: Path) -> None:
    found = study.load(written(tmp_path))
    static, entropy = (found.given(arm, 1) for arm in found.arms)
    assert static["selector"] != entropy["selector"]
    for key in ("task", "student", "teacher", "train", "budget", "rounds", "per_round"):
        assert static[key] == entropy[key], key


def test_runs_come_seed_by_seed_so_that_arms_have_come_as_far(tmp_path: Path) -> None:
    found = study.load(written(tmp_path))
    names = [(arm.name, seed) for arm, seed in found.pairs()]
    assert names == [("static", 3), ("entropy", 3), ("static", 1), ("entropy", 1)]


def test_changes_of_one_arm_do_not_reach_another(tmp_path: Path) -> None:
    arms = {"a": {"set": {"filters": [], "data.start_from": "previous"}}, "b": {}}
    found = study.load(written(tmp_path, arms=arms, compare_to="b"))
    assert found.given(found.arms[0], 1)["filters"] == []
    assert found.given(found.arms[1], 1)["filters"] != []
    assert found.given(found.arms[1], 1)["data"]["start_from"] == "base"


def test_paths_are_taken_from_the_folder_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(f"extends: {ROOT / 'recipes' / 'quickstart.yaml'}\nrounds: 2\n")
    (tmp_path / "method.yaml").write_text("extends: mine.yaml\nselector: {use: random}\n")
    path = written(tmp_path, recipe="mine.yaml", arms={"a": {"preset": "method.yaml"}}, compare_to="a")
    found = study.load(path)
    assert found.given(found.arms[0], 1)["selector"] == {"use": "random"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sedes": [1]}, "sedes: unknown key"),
        ({"recipe": None}, "recipe = None"),
        ({"recipe": "nowhere.yaml"}, "recipe: there is no recipe"),
        ({"seeds": [1, 1]}, "seeds = [1, 1]"),
        ({"seeds": []}, "seeds = []"),
        ({"seeds": [True]}, "seeds = [True]"),
        ({"budget": {"examples": 20, "usd": 1}}, "budget = {'examples': 20, 'usd': 1}"),
        ({"budget": {"minutes": 3}}, "kinds: examples, tokens, usd, flops"),
        ({"budget": {"examples": 500}}, "2 rounds of 10 examples never reach the budget of 500"),
        ({"arms": {}}, "arms: names with what each changes"),
        ({"arms": {"../a": {}}}, "arms.../a: a name of letters"),
        ({"arms": {"a": {"presets": "static"}}}, "arms.a = {'presets': 'static'}"),
        ({"arms": {"a": {"preset": "statik"}}}, "arms.a: there is no preset 'statik'"),
        ({"arms": {"static": {"set": {"criterion.use": "los"}}}}, "arms.static: criterion: "),
        ({"arms": {"a": {"set": {"seed.x": 1}}}}, "arms.a.set: 'seed' is a value"),
        ({"set": {"selector": {"use": "topp"}}}, "arms.entropy: selector"),
        ({"compare_to": "stat"}, "compare_to = 'stat': no arm; arms: static, entropy"),
        ({"fidelity": "yes"}, "fidelity = 'yes'"),
        ({"seeded": "task.sample"}, "seeded = 'task.sample'"),
    ],
)
def test_what_is_wrong_is_told_under_its_key(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        study.load(written(tmp_path, **changes))
    assert said in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        study.load(written(tmp_path, seeds=[], budget={}, arms={"a": {"preset": "none"}}))
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["seeds", "budget", "arms.a:"]
