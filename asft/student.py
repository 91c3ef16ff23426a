"""A student: which model it is, as data; loading it; and how its prompts become token ids."""

import gc
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asft import quantised
from asft.errors import DataError
from asft.quantised import Quantised
from asft.types import Message

POCKET = Path(__file__).resolve().parent / "students" / "pocket"
PUZZLES = POCKET.with_name("puzzles")
SHIPPED = {"pocket": POCKET, "puzzles": PUZZLES}
"""The students that ship with asft, by what a recipe calls them."""


@dataclass(frozen=True, kw_only=True)
class Student:
    """Which model."""

    base: str = "pocket"
    """"pocket" or "puzzles", a folder, or a name on the hub; any causal LM that transformers loads."""
    revision: str | None = None
    adapter: str | None = None
    """Folder of what was trained: a LoRA adapter on top of the base, or a whole model in its place."""
    quantise: Quantised | None = None
    """The base's weights in 4 bits (nf4) or 8 (int8), head and embeddings apart; None: as they are."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A student in memory."""

    student: Student
    model: Any
    """A transformers causal LM in eval mode, with the adapter on where there is one."""
    tokenizer: Any

    @property
    def end_ids(self) -> frozenset[int]:
        """Token ids that end an answer."""
        configured = self.model.generation_config.eos_token_id
        ids = configured if isinstance(configured, list) else [configured]
        return frozenset(i for i in (*ids, self.tokenizer.eos_token_id) if i is not None)


def place(base: str) -> str:
    """What transformers loads a base from: the folder of one that ships with asft, else what it is called."""
    return str(SHIPPED.get(base, base))


def of(name: str) -> Student:
    """The student that a name stands for.

    One that ships with asft, any other model, the folder of an adapter, or that of a run: its last student,
    quantised where it was.
    Raises DataError for a run that has trained nothing yet.
    """
    folder = Path(name)
    if (folder / "run.json").is_file():
        settings = json.loads((folder / "run.json").read_text("utf-8"))["student"]
        adapters = sorted(folder.glob("round-*/train.manifest.json"))
        if not adapters:
            raise DataError(f"the run {name} has trained no student yet; run it to the end of a round first")
        adapter = str(adapters[-1].parent / "adapter")
        return Student(
            base=settings["base"],
            revision=settings["revision"],
            adapter=adapter,
            quantise=settings.get("quantise"),
        )
    if (folder / "adapter_config.json").is_file():
        config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
        return Student(base=config["base_model_name_or_path"], revision=config.get("revision"), adapter=name)
    return Student(base=name)


def load(student: Student, device: str | None = None) -> Loaded:
    """Load model and tokenizer; CUDA where there is one and `device` names no other.

    Weights keep their dtype, and are float32 on a CPU; those of a quantised student are rounded as they are
    loaded. None wants a gradient before it is trained: where one does, torch multiplies in another order, and
    what was an adapter's base would give other last digits than before. Raises DataError where they cannot be
    loaded.
    """
    import torch
    from transformers import AutoTokenizer

    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    bare = replace(student, adapter=None)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place(student.base), revision=student.revision)
        if student.adapter is not None and is_whole(student.adapter):
            _unquantised(student)
            return Loaded(
                student=student, model=_model(student.adapter, where), tokenizer=_padding(tokenizer)
            )
        model = _model(place(student.base), where, student.revision, student.quantise)
    except (OSError, ValueError) as error:
        raise _unknown(student, error) from error
    base = Loaded(student=bare, model=model, tokenizer=_padding(tokenizer))
    return base if student.adapter is None else _put_on(base, student.adapter)


