"""What a reward model thinks of the student's own answers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from asft.errors import DataError
from asft.measure.records import Found, Pool, Told
from asft.scorer import BUDGET, START, Plan
from asft.student import Loaded
from asft.types import Measurements


def reward(loaded: Loaded, pool: Pool, options: Mapping[str, Any], before: Measurements, told: Told) -> Found:
    """The one logit of a sequence classification model, given question and own answer; high is good.

    By the model's chat template; without one as a pair of texts where its tokenizer knows how to part them,
    else with a line break between. None for a text that is longer than the model takes: nothing is cut.
    Raises DataError for a model that cannot be loaded or has another number of logits.
    """
    name = options["model"]
    device = loaded.model.device
    model, tokenizer = load(name, device)
    answered = {i: one.own.text for i, one in enumerate(before.observations) if one.own is not None}
    ids = {i: read(tokenizer, pool.examples[i].prompt, text) for i, text in answered.items()}
    positions = getattr(model.config, "max_position_embeddings", None) or math.inf
    most = min(positions, tokenizer.model_max_length)
    fits = [i for i, row in ids.items() if 0 < len(row) <= most]
    pad = _pad(model, [ids[i] for i in fits])
    # A plan counts the tokens before a row's last answer token.
    plan = Plan.of(
        [(ids[i], [0]) for i in fits],
        budget=BUDGET.get(device.type, BUDGET["cuda"]),
        start=START.get(device.type, START["cuda"]),
    )
    scores: dict[int, float] = {}
    for batch in plan.batches:
        found = _scored(model, [ids[fits[at]] for at in batch], pad)
        scores |= {fits[at]: value for at, value in zip(batch, found, strict=True) if math.isfinite(value)}
        told(len(scores))
    return Found(signals={"reward": [scores.get(i) for i in range(len(pool.examples))]})


def load(name: str, device: torch.device) -> tuple[Any, Any]:
    """The model and its tokenizer. Raises DataError."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    dtype: Any = torch.float32 if device.type == "cpu" else "auto"
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        model = AutoModelForSequenceClassification.from_pretrained(name, dtype=dtype)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the reward model {name!r} cannot be loaded ({reason}); give a folder or a hub name"
        ) from error
    if model.config.num_labels != 1:
        raise DataError(
            f"the model {name!r} gives {model.config.num_labels} numbers for a text, and a reward model "
            "gives one; name a sequence classification model with one label"
        )
    return model.to(device).eval(), tokenizer


def read(tokenizer: Any, prompt: str, answer: str) -> list[int]:
    """Token ids of a question and an answer to it."""
    if tokenizer.chat_template:
        chat = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
        text = tokenizer.apply_chat_template(chat, tokenize=False)
        made = tokenizer(text, add_special_tokens=False)
    elif tokenizer.sep_token is not None:
        made = tokenizer(prompt, answer)
    else:
        made = tokenizer(f"{prompt}\n{answer}")
    ids: list[int] = made["input_ids"]
    return ids


def _pad(model: Any, rows: Sequence[Sequence[int]]) -> int:
    """What rows are filled up with. Decoders read the score at the last token that is no padding, so where
    the model names none it is a token that no row has."""
    if model.config.pad_token_id is None:
        unused = set(range(model.config.vocab_size)).difference(*rows)
        model.config.pad_token_id = min(unused, default=0)
    pad: int = model.config.pad_token_id
    return pad


@torch.inference_mode()
def _scored(model: Any, rows: Sequence[Sequence[int]], pad: int) -> list[float]:
    width = max(map(len, rows))
    device = model.device
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    found: list[float] = model(input_ids=ids, attention_mask=mask).logits[:, 0].float().tolist()
    return found
