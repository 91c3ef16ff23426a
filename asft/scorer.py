"""Exact statistics of given token ids under the student: negative log-likelihood and entropy."""

from collections.abc import Callable, Sequence

import torch

from asft.student import Loaded
from asft.types import TokenStats


def score(
    loaded: Loaded,
    rows: Sequence[tuple[Sequence[int], Sequence[int]]],
    *,
    batch_tokens: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[TokenStats]:
    """Statistics of each row's answer ids given its prompt ids; the result has the order of the rows.

    Rows of like length share a batch of about `batch_tokens` tokens, padded on the right: by default 8192,
    and 2048 on a CPU, whose caches hold no more. Logits of the answers alone are computed in float32. Rows
    without answer ids raise ValueError. `progress` gets the number of finished rows.
    """
    most = batch_tokens or (2048 if loaded.model.device.type == "cpu" else 8192)
    order = sorted(range(len(rows)), key=lambda i: (len(rows[i][0]) + len(rows[i][1]), i))
    found: dict[int, TokenStats] = {}
    batch: list[int] = []
    for position, index in enumerate(order):
        batch.append(index)
        following = order[position + 1] if position + 1 < len(order) else None
        width = len(rows[following][0]) + len(rows[following][1]) if following is not None else 0
        if following is None or width * (len(batch) + 1) > most:
            found.update(zip(batch, _batch(loaded, [rows[i] for i in batch]), strict=True))
            batch = []
            if progress:
                progress(len(found))
    return [found[i] for i in range(len(rows))]


def _batch(loaded: Loaded, rows: list[tuple[Sequence[int], Sequence[int]]]) -> list[TokenStats]:
    if any(not prompt or not answer for prompt, answer in rows):
        raise ValueError("every row needs at least one token of prompt and one of answer")
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    pad = loaded.tokenizer.pad_token_id
    device = loaded.model.device
    full = [[*prompt, *answer] for prompt, answer in rows]
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in full], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in full], device=device)
    with torch.inference_mode():
        hidden = loaded.model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        stats = []
        for number, (prompt, answer) in enumerate(rows):
            # The logits at position t are those of token t + 1.
            logits = hidden[number, len(prompt) - 1 : len(prompt) + len(answer) - 1].float()
            log_p = torch.log_softmax(logits, dim=-1)
            target = torch.tensor(list(answer), device=device)
            nll = -log_p.gather(1, target[:, None])[:, 0].double()
            entropy = -(log_p.exp() * log_p).sum(-1).double()
            stats.append(
                TokenStats(
                    tokens=len(answer),
                    nll=nll.mean().item(),
                    nll_sum=nll.sum().item(),
                    entropy=entropy.mean().item(),
                )
            )
    return stats
