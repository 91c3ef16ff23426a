"""What a student is trained on, and how large it is: all that decides which settings are sensible."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from asft.student import Student, place

BYTES = {"nf4": 0.56, "int8": 1.0}
"""Of a quantised weight, its share of the scales included."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """The device that trains."""

    device: Literal["cpu", "cuda"]
    bf16: bool
    """Whether it multiplies bfloat16 in hardware: a GPU of compute capability 8 or more, a CPU with AMX or
    AVX512-BF16."""
    memory: int
    """Bytes, those in use included."""
    attention: str | None = None
    """A FlashAttention that is installed, as transformers calls it: it keeps examples apart that are laid end
    to end, where another attention pays for all pairs of tokens."""

    @classmethod
    def here(cls, device: str | None = None) -> "Hardware":
        """This machine; its GPU where it has one and `device` does not say otherwise."""
        import torch

        if device == "cpu" or not torch.cuda.is_available():
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            # Not in every release of torch that asft runs with.
            can: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
            bf16 = bool(can.get("amx_bf16") or can.get("avx512_bf16"))
            return cls(device="cpu", bf16=bf16, memory=memory)
        about = torch.cuda.get_device_properties(0)
        return cls(
            device="cuda",
            bf16=about.major >= 8,
            memory=about.total_memory,
            attention=_flash(about.major),
        )


def _flash(capability: int) -> str | None:
    if capability >= 9 and find_spec("flash_attn_interface"):
        return "flash_attention_3"
    return "flash_attention_2" if capability >= 8 and find_spec("flash_attn") else None


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size of a student."""

    parameters: int
    bytes: int
    """Of its weights, on the device that trains."""
    layers: int
    width: int
    """Of a hidden state."""
    inner: int
    """Of the states in the middle of a feed-forward layer."""
    half: bool
    """Whether its weights have 16 bits, or are computed with in as many."""
    quantised: bool = False

    @classmethod
    def of(cls, student: Student, device: str) -> "Shape | None":
        """That of a student on a device, by its configuration alone; None where it is not to be had."""
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        try:
            config: Any = AutoConfig.from_pretrained(place(student.base), revision=student.revision)
            with torch.device("meta"):
                model: Any = AutoModelForCausalLM.from_config(config)
        except (OSError, ValueError):
            return None
        text = config.get_text_config()
        dtype = text.dtype if device != "cpu" and text.dtype else torch.float32
        parameters = sum(weight.numel() for weight in model.parameters())
        kept = model.get_output_embeddings().weight.numel() if student.quantise else parameters
        quantised = BYTES[student.quantise] if student.quantise else 0.0
        return cls(
            parameters=parameters,
            bytes=round(kept * dtype.itemsize + (parameters - kept) * quantised),
            layers=text.num_hidden_layers,
            width=text.hidden_size,
            inner=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
            half=dtype.itemsize == 2,
            quantised=student.quantise is not None,
        )
