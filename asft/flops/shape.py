"""What a token takes in a model: read off its config, or counted from its parameters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from asft.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Layers that attend alike."""

    layers: int
    width: int
    """Heads times the size of a head."""
    window: int | None = None
    """Tokens that one sees, itself among them; None: all up to it."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a token takes: each weight that it meets is one multiplication and one addition."""

    body: int
    """Weights of matrices that it meets up to the last hidden state."""
    head: int
    """Weights of the last one, which makes logits of a hidden state."""
    vocab: int = 0
    """Logits; 0 where it is not known."""
    attention: tuple[Attention, ...] = ()
    """Empty where it is not known, and not counted."""


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """What a LoRA adapter adds to each token."""

    weights: int
    """Of its matrices A and B together, in all layers."""
    idle: int = 0
    """Weights, its own and the base's, that pass no gradient on in training: nothing that is trained changes
    what they read. They are the first matrices of the first layer."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the matrices of a layer are called."""

    reading: tuple[str, ...] = ("q_proj", "k_proj", "v_proj")
    """Those of queries, keys and values, which may be one."""
    out: str = "o_proj"
    opening: tuple[str, ...] = ("gate_proj", "up_proj")
    """Those that the MLP begins with; gate and other may be one."""
    closing: str = "down_proj"


