"""Answers by the student: greedy, batched, in the order that was asked."""

from collections.abc import Callable, Sequence

import torch

from asft.student import Loaded, prompt_ids
from asft.types import Answer, Finish


def answer(
    loaded: Loaded,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 256,
    batch_size: int = 250,
    progress: Callable[[int], None] | None = None,
) -> list[Answer]:
    """Answer each prompt greedily; the result has the order of the prompts.

    Prompts of like length share a batch, padded on the left. `progress` is told how many are done. An
    answer that reaches `max_new_tokens` without an end token has finish "length".
    """
    ids = prompt_ids(loaded.tokenizer, prompts)
    order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), i))
    answers: dict[int, Answer] = {}
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        answers.update(zip(rows, _batch(loaded, [ids[i] for i in rows], max_new_tokens), strict=True))
        if progress:
            progress(len(answers))
    return [answers[i] for i in range(len(prompts))]


def _batch(loaded: Loaded, rows: list[list[int]], max_new_tokens: int) -> list[Answer]:
    width = max(len(row) for row in rows)
    pad = loaded.tokenizer.pad_token_id
    device = loaded.model.device
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    ends = loaded.end_ids
    with torch.inference_mode():
        out = loaded.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=sorted(ends),
            pad_token_id=pad,
        )
    return [_read(loaded, row, ends) for row in out[:, width:].tolist()]


def _read(loaded: Loaded, ids: list[int], ends: frozenset[int]) -> Answer:
    end = next((i for i, token in enumerate(ids) if token in ends), None)
    finish: Finish = "length" if end is None else "stop"
    kept = ids[:end]
    text = loaded.tokenizer.decode(kept, skip_special_tokens=True)
    return Answer(text=text, token_ids=tuple(kept), finish=finish)
