"""Answers by the student: greedy, batched, in the order that was asked."""

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, GenerationMixin
from transformers.cache_utils import DynamicLayer

from asft.scorer.records import Tokens
from asft.student import Loaded, prompt_ids
from asft.types import Answer, Finish

LIVE_SHARE = 0.8
"""A batch is cut down to its open rows when fewer than this share of its rows are open."""

NO_MATTER = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "max_length", "max_new_tokens"),
    *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p"),
    *("use_cache", "output_attentions", "output_hidden_states", "transformers_version", "_from_model_config"),
}
"""Keys of a generation config that change nothing about a greedy answer of a given length."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """An answer, and what decoding itself says of its tokens."""

    answer: Answer
    tokens: Tokens | None
    """Of its tokens, the end token included where it came; None where nobody asked, or they are not known."""


def answer(
    loaded: Loaded,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 256,
    batch_size: int = 128,
    progress: Callable[[int], None] | None = None,
) -> list[Answer]:
    """The answers alone; else as `decode`."""
    found = decode(loaded, prompts, max_new_tokens=max_new_tokens, batch_size=batch_size, progress=progress)
    return [one.answer for one in found]


def decode(
    loaded: Loaded,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = 256,
    batch_size: int = 128,
    stats: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Decoded]:
    """Answer each prompt greedily; the result has the order of the prompts.

    Prompts of like length share a batch, padded on the left. `progress` is told how many are done. An
    answer that reaches `max_new_tokens` without an end token has finish "length". The tokens are those of
    transformers' own `generate`, which also writes them where greedy is not all that the model asks for.
    With `stats`, each answer has the statistics of its tokens, in float32 from the logits that chose them;
    those that `generate` wrote have None.
    """
    ids = prompt_ids(loaded.tokenizer, prompts)
    order = sorted(range(len(ids)), key=lambda i: (len(ids[i]), i))
    folded = replace(loaded, model=_folded(loaded.model))
    plain = _is_plain(folded.model)
    answers: dict[int, Decoded] = {}
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        asked = [ids[i] for i in rows]
        if plain:
            written = _greedy(folded, asked, max_new_tokens, stats)
        else:
            written = [_Row(token_ids=row) for row in _generate(folded, asked, max_new_tokens)]
        answers.update((i, _read(loaded, row)) for i, row in zip(rows, written, strict=True))
        if progress:
            progress(len(answers))
    return [answers[i] for i in range(len(prompts))]


def _folded(model: Any) -> Any:
    """A copy with the adapter folded into the weights, which saves half of the matrix products.

    Only for float32 on a CPU: in half precision the weights would round the adapter away.
    """
    in_float32 = all(p.dtype == torch.float32 and p.device.type == "cpu" for p in model.parameters())
    if not in_float32 or not hasattr(model, "merge_and_unload"):
        return model
    return copy.deepcopy(model).merge_and_unload()


def _is_plain(model: Any) -> bool:
    """Whether `_greedy` writes what `generate` would: plain greedy, plain inputs, rows that can be cut."""
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    asked = bare.generation_config.to_diff_dict()
    if any(
        key not in NO_MATTER and (key, value) != ("repetition_penalty", 1.0) for key, value in asked.items()
    ):
        return False
    takes = inspect.signature(bare.forward).parameters
    return (
        not bare.config.is_encoder_decoder
        and type(bare).prepare_inputs_for_generation is GenerationMixin.prepare_inputs_for_generation
        and {"attention_mask", "position_ids", "past_key_values", "logits_to_keep"} <= set(takes)
        and all(type(layer) is DynamicLayer for layer in DynamicCache(config=bare.config).layers)
    )


@dataclass
class _Row:
    """What is written of one answer, up to its end token or beyond."""

    token_ids: list[int] = field(default_factory=list)
    nll: list[float] = field(default_factory=list)
    """Of each token, in nats; empty where it is not asked for."""
    entropy: list[float] = field(default_factory=list)
    margin: list[float] = field(default_factory=list)

    def tokens(self, count: int) -> Tokens | None:
        """Of its first tokens."""
        if not self.nll:
            return None
        nll, entropy, margin = (
            np.array(values[:count], dtype=np.float32) for values in (self.nll, self.entropy, self.margin)
        )
        return Tokens(nll=nll, entropy=entropy, margin=margin)


@torch.inference_mode()
def _greedy(loaded: Loaded, rows: list[list[int]], max_new_tokens: int, stats: bool) -> list[_Row]:
    """The most likely tokens of each row; rows that have ended are dropped."""
    ids, mask = _padded(loaded, rows)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    ends = torch.tensor(sorted(loaded.end_ids), dtype=torch.long, device=ids.device)
    cache = DynamicCache(config=loaded.model.config)
    written = [_Row() for _ in rows]
    lines = list(written)
    live = torch.ones(len(rows), dtype=torch.bool, device=ids.device)
    for _ in range(max_new_tokens):
        logits = loaded.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        tokens = logits[:, -1].argmax(-1)
        for line, token in zip(lines, tokens.tolist(), strict=True):
            line.token_ids.append(token)
        if stats:
            log_p = torch.log_softmax(logits[:, -1].float(), dim=-1)
            chosen = log_p.gather(1, tokens[:, None])[:, 0]
            spread = (log_p.exp() * log_p).sum(-1)
            best = log_p.topk(2, dim=-1).values
            parts = torch.stack([-chosen, -spread, best[:, 0] - best[:, 1]], 1).tolist()
            for line, (nll, entropy, margin) in zip(lines, parts, strict=True):
                line.nll.append(nll)
                line.entropy.append(entropy)
                line.margin.append(margin)
        live &= ~torch.isin(tokens, ends)
        count = int(live.sum())
        if not count:
            break
        ids, positions = tokens[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(lines), 1)], dim=-1)
        if count < LIVE_SHARE * len(lines):
            kept = live.nonzero()[:, 0]
            cache.batch_select_indices(kept)
            ids, positions, mask, live = ids[kept], positions[kept], mask[kept], live[kept]
            lines = [lines[i] for i in kept.tolist()]
    return written


@torch.inference_mode()
def _generate(loaded: Loaded, rows: list[list[int]], max_new_tokens: int) -> list[list[int]]:
    ids, mask = _padded(loaded, rows)
    out = loaded.model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(loaded.end_ids),
        pad_token_id=loaded.tokenizer.pad_token_id,
    )
    written: list[list[int]] = out[:, ids.shape[1] :].tolist()
    return written


def _padded(loaded: Loaded, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, padded on the left."""
    width = max(len(row) for row in rows)
    pad = loaded.tokenizer.pad_token_id
    device = loaded.model.device
    ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask


def _read(loaded: Loaded, row: _Row) -> Decoded:
    ends = loaded.end_ids
    end = next((i for i, token in enumerate(row.token_ids) if token in ends), None)
    finish: Finish = "length" if end is None else "stop"
    kept = row.token_ids[:end]
    text = loaded.tokenizer.decode(kept, skip_special_tokens=True)
    counted = len(kept) + (end is not None)
    tokens = row.tokens(counted)
    stats = tokens.stats if tokens else None
    answer = Answer(text=text, token_ids=tuple(kept), finish=finish, stats=stats)
    return Decoded(answer=answer, tokens=tokens)
