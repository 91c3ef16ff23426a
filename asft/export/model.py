"""The student of a round: its adapter alone, or a model like any other."""

import json
import shutil
from pathlib import Path
from typing import Any

from asft import student
from asft.errors import DataError, RunError
from asft.export.trained import Trained
from asft.rundir import write_json


def put_adapter(trained: Trained, folder: Path) -> None:
    """The LoRA adapter and the tokenizer. Its base is called as in the recipe, not as on this machine."""
    _wanted(trained)
    folder.mkdir(parents=True)
    for path in trained.adapter.iterdir():
        if path.is_file() and path.name != "README.md":
            shutil.copyfile(path, folder / path.name)
    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    config["base_model_name_or_path"] = trained.base
    config["revision"] = trained.settings["student"]["revision"]
    write_json(folder / "adapter_config.json", config)
    tokenizer(trained).save_pretrained(str(folder))


def put_merged(trained: Trained, folder: Path) -> None:
    """The base with the adapter in its weights, or what was trained whole: safetensors, tokenizer, generation
    config.

    Merged in float32 on the CPU and rounded once, to the dtype of the base; a base that was quantised is
    taken as it is. The generation config ends answers where asft does, also at an end token that only the
    tokenizer knows.
    """
    from transformers import AutoConfig

    _wanted(trained)
    options = trained.settings["student"]
    loaded = student.load(
        student.Student(base=trained.base, revision=options["revision"], adapter=str(trained.adapter)), "cpu"
    )
    ends = sorted(loaded.end_ids)
    model: Any = loaded.model if trained.whole else loaded.model.merge_and_unload()
    model.generation_config.eos_token_id = ends[0] if len(ends) == 1 else ends
    own = AutoConfig.from_pretrained(student.place(trained.base), revision=options["revision"])
    model.to(own.dtype or model.dtype).save_pretrained(str(folder))
    tokenizer(trained).save_pretrained(str(folder))


def tokenizer(trained: Trained) -> Any:
    """The base's, chat template included. Raises DataError where it cannot be loaded."""
    from transformers import AutoTokenizer

    revision = trained.settings["student"]["revision"]
    try:
        return AutoTokenizer.from_pretrained(student.place(trained.base), revision=revision)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the tokenizer of {trained.base!r}, the base of the run, cannot be loaded ({reason}); export "
            "where the base is at hand, or --only data"
        ) from error


def _wanted(trained: Trained) -> None:
    if not trained.whole and not (trained.adapter / "adapter_config.json").is_file():
        raise RunError(
            f"{trained.adapter} holds no adapter (no adapter_config.json) and no model (no config.json); "
            "export the rest with --only data or --only lm-eval"
        )
