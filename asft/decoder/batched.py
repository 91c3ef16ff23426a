"""The model in memory, decoding batches: prompts of like length together, padded on the left."""

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import DynamicCache, GenerationMixin, LogitsProcessorList
from transformers.cache_utils import DynamicLayer

from asft.decoder.chance import Lots
from asft.decoder.records import Job, Row
from asft.decoder.stopping import reached
from asft.student import Loaded

LIVE_SHARE = 0.8
"""A batch is cut down to its open rows when fewer than this share of its rows are open."""

STOP_EVERY = 16
"""After so many tokens it is looked whether an answer has come to a stop string."""

NO_MATTER = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "max_length", "max_new_tokens"),
    *("do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p"),
    *("use_cache", "output_attentions", "output_hidden_states", "transformers_version", "_from_model_config"),
}
"""Keys of a generation config that change nothing about a greedy answer of a given length. Those about
sampling are not the model's to decide: the need that asks for samples says temperature and top_p."""


@dataclass(frozen=True, kw_only=True)
class Batched:
    """Decodes with transformers.

    Tokens are chosen here where the model asks for no more than that, and by transformers' own `generate`
    elsewhere; what is drawn is drawn by the same numbers in both.
    """

    size: int = 128
    """Answers that are written at once; half as many from where memory runs out."""

    def write(
        self,
        loaded: Loaded,
        jobs: Sequence[Job],
        *,
        max_new_tokens: int,
        stats: bool,
        progress: Callable[[int], None] | None,
    ) -> list[Row]:
        """See `Decoder.write`. Rows that `generate` writes have no statistics."""
        folded = replace(loaded, model=_folded(loaded.model))
        plain = _is_plain(folded.model)
        left = sorted(range(len(jobs)), key=lambda i: (len(jobs[i].prompt), i))
        rows: dict[int, Row] = {}
        size = self.size
        while left:
            batch = _batch(jobs, left, size)
            asked = [jobs[i] for i in batch]
            try:
                if plain:
                    written = _write(folded, asked, max_new_tokens, stats)
                else:
                    written = [Row(token_ids=ids) for ids in _generate(folded, asked, max_new_tokens)]
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                size = len(batch) // 2
                torch.cuda.empty_cache()
                continue
            rows.update(zip(batch, written, strict=True))
            left = left[len(batch) :]
            if progress:
                progress(len(rows))
        return [rows[i] for i in range(len(jobs))]

    def named(self) -> str:
        """See `Decoder.named`."""
        return f"transformers {transformers.__version__}"


def _batch(jobs: Sequence[Job], left: Sequence[int], size: int) -> Sequence[int]:
    """The first of what is left, `size` at most; answers to one prompt stay together where they fit."""
    batch = left[:size]
    first, last = jobs[batch[0]].prompt, jobs[batch[-1]].prompt
    if len(left) > size and jobs[left[size]].prompt == last != first:
        return list(takewhile(lambda i: jobs[i].prompt != last, batch))
    return batch


def _folded(model: Any) -> Any:
    """A copy with the adapter folded into the weights, which saves half of the matrix products.

    Only for float32 on a CPU: in half precision the weights would round the adapter away.
    """
    in_float32 = all(p.dtype == torch.float32 and p.device.type == "cpu" for p in model.parameters())
    if not in_float32 or not hasattr(model, "merge_and_unload"):
        return model
    return copy.deepcopy(model).merge_and_unload()


def _is_plain(model: Any) -> bool:
    """Whether `_write` writes what `generate` would: plain logits, plain inputs, rows that can be cut."""
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