def outline(student: Student) -> Loaded:
    """A student without its weights, for whoever decodes with a model of its own.

    Tokenizer, configuration, generation config and dtype are those that `load` gives, float32 where the
    configuration tells no dtype; the model is on the device "meta", without an adapter. Raises DataError.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    whole = student.adapter is not None and is_whole(student.adapter)
    source = student.adapter if student.adapter and whole else place(student.base)
    revision = None if whole else student.revision
    try:
        tokenizer = AutoTokenizer.from_pretrained(place(student.base), revision=student.revision)
        config = AutoConfig.from_pretrained(source, revision=revision)
        dtype = config.dtype if torch.cuda.is_available() else None
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype or torch.float32)
        model.generation_config = _generation_config(source, revision)
    except (OSError, ValueError) as error:
        raise _unknown(student, error) from error
    return Loaded(student=student, model=model.eval(), tokenizer=_padding(tokenizer))


def _generation_config(source: str, revision: str | None) -> Any:
    """As transformers finds it for a model that it loads."""
    from transformers import GenerationConfig

    found: dict[str, Any] = {} if revision is None else {"revision": revision}
    try:
        return GenerationConfig.from_pretrained(source, **found)
    except OSError:
        return GenerationConfig.from_pretrained(
            source, config_file_name="config.json", _from_model_config=True, **found
        )


def _unknown(student: Student, error: Exception) -> DataError:
    reason = str(error).splitlines()[0]
    return DataError(f"student {student.base!r} cannot be loaded ({reason}); give a folder or a hub name")


def is_whole(folder: str) -> bool:
    """Whether a folder holds a whole model, and no adapter."""
    there = Path(folder)
    return (there / "config.json").is_file() and not (there / "adapter_config.json").is_file()


def _model(source: str, where: str, revision: str | None = None, quantise: Quantised | None = None) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    dtype: Any = torch.float32 if where == "cpu" else "auto"
    if quantise is None:
        model: Any = AutoModelForCausalLM.from_pretrained(source, revision=revision, dtype=dtype)
        return model.to(where).requires_grad_(False).eval()
    model = AutoModelForCausalLM.from_pretrained(
        source,
        revision=revision,
        dtype=dtype,
        quantization_config=quantised.config(quantise, where),
        device_map={"": where},
    )
    quantised.mend(model)
    return model.requires_grad_(False).eval()


def _padding(tokenizer: Any) -> Any:
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextmanager
def wearing(base: Loaded, adapter: str | None) -> Iterator[Loaded]:
    """The base with an adapter on, and without it again at the end; its weights are loaded once only.

    Where the folder holds a whole model, it is loaded beside the base. Raises DataError where it holds
    neither.
    """
    if adapter is None:
        yield base
        return
    if is_whole(adapter):
        _unquantised(base.student)
        # A trainer and its model hold each other, and go when the collector comes.
        gc.collect()
        model = _model(adapter, str(base.model.device))
        yield Loaded(student=replace(base.student, adapter=adapter), model=model, tokenizer=base.tokenizer)
        return
    dressed = _put_on(base, adapter)
    try:
        yield dressed
    finally:
        dressed.model.unload()
        base.model.eval()


@contextmanager
def away(loaded: Loaded) -> Iterator[None]:
    """The student's weights off its device while it lasts, so that another model has the room.

    They stay off where the block raises: the room may not be free.
    """
    import torch

    device = loaded.model.device
    loaded.model.to("cpu")
    # A trainer and its optimizer hold each other, and go when the collector comes.
    gc.collect()
    torch.cuda.empty_cache()
    yield
    loaded.model.to(device)


@contextmanager
def renamed_checkpointing() -> Iterator[None]:
    """Silence one warning: peft and trl use the old name of what the newest transformers calls otherwise."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*gradient_checkpointing", category=FutureWarning)
        yield


def _put_on(base: Loaded, adapter: str) -> Loaded:
    from peft import PeftModel

    if not Path(adapter, "adapter_config.json").is_file():
        raise DataError(
            f"{adapter} holds no LoRA adapter (no adapter_config.json) and no model (no config.json)"
        )
    with renamed_checkpointing():
        model: Any = PeftModel.from_pretrained(base.model, adapter)
    return Loaded(
        student=replace(base.student, adapter=adapter), model=model.eval(), tokenizer=base.tokenizer
    )


def _unquantised(student: Student) -> None:
    if student.quantise is not None:
        raise DataError(
            f"{student.base} quantised to {student.quantise} wears LoRA adapters, and no whole model; leave "
            "quantise out"
        )


Prompt = str | Sequence[Message]
"""A question alone, or a chat that ends with one."""


def prompt_ids(tokenizer: Any, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Token ids of `prompt_texts`."""
    if not prompts:
        return []
    texts = prompt_texts(tokenizer, prompts)
    # A chat template writes the special tokens itself.
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=not tokenizer.chat_template)["input_ids"]
    return ids


def prompt_texts(tokenizer: Any, prompts: Sequence[Prompt]) -> list[str]:
    """What the student reads up to where its answer starts.

    By the chat template where there is one; else plain text, a question and its answer on lines of their own
    and an empty line between the turns. Raises DataError for a chat that the template does not take.
    """
    chats = [
        [{"role": "user", "content": prompt}]
        if isinstance(prompt, str)
        else [{"role": turn.role, "content": turn.content} for turn in prompt]
        for prompt in prompts
    ]
    if not tokenizer.chat_template:
        return ["".join(f"{one['content']}{PLAIN[one['role']]}" for one in chat) for chat in chats]
    from jinja2 import TemplateError

    try:
        texts: list[str] = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        roles = ", ".join(dict.fromkeys(turn["role"] for chat in chats for turn in chat))
        raise DataError(
            f"the student's chat template does not take a chat of {roles} ({error}); ask without the first"
        ) from error
    return texts


PLAIN = {"system": "\n\n", "user": "\n", "assistant": "\n\n"}
"""What stands behind a turn where there is no chat template."""


def answer_ids(loaded: Loaded, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of answers as the student is trained to write them, the end token included."""
    if not texts:
        return []
    ids: list[list[int]] = loaded.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return [[*row, loaded.tokenizer.eos_token_id] for row in ids]
