from dataclasses import replace
from typing import Any

import pytest
from trl import SFTConfig

from asft.student import Student
from asft.train.hardware import Hardware, Shape
from asft.train.settings import settings

GIB = 2**30
CPU = Hardware(device="cpu", bf16=True, memory=24 * GIB)
H100 = Hardware(device="cuda", bf16=True, memory=80 * GIB)
FLASH = replace(H100, attention="flash_attention_2")
OLD = Hardware(device="cuda", bf16=False, memory=16 * GIB)
POCKET = Shape(parameters=1_415_840, bytes=5_663_360, layers=4, width=160, inner=448, half=False)
# Qwen2.5-7B in 16 bits: 7.6e9 parameters, 15.2 GB.
SEVEN = Shape(parameters=7_615_616_512, bytes=15_231_233_024, layers=28, width=3584, inner=18944, half=True)
HALF_A_BILLION = Shape(parameters=494_032_768, bytes=988_065_536, layers=24, width=896, inner=4864, half=True)


def given(hardware: Hardware, shape: Shape | None, lora: Any = None, **sft: Any) -> dict[str, Any]:
    return settings(sft, {} if lora is None else lora, hardware, shape)[0]


def twice(to_trl: dict[str, Any]) -> bool:
    return bool(to_trl.get("activation_checkpointing", to_trl.get("gradient_checkpointing")))


def test_a_small_student_on_a_cpu_is_trained_in_float32_four_examples_at_once() -> None:
    found = given(CPU, POCKET)
    assert (found["bf16"], found["fp16"], found["use_cpu"]) == (False, False, True)
    assert (found["per_device_train_batch_size"], found["gradient_accumulation_steps"]) == (4, 4)
    assert (found["train_sampling_strategy"], found["padding_free"]) == ("random", False)
    assert not twice(found)


def test_a_large_student_on_a_cpu_is_trained_in_bfloat16_where_the_processor_multiplies_it() -> None:
    large = replace(HALF_A_BILLION, half=False)
    assert given(CPU, large)["bf16"]
    assert given(CPU, large)["per_device_train_batch_size"] == 2
    assert not given(replace(CPU, bf16=False), large)["bf16"]
    assert not given(CPU, replace(large, quantised=True))["bf16"]
    assert not given(CPU, None)["bf16"]


def test_on_a_gpu_examples_are_laid_end_to_end_only_where_an_attention_keeps_them_apart() -> None:
    assert given(FLASH, HALF_A_BILLION)["padding_free"]
    assert given(FLASH, HALF_A_BILLION)["train_sampling_strategy"] == "random"
    assert not given(H100, HALF_A_BILLION)["padding_free"]
    assert given(H100, HALF_A_BILLION)["train_sampling_strategy"] == "group_by_length"
    # TRL does not cut examples that it lays end to end.
    assert not given(FLASH, HALF_A_BILLION, max_length=512)["padding_free"]


def test_a_gpu_that_has_no_bfloat16_gets_float16() -> None:
    assert (given(OLD, POCKET)["bf16"], given(OLD, POCKET)["fp16"]) == (False, True)


def test_a_precision_that_is_named_turns_the_other_off() -> None:
    found = given(H100, POCKET, fp16=True)
    assert (found["bf16"], found["fp16"]) == (False, True)


@pytest.mark.parametrize(
    ("memory", "at_once", "checkpointing"),
    [
        # 10 * (2 * 3584 + 18944) = 261 120 bytes a token and layer: 7.49e9 an example of 1024 tokens.
        # 0.8 * 80 GiB = 68.7e9, less 15.2e9 for the weights, holds 7.1 of them.
        (80, 4, False),
        # 0.8 * 32 GiB = 27.5e9 holds 1.6.
        (32, 1, False),
        # 0.8 * 24 GiB = 20.6e9 holds 0.7; computed twice, an example takes 0.27e9 for a layer and
        # 28 * 4 * 3584 * 1024 = 0.41e9 for what is kept: 5.38e9 hold 7.9 of them.
        (24, 4, True),
    ],
)
def test_memory_decides_how_many_are_computed_at_once_and_whether_twice(
    memory: int, at_once: int, checkpointing: bool
) -> None:
    found = given(replace(H100, memory=memory * GIB), SEVEN)
    assert (found["per_device_train_batch_size"], twice(found)) == (at_once, checkpointing)
    assert found["per_device_train_batch_size"] * found["gradient_accumulation_steps"] == 16


def test_shorter_examples_leave_room_for_more_at_once() -> None:
    assert given(replace(H100, memory=80 * GIB), SEVEN, max_length=256)["per_device_train_batch_size"] == 16


def test_training_all_weights_has_a_rate_of_its_own_and_no_settings_of_an_adapter() -> None:
    to_trl, to_peft = settings({}, False, H100, HALF_A_BILLION)
    assert (to_trl["learning_rate"], to_peft) == (1e-4, False)
    to_trl, to_peft = settings({}, {"r": 4}, H100, HALF_A_BILLION)
    assert isinstance(to_peft, dict)
    assert (to_trl["learning_rate"], to_peft["r"]) == (1e-3, 4)


def test_training_all_weights_takes_memory_for_a_copy_its_gradients_and_moments() -> None:
    # 16 * 494e6 + 1e9 = 8.9e9 bytes before any activation; 0.8 * 10 GiB = 8.6e9.
    ten = replace(H100, memory=10 * GIB)
    assert not twice(given(ten, HALF_A_BILLION))
    assert twice(given(ten, HALF_A_BILLION, lora=False))


def test_what_the_caller_says_stands() -> None:
    said = {"learning_rate": 0.5, "optim": "sgd", "padding_free": False, "train_sampling_strategy": "random"}
    found = given(FLASH, SEVEN, per_device_train_batch_size=3, **said)
    assert {key: found[key] for key in said} == said
    assert found["per_device_train_batch_size"] == 3
    assert "gradient_accumulation_steps" not in found


@pytest.mark.parametrize("hardware", [CPU, replace(CPU, bf16=False)])
def test_trl_takes_them(hardware: Hardware) -> None:
    SFTConfig(output_dir="nowhere", **given(hardware, replace(HALF_A_BILLION, half=False)))


def test_the_size_of_a_student_is_read_off_its_configuration() -> None:
    assert Shape.of(Student(), "cpu") == POCKET
    assert Shape.of(Student(base="./no-such-model"), "cpu") is None


def test_this_machine_is_known() -> None:
    here = Hardware.here("cpu")
    assert (here.device, here.attention) == ("cpu", None)
    assert here.memory > GIB