LLAMA = Names()
MERGED = Names(reading=("qkv_proj",), opening=("gate_up_proj",))
GPT2 = Names(reading=("c_attn",), out="c_proj", opening=("c_fc",), closing="c_proj")
KINDS = {
    **dict.fromkeys(("gemma", "gemma2", "gemma3_text", "granite", "llama", "mistral", "mixtral"), LLAMA),
    **dict.fromkeys(("olmo2", "qwen2", "qwen3", "qwen3_moe", "smollm3"), LLAMA),
    "phi3": MERGED,
    "gpt2": GPT2,
}
"""Kinds of models that are known here, as their configs name them."""
PARAMETERS_ONLY = "its FLOPs can be counted from its parameters only (`by_parameters`)"


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A matrix of a layer, as an adapter may change it."""

    name: str
    inputs: int
    outputs: int
    stage: int
    """Its place in the layer; those at one place read the same."""

    @property
    def weights(self) -> int:
        """Of the matrix."""
        return self.inputs * self.outputs


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder-only model, as its config tells it."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    """Heads of keys and values, which several others may share."""
    head_dim: int
    intermediate: int
    """Width of an MLP, or of one expert."""
    vocab: int
    gated: bool = True
    """Whether a second matrix beside the MLP's first is its gate."""
    experts: int = 0
    """MLPs among which a router chooses; 0: one MLP and no router."""
    active: int = 1
    """MLPs that a token goes through."""
    windowed: int = 0
    """Layers whose attention has a window."""
    window: int | None = None
    """Tokens that one sees there."""
    names: Names = LLAMA

    @staticmethod
    def of(config: Any) -> "Shape":
        """From a transformers config. Raises DataError for a kind of model that is not known here."""
        config = config.get_text_config()
        kind = config.model_type
        if kind not in KINDS:
            raise DataError(
                f"how a model of the kind {kind!r} computes is not known here; {PARAMETERS_ONLY}. Known "
                f"kinds: {', '.join(sorted(KINDS))}"
            )
        names = KINDS[kind]
        layers, hidden = _number(config, "num_hidden_layers"), _number(config, "hidden_size")
        heads = _number(config, "num_attention_heads")
        experts = _number(config, "num_local_experts", "num_experts", default=0)
        if experts and (
            getattr(config, "mlp_only_layers", None) or _number(config, "decoder_sparse_step", default=1) > 1
        ):
            raise DataError(
                f"a {kind} with experts in some of its layers only is not known here; {PARAMETERS_ONLY}"
            )
        inner = ("n_inner",) if names is GPT2 else ("intermediate_size",)
        windowed = _windowed(config, layers)
        return Shape(
            layers=layers,
            hidden=hidden,
            heads=heads,
            kv_heads=_number(config, "num_key_value_heads", default=heads),
            head_dim=_number(config, "head_dim", default=hidden // heads),
            intermediate=_number(
                config,
                *(("moe_intermediate_size", *inner) if experts else inner),
                default=4 * hidden if names is GPT2 else None,
            ),
            vocab=_number(config, "vocab_size"),
            gated=names is not GPT2,
            experts=experts,
            active=_number(config, "num_experts_per_tok") if experts else 1,
            windowed=windowed,
            window=_number(config, "sliding_window") if windowed else None,
            names=names,
        )

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The matrices of a layer in the order of their stages; without experts and their router."""
        return tuple(self._linears())

    @property
    def work(self) -> Work:
        """What a token takes. Norms, activations, softmax and rotations are not counted."""
        each = sum(linear.weights for linear in self.linears)
        if self.experts:
            mlp = (3 if self.gated else 2) * self.hidden * self.intermediate
            each += self.active * mlp + self.experts * self.hidden
        width = self.heads * self.head_dim
        attention = (
            Attention(layers=self.layers - self.windowed, width=width),
            Attention(layers=self.windowed, width=width, window=self.window),
        )
        return Work(
            body=self.layers * each,
            head=self.hidden * self.vocab,
            vocab=self.vocab,
            attention=tuple(one for one in attention if one.layers),
        )

    def adapter(self, rank: int, targets: Sequence[str] | str = "all-linear") -> Adapter:
        """A LoRA adapter of a rank on matrices by their names, in every layer.

        Raises DataError for names that no matrix has, and for a text but "all-linear", which peft would read
        as a pattern.
        """
        linears = self.linears
        known = {linear.name for linear in linears}
        wanted = known if targets == "all-linear" else {targets} if isinstance(targets, str) else {*targets}
        if not wanted or wanted - known:
            strange = ", ".join(sorted(wanted - known)) or "nothing"
            raise DataError(
                f"what an adapter on {strange} takes is not known; give all-linear, or a list out of "
                f"{', '.join(sorted(known))}"
            )
        on = [linear for linear in linears if linear.name in wanted]
        first = min(linear.stage for linear in on)
        return Adapter(
            weights=self.layers * rank * sum(linear.inputs + linear.outputs for linear in on),
            idle=sum(linear.weights for linear in linears if linear.stage <= first)
            + rank * sum(linear.inputs for linear in on if linear.stage == first),
        )

    def _linears(self) -> Iterator[Linear]:
        names, hidden = self.names, self.hidden
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        read = (queries, keys, keys) if len(names.reading) > 1 else (queries + 2 * keys,)
        for name, outputs in zip(names.reading, read, strict=True):
            yield Linear(name=name, inputs=hidden, outputs=outputs, stage=0)
        yield Linear(name=names.out, inputs=queries, outputs=hidden, stage=1)
        if self.experts:
            return
        outputs = (2 if self.gated else 1) * self.intermediate // len(names.opening)
        for name in names.opening:
            yield Linear(name=name, inputs=hidden, outputs=outputs, stage=2)
        yield Linear(name=names.closing, inputs=self.intermediate, outputs=hidden, stage=3)


def by_parameters(model: Any) -> Work:
    """What a token takes where nothing but the parameters is known: each of them once, and no attention.

    The embedding is looked up and not multiplied with, unless the head is the same. Of experts it counts all,
    also those that a token does not go through: more than it takes.
    """
    head = model.get_output_embeddings()
    embedding = model.get_input_embeddings()
    last = 0 if head is None else head.weight.numel()
    tied = head is not None and head.weight is embedding.weight
    every = sum(parameter.numel() for parameter in model.parameters())
    body = every - embedding.weight.numel() - (0 if tied else last)
    return Work(body=body, head=last, vocab=0 if head is None else head.weight.shape[0])


def _number(config: Any, *names: str, default: int | None = None) -> int:
    """The first of some keys that a config has. Raises DataError where it has none, and no default."""
    found = next((value for name in names if (value := getattr(config, name, None)) is not None), default)
    if found is None:
        raise DataError(
            f"the config of a {config.model_type} lacks {' and '.join(names)}, so {PARAMETERS_ONLY}"
        )
    return int(found)


def _windowed(config: Any, layers: int) -> int:
    """How many layers have a window."""
    kinds = getattr(config, "layer_types", None)
    strange = {*(kinds or ())} - {"full_attention", "sliding_attention"}
    if strange:
        raise DataError(
            f"a {config.model_type} with layers of {', '.join(sorted(strange))} is not known here; "
            f"{PARAMETERS_ONLY}"
        )
    if getattr(config, "sliding_window", None) is None:
        return 0
    return layers if kinds is None else kinds.count("sliding_attention")