@torch.inference_mode()
def _write(loaded: Loaded, jobs: Sequence[Job], max_new_tokens: int, stats: bool) -> list[Row]:
    """The tokens of each job. A prompt is run once for all of its answers; rows that ended are dropped."""
    ids, mask, which = _padded(loaded, jobs)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    ends = torch.tensor(sorted(loaded.end_ids), dtype=torch.long, device=ids.device)
    stops = [job.stop for job in jobs]
    lots = _lots(jobs, max_new_tokens, ids.device)
    cache = DynamicCache(config=loaded.model.config)

    def ahead() -> Tensor:
        """Logits of the next tokens, `[b, vocab]`."""
        made = loaded.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = made.logits[:, -1]
        return logits

    logits = ahead()
    if len(which) > len(ids):
        cache.batch_select_indices(which)
        logits, positions, mask = logits[which], positions[which], mask[which]
    written = [Row() for _ in jobs]
    lines = list(written)
    live = torch.ones(len(jobs), dtype=torch.bool, device=ids.device)
    for position in range(max_new_tokens):
        tokens = lots.drawn(logits, position) if lots else logits.argmax(-1)
        for line, token in zip(lines, tokens.tolist(), strict=True):
            line.token_ids.append(token)
        if stats:
            _note(lines, logits, tokens)
        live &= ~torch.isin(tokens, ends)
        if any(stops) and (position + 1) % STOP_EVERY == 0:
            stopped = [
                reached(loaded.tokenizer, line.token_ids, stop, STOP_EVERY)
                for line, stop in zip(lines, stops, strict=True)
            ]
            live &= ~torch.tensor(stopped, device=live.device)
        count = int(live.sum())
        if not count or position + 1 == max_new_tokens:
            break
        ids, positions = tokens[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(lines), 1)], dim=-1)
        if count < LIVE_SHARE * len(lines):
            kept = live.nonzero()[:, 0]
            cache.batch_select_indices(kept)
            ids, positions, mask, live = ids[kept], positions[kept], mask[kept], live[kept]
            lines = [lines[i] for i in kept.tolist()]
            stops = [stops[i] for i in kept.tolist()]
            lots = lots.kept(kept) if lots else None
        logits = ahead()
    return written


def _note(lines: Sequence[Row], logits: Tensor, tokens: Tensor) -> None:
    """Add the statistics of the tokens, in float32, from the logits as they are before any temperature."""
    log_p = torch.log_softmax(logits.float(), dim=-1)
    chosen = log_p.gather(1, tokens[:, None])[:, 0]
    spread = (log_p.exp() * log_p).sum(-1)
    best = log_p.topk(2, dim=-1).values
    parts = torch.stack([-chosen, -spread, best[:, 0] - best[:, 1]], 1).tolist()
    for line, (nll, entropy, margin) in zip(lines, parts, strict=True):
        line.nll.append(nll)
        line.entropy.append(entropy)
        line.margin.append(margin)


@torch.inference_mode()
def _generate(loaded: Loaded, jobs: Sequence[Job], max_new_tokens: int) -> list[list[int]]:
    ids, mask, which = _padded(loaded, jobs)
    lots = _lots(jobs, max_new_tokens, ids.device)
    # What is drawn is the only token left when the likeliest is taken; beams would weigh it against others.
    drawn = {"logits_processor": LogitsProcessorList([_Drawn(lots)]), "num_beams": 1} if lots else {}
    out = loaded.model.generate(
        input_ids=ids[which],
        attention_mask=mask[which],
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=sorted(loaded.end_ids),
        pad_token_id=loaded.tokenizer.pad_token_id,
        **drawn,
    )
    written: list[list[int]] = out[:, ids.shape[1] :].tolist()
    return written


class _Drawn:
    """Rules out all tokens but those that are drawn; the last word after what else the model asks for."""

    def __init__(self, lots: Lots) -> None:
        self._lots = lots
        self._position = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        tokens = self._lots.drawn(scores, self._position)
        self._position += 1
        return torch.full_like(scores, -torch.inf).scatter(1, tokens[:, None], 0.0)


def _lots(jobs: Sequence[Job], count: int, device: torch.device) -> Lots | None:
    chances = [job.chance for job in jobs if job.chance is not None]
    return Lots.of(chances, count, device) if chances else None


def _padded(loaded: Loaded, jobs: Sequence[Job]) -> tuple[Tensor, Tensor, Tensor]:
    """Token ids and attention mask of each prompt once, padded on the left; and which one is each job's."""
    rows = list(dict.fromkeys(job.prompt for job in jobs))
    number = {row: i for i, row in enumerate(rows)}
    width = max(map(len, rows))
    pad = loaded.tokenizer.pad_token_id
    device = loaded.model.device
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask, torch.tensor([number[job.prompt] for job in jobs], device=device)
