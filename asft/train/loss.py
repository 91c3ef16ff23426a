"""Log-probabilities of the tokens that count, for a trainer on a CPU.

Attention to few tokens is computed with all pairs at once there: torch's own function, which never holds
them, takes up to three times as long with its gradient.

TRL's own function scores every position there, prompts and padding too, in tiles of 32 768 tokens of the
vocabulary however few it has, and makes the logits a second time for the gradient.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from trl.trainer.utils import FusedCausalLMOutput

from asft.scorer.head import Head, bent, find

PROBE_TOKENS = 8
"""On so many tokens it is tried out whether a model's head is understood."""
LOGITS = 2**24
"""So many are made at once: 64 MB."""
SHORT = 384
"""Up to so many tokens all pairs at once are faster; at 600 they are slower, with heads of 32 as of 64."""


@contextmanager
def on_answers(model: Any, row: Sequence[int]) -> Iterator[None]:
    """A model that TRL's trainer has put its fused head on, with this one in its place while it lasts.

    TRL's stays where the head is trained, or does something that is not known here. `row`: token ids of an
    example, on which that is tried out.
    """
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    plain = vars(bare)["forward"]
    training = model.training
    found = find(model.eval(), list(row[:PROBE_TOKENS]))
    model.train(training)
    if found is None or found[1].weight.requires_grad or found[1].updates:
        yield
        return
    bare.forward = _scoring(plain, *found)
    try:
        yield
    finally:
        bare.forward = plain


def _scoring(plain: Callable[..., Any], body: Any, head: Head) -> Callable[..., Any]:
    """A forward that answers what TRL's fused head answers; whatever else is asked goes to `plain`."""

    def forward(*args: Any, **given: Any) -> Any:
        mask, labels = given.get("attention_mask"), given.get("labels")
        # Filled up on the right, so that no token sees the padding, and no mask is needed.
        padded = mask is not None and bool(mask[:, 0].all())
        plain_too = {"position_ids", "shift_labels", "output_router_logits"} & set(given)
        if not given.get("fused_lm_head") or plain_too or not padded or labels is None:
            return plain(*args, **given)
        with _attending(given["input_ids"].shape[1], body):
            states = body(input_ids=given["input_ids"], use_cache=False).last_hidden_state
        counts = labels[:, 1:] != -100
        score: Callable[..., tuple[Tensor, ...]] = Scored.apply
        found = score(states[:, :-1][counts], labels[:, 1:][counts], head)
        log_probs, entropy, top = (
            torch.zeros(counts.shape, dtype=one.dtype).masked_scatter(counts, one) for one in found
        )
        return FusedCausalLMOutput(
            loss=-log_probs.sum() / counts.sum().clamp(min=1),
            log_probs=log_probs,
            entropy=entropy,
            is_top1=top,
            label_mask=counts,
        )

    return forward


@contextmanager
def _attending(tokens: int, body: Any) -> Iterator[None]:
    # Where activations are computed twice, the second time is after this.
    if tokens > SHORT or body.is_gradient_checkpointing:
        yield
        return
    with sdpa_kernel(SDPBackend.MATH):
        yield


class Scored(torch.autograd.Function):
    """Log-probability of each token, entropy, whether it is the likeliest: `[n]` each, of states `[n, d]`.

    What a log-probability owes its state is made along with it, from the same logits.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, target: Tensor, head: Head) -> tuple[Tensor, Tensor, Tensor]:
        """Of all tokens, as many at once as there is room for."""
        rows = max(1, LOGITS // len(head.weight))
        parts = list(zip(torch.split(states, rows), torch.split(target, rows), strict=True))
        log_p, entropy, top, slopes = zip(*(_scored(*part, head) for part in parts), strict=True)
        ctx.save_for_backward(torch.cat(slopes).to(states.dtype))
        found = torch.cat(log_p), torch.cat(entropy), torch.cat(top)
        ctx.mark_non_differentiable(*found[1:])
        return found

    @staticmethod
    def backward(ctx: Any, by_log_p: Tensor, *_: Any) -> tuple[Tensor, None, None]:
        """By the states alone."""
        (slopes,) = ctx.saved_tensors
        return slopes * by_log_p[:, None].to(slopes.dtype), None, None


def _scored(states: Tensor, target: Tensor, head: Head) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same of some tokens, and the gradient of each log-probability by its state, `[n, d]`."""
    logits = torch.nn.functional.linear(states, head.weight, head.bias).float()
    logits = bent(logits, head.scale, head.cap)
    log_sum = logits.logsumexp(-1)
    log_p = logits.gather(1, target[:, None])[:, 0] - log_sum
    top = logits.argmax(-1) == target
    p = torch.softmax(logits, -1)
    entropy = log_sum - torch.linalg.vecdot(p, logits)
    by_logits = p.neg_()
    by_logits[torch.arange(len(p)), target] += 1.0
    by_logits *= head.slopes(logits)
    return log_p, entropy, top, torch.mm(by_logits.to(head.weight.dtype), head.weight)
