"""A few steps of training by hand, and what they leave behind."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from asft import student
from asft.tasks.pocket.task import Pocket
from asft.train import methods

EXAMPLES = Pocket(seeds=8).load("seed")
LORA = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}


def batch(loaded: student.Loaded) -> dict[str, torch.Tensor]:
    """The examples, filled up on the right; the prompts are learnt, too."""
    prompts = student.prompt_ids(loaded.tokenizer, [one.prompt for one in EXAMPLES])
    answers = student.answer_ids(loaded, [one.completion or "" for one in EXAMPLES])
    rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    width = max(map(len, rows))
    ids = torch.tensor([row + [loaded.tokenizer.pad_token_id] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}


def losses(loaded: student.Loaded, model: Any, steps: int, lr: float = 1e-2) -> list[float]:
    """Train what wants to be trained."""
    given = batch(loaded)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    model.train()
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(**given).loss
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def trained(
    loaded: student.Loaded,
    out: Path,
    lora: Mapping[str, Any] | Literal[False] = LORA,
    *,
    start: Path | None = None,
    merged: bool = False,
    steps: int = 3,
    lr: float = 1e-2,
) -> str:
    """The folder with a student that took a few steps."""
    torch.manual_seed(len(out.name))
    model = methods.dress(loaded, str(start) if start else None, lora, merged=merged)
    losses(loaded, model, steps, lr)
    methods.save(loaded, model, out)
    methods.undress(loaded, model)
    return str(out)


def logits(loaded: student.Loaded) -> torch.Tensor:
    """Of all tokens of the examples."""
    given = batch(loaded)
    with torch.inference_mode():
        made: torch.Tensor = loaded.model(
            input_ids=given["input_ids"], attention_mask=given["attention_mask"]
        ).logits
    return made.clone()


def fingerprint(model: Any) -> str:
    """Of everything that a model computes with: weights, buffers, and the scales of quantised weights."""
    found = hashlib.sha256()
    for name, value in sorted({**dict(model.named_parameters()), **dict(model.named_buffers())}.items()):
        found.update(f"{name} {value.dtype}".encode())
        found.update(value.detach().contiguous().view(torch.uint8).numpy().tobytes())
        state = getattr(value, "quant_state", None)
        for key, part in sorted(state.as_dict().items()) if state is not None else ():
            found.update(f"{key} {part.tolist() if isinstance(part, torch.Tensor) else part}".encode())
    return found.hexdigest()
