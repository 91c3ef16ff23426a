"""What a recipe may say of how its student is trained."""

from typing import Any

import pytest

from asft import recipe
from asft.errors import RecipeError

GIVEN: dict[str, Any] = {
    "per_round": 3,
    "task": {"use": "pocket"},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
}


def test_lora_false_is_kept_as_it_is() -> None:
    made = recipe.read({**GIVEN, "lora": False, "data": {"start_from": "previous"}})
    assert made.lora is False
    assert made.settings["lora"] is False
    assert recipe.read(GIVEN).lora == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"lora": True}, r"lora = True: a section with keys, or false, is wanted"),
        ({"lora": False, "student": {"quantise": "nf4"}}, r"those that are quantised cannot be; leave out"),
        ({"lora": False, "data": {"start_from": "merged"}}, r"no adapter to merge; take .*previous"),
        (
            {"lora": False, "student": {"decoder": "vllm", "vllm": {"base_url": "http://127.0.0.1:1/v1"}}},
            r"a vLLM server takes in adapters alone",
        ),
        ({"student": {"quantise": "int8", "decoder": "vllm"}}, r"has them in int8; take decoder: hf"),
        ({"student": {"quantise": "int4"}}, r"quantise"),
        ({"lora": {"init_lora_weights": "pissa"}}, r"init_lora_weights = 'pissa': it changes the base"),
        ({"lora": {"bias": "all"}, "data": {"start_from": "merged"}}, r"lora.bias = 'all'.*cannot be merged"),
        ({"lora": {"use_dora": True}, "data": {"start_from": "merged"}}, r"lora.use_dora = True"),
    ],
)
def test_what_does_not_go_together_is_told_before_anything_is_loaded(
    given: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecipeError, match=told):
        recipe.read({**GIVEN, **given})


@pytest.mark.parametrize(
    "given",
    [
        {"student": {"quantise": "nf4"}, "data": {"start_from": "merged"}},
        {"lora": {"use_rslora": True, "bias": "none"}, "data": {"start_from": "merged"}},
        {"lora": {"use_dora": True, "init_lora_weights": "gaussian"}, "data": {"start_from": "previous"}},
        {"lora": False, "student": {"decoder": "vllm"}},
    ],
)
def test_what_goes_together_is_taken(given: dict[str, Any]) -> None:
    assert recipe.read({**GIVEN, **given})
