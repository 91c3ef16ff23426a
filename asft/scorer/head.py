"""The last step of a model, from hidden states to logits, taken apart so that it can be done in pieces."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from asft.scorer.fold import Read

SCALES = ("logit_scale", "output_multiplier", "lm_head_multiplier", "logits_scaling")
"""Names under which configs keep a factor of the logits."""

PROBE = 40.0
"""Logits up to this size are sent through what a model does to them, to see what that is."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """logits = capped(scale * (weight @ hidden + bias + low-rank updates))."""

    weight: Tensor
    """`[vocab, d]`."""
    bias: Tensor | None
    """`[vocab]`."""
    updates: tuple[tuple[Tensor, Tensor], ...]
    """Of each adapter that is on: what it makes of a hidden state, `[r, d]`, and how that changes the logits,
    `[vocab, r]`."""
    scale: float = 1.0
    cap: float | None = None
    """Logits are bent so that none is larger: cap * tanh(logits / cap)."""

    def reader(self, hidden: Tensor, piece: int) -> Read:
        """Logits of hidden states `[n, d]`, computed when they are read."""
        n = len(hidden)
        hidden = hidden.to(self.weight)
        small = [hidden.to(down) @ down.T for down, _ in self.updates]
        room = torch.empty(n * piece, device=hidden.device)
        rounded = None if hidden.dtype == torch.float32 else torch.empty_like(room, dtype=hidden.dtype)

        def read(start: int, end: int) -> Tensor:
            logits = room[: n * (end - start)].view(n, end - start)
            weight = self.weight[start:end].T
            if rounded is None:
                torch.mm(hidden, weight, out=logits)
            else:
                logits.copy_(torch.mm(hidden, weight, out=rounded[: logits.numel()].view_as(logits)))
            if self.bias is not None:
                logits += self.bias[start:end]
            for part, (_, up) in zip(small, self.updates, strict=True):
                logits += part @ up[start:end].T
            return bent(logits, self.scale, self.cap)

        return read

    def slopes(self, logits: Tensor) -> Tensor | float:
        """How fast logits, as they are read, follow what the weight makes of a hidden state."""
        return self.scale if self.cap is None else self.scale * (1.0 - (logits / self.cap).square())


def bent(logits: Tensor, scale: float, cap: float | None) -> Tensor:
    """What some models do to logits; in place."""
    if scale != 1.0:
        logits *= scale
    if cap is not None:
        logits.div_(cap).tanh_().mul_(cap)
    return logits


@torch.inference_mode()
def find(model: Any, ids: Sequence[int]) -> tuple[Any, Head] | None:
    """The body of a model and its head, or None where they cannot be told apart.

    What is found is tried on a few tokens: the body must give what the head receives, the head what the
    model's own gives, and the logits must be those that the model makes of it.
    """
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    body, module = bare.base_model, bare.get_output_embeddings()
    head = None if body is bare or module is None else _read_off(module)
    if head is None:
        return None
    seen: list[tuple[Tensor, Tensor]] = []

    def look(_: Any, given: tuple[Tensor, ...], made: Tensor) -> Tensor:
        seen.append((given[0], made))
        ramp = torch.linspace(-PROBE, PROBE, made.shape[-1], dtype=made.dtype, device=made.device)
        # A copy for each position, as some models write into what they get.
        return ramp.repeat(*made.shape[:-1], 1)

    row = torch.tensor([list(ids)], device=model.device)
    handle = module.register_forward_hook(look)
    try:
        ramped = model(input_ids=row, use_cache=False).logits
    finally:
        handle.remove()
    if len(seen) != 1:
        return None
    given, made = seen[0]
    hidden = getattr(body(input_ids=row, use_cache=False), "last_hidden_state", None)
    if not alike(hidden, given) or ramped.shape != made.shape:
        return None
    vocab = len(head.weight)
    if not alike(head.reader(given.flatten(0, -2), vocab)(0, vocab).view(made.shape), made):
        return None
    ramp = torch.linspace(-PROBE, PROBE, vocab, dtype=made.dtype, device=made.device).float()
    config = bare.config.get_text_config()
    for scale, cap in product(_scales(config), (None, getattr(config, "final_logit_softcapping", None))):
        if alike(bent(ramp.clone(), scale, cap).expand_as(ramped), ramped):
            return body, Head(weight=head.weight, bias=head.bias, updates=head.updates, scale=scale, cap=cap)
    return None


def _scales(config: Any) -> list[float]:
    named = [getattr(config, name, None) for name in SCALES]
    return [1.0, *(s for value in named if value for s in (float(value), 1.0 / float(value)))]


def alike(found: Tensor | None, expected: Tensor) -> bool:
    """Whether two ways to one result agree, but for rounding in the dtype of the second."""
    if found is None or found.shape != expected.shape:
        return False
    tolerance = max(1e-4, 4 * torch.finfo(expected.dtype).eps)
    off, largest = (values.abs().max().item() for values in (found.float() - expected.float(), expected))
    return off <= tolerance * largest < math.inf


def _read_off(module: Any) -> Head | None:
    """The weights of a linear layer with its adapters; None for a layer that computes anything else."""
    if hasattr(module, "modules_to_save"):
        off = module.disable_adapters or not module.active_adapters
        module = module.original_module if off else module.modules_to_save[module.active_adapters[0]]
    updates = []
    if hasattr(module, "lora_A"):
        if module.lora_variant or any(module.lora_bias.values()):
            return None
        on = [] if module.disable_adapters or module.merged else module.active_adapters
        for name in on:
            if name in module.lora_A:
                up = module.lora_B[name].weight
                updates.append((module.lora_A[name].weight * module.scaling[name], up))
        module = module.base_layer
    # A quantized or offloaded layer computes something else, or elsewhere, under another `forward`.
    if getattr(module.forward, "__func__", None) is not torch.nn.Linear.forward:
        return None
    return Head(weight=module.weight, bias=module.bias, updates=tuple(updates))
