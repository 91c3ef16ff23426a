"""What the scripts that make students share: the tokenizer, the model, and training from scratch."""

import random
import time
from collections.abc import Callable, Iterator

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}<|{{ message['role'] }}|>{{ message['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def make_tokenizer(
    rows: list[tuple[str, str]], size: int, pieces: list[pre_tokenizers.PreTokenizer]
) -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that any text can be tokenised; no token crosses the borders of the pieces."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(pieces)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for row in rows for text in row), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|pad|>",
        eos_token="<|end|>",
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=2048,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def make_model(
    vocabulary: int, seed: int, *, width: int, inner: int, layers: int, heads: int
) -> LlamaForCausalLM:
    """A Llama with random weights, whose tokens are those of `make_tokenizer`."""
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            initializer_range=0.05,
            bos_token_id=None,
            pad_token_id=0,
            eos_token_id=1,
            dtype="float32",
        )
    )


def make_optimizer(model: LlamaForCausalLM, lr: float) -> torch.optim.AdamW:
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
        lr=lr,
        betas=(0.9, 0.95),
        fused=True,
    )


def encode(tokenizer: PreTrainedTokenizerFast, rows: list[tuple[str, str]]) -> list[tuple[list[int], int]]:
    """Token ids of each problem in chat form, and how many of them are the prompt."""
    known = tokenizer.get_vocab()
    user, assistant, end = known["<|user|>"], known["<|assistant|>"], known["<|end|>"]
    questions = tokenizer([q for q, _ in rows], add_special_tokens=False)["input_ids"]
    answers = tokenizer([a for _, a in rows], add_special_tokens=False)["input_ids"]
    return [([user, *q, assistant, *a, end], len(q) + 2) for q, a in zip(questions, answers, strict=True)]


def batches(
    rows: list[tuple[list[int], int]], tokens: int, rng: random.Random
) -> Iterator[list[tuple[list[int], int]]]:
    """One pass in random order, rows of like length together, about `tokens` tokens a batch."""
    order = list(range(len(rows)))
    rng.shuffle(order)
    for start in range(0, len(order), 4096):
        block = sorted(order[start : start + 4096], key=lambda i: len(rows[i][0]))
        cut: list[list[int]] = [[]]
        for index in block:
            if cut[-1] and (len(cut[-1]) + 1) * len(rows[index][0]) > tokens:
                cut.append([])
            cut[-1].append(index)
        rng.shuffle(cut)
        for batch in cut:
            yield [rows[index] for index in batch]


def train(
    model: LlamaForCausalLM,
    optimizer: torch.optim.Optimizer,
    rows: list[tuple[list[int], int]],
    rate: Callable[[float, int], float],
    *,
    batch_tokens: int,
    order: str,
) -> None:
    """One pass of AdamW; the prompt's tokens count a tenth of the answer's.

    `rate` gives the learning rate from the share of the pass that is done and the number of the step;
    `order` is what the order of the batches is drawn from.
    """
    total = sum(len(ids) for ids, _ in rows)
    rng = random.Random(order)
    model.train()
    seen, started, shown = 0, time.time(), 0.0
    for step, batch in enumerate(batches(rows, batch_tokens, rng)):
        width = max(len(ids) for ids, _ in batch)
        ids = torch.tensor([x + [0] * (width - len(x)) for x, _ in batch])
        weight = torch.tensor([[0.1] * p + [1.0] * (len(x) - p) + [0.0] * (width - len(x)) for x, p in batch])
        for group in optimizer.param_groups:
            group["lr"] = rate(seen / total, step)
        # Padding stands on the right, so the causal mask alone keeps it out of every real token.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(input_ids=ids).logits[:, :-1]
        nll = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none"
        )
        loss = (nll * weight[:, 1:].flatten()).sum() / weight[:, 1:].sum()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen += sum(len(x) for x, _ in batch)
        if time.time() - shown > 20:
            shown = time.time()
            speed = seen / (shown - started)
            print(
                f"{seen / total:6.1%} step {step} loss {loss.item():.4f} {speed / 1e3:.1f}k tokens/s, "
                f"{(total - seen) / speed / 60:.1f} min left",
                flush=True,
            )
