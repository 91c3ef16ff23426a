"""Students whose weights take 4 bits (NF4) or 8, by bitsandbytes, which asft imports for them alone.

Head and embeddings stay as they are. Two faults of bitsandbytes 0.50 on CPUs are kept away from: with
AVX512-BF16 the first forward without gradients repacks NF4 weights for good, and gradients are silently wrong
from then on; and with AVX512 a layer whose rows are no multiple of a block is read with the scales of other
blocks.
"""

import copy
import logging
from importlib.util import find_spec
from typing import Any, Literal

from asft.errors import DataError

Quantised = Literal["nf4", "int8"]

# It says with every batch that int8 rounds its inputs to float16; and, whenever peft imports it, that a
# kernel which would be fetched from the hub is not there.
for _chatty in ("bitsandbytes.autograd._functions", "bitsandbytes.backends.cpu.ops"):
    logging.getLogger(_chatty).setLevel(logging.ERROR)


def config(how: Quantised, device: str) -> Any:
    """What transformers loads a model with. Raises DataError where bitsandbytes is not installed."""
    import torch

    if find_spec("bitsandbytes") is None:
        raise DataError(
            f"student.quantise = {how} needs the package bitsandbytes, which is not installed; "
            "pip install 'asft[qlora]', or leave quantise out"
        )
    from transformers import BitsAndBytesConfig

    if how == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    dtype = torch.float32
    if device != "cpu":
        dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def mend(model: Any) -> None:
    """Keep the faults away from a model that was just loaded.

    Where a CPU would read a layer wrongly, its NF4 weights are held as what they stand for, in float32.
    """
    import bitsandbytes  # type: ignore[import-not-found, unused-ignore]

    kind: Any = bitsandbytes.nn.modules.Linear4bit
    for name, layer in list(model.named_modules()):
        if isinstance(layer, kind):
            layer.support_avx512bf16_for_cpu = False
            if layer.weight.device.type == "cpu" and layer.in_features % layer.weight.blocksize:
                model.set_submodule(name, read_out(layer))


def read_out(layer: Any) -> Any:
    """A plain layer with what the NF4 weights of another stand for."""
    import bitsandbytes  # type: ignore[import-not-found, unused-ignore]
    import torch

    dequantize: Any = bitsandbytes.functional.dequantize_4bit
    # As one row, its blocks are where they are looked for.
    state = copy.copy(layer.weight.quant_state)
    shape, state.shape = state.shape, torch.Size([state.shape.numel()])
    plain = torch.nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
    plain.weight = torch.nn.Parameter(dequantize(layer.weight.data, state).view(shape))
    if layer.bias is not None:
        plain.bias = layer.bias
    return plain
