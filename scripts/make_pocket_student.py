"""Make the pocket student: tokenizer, weights and chat template.

    python scripts/make_pocket_student.py [--out DIR]

It is trained from scratch on pocket problems of buckets that no task set uses. Common families come by
the tens of thousands, each uncommon family by the hundreds, each word of a rare family a few times: it
knows some of these words then, half knows others, and has not learnt the rest. On two cores it takes about
an hour.
"""

import argparse
import multiprocessing
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from asft.tasks.pocket import language
from asft.tasks.pocket.families import FAMILIES
from asft.tasks.pocket.program import stream
from asft.tasks.pocket.task import TRAINING_BUCKETS

UNCOMMON = {name: 1.0 for name, family in FAMILIES.items() if family.group == "uncommon"}
"""How often the base meets each uncommon family, relative to the others."""

WEAK = {
    "boxes": 3.0,
    **dict.fromkeys(("grow", "sell"), 2.0),
    **dict.fromkeys(("times_as_old", "half_as_old", "older", "younger"), 0.5),
    **dict.fromkeys(("weekdays", "quadruple", "bonus", "fraction", "tithe", "decade"), 0.5),
    **dict.fromkeys(("dimes", "back", "every_nth", "score", "inches"), 0.5),
}
"""Families that are learnt last, and how often they are met, relative to each other, while the rate falls."""

OFTEN, SELDOM, HARDLY = 20.0, 8.0, 4.0
MET = {
    **dict.fromkeys(("years_after", "music", "sports", "counted_by", "in_feet", "world", "boards"), OFTEN),
    **dict.fromkeys(("mislays", "poems", "letters", "months_of_saving", "sides", "teams", "legs"), OFTEN),
    **dict.fromkeys(("in_yards", "bills", "bands", "spends_part", "parts_with", "births"), SELDOM),
    **dict.fromkeys(("part_of_age", "keeps_part", "months"), HARDLY),
}
"""How often each word of a rare family is met while the rate falls; 13 times for those that are not named."""

RARE = {f.name: MET.get(f.name, 13.0) * len(f.words) for f in FAMILIES.values() if f.group == "rare"}
"""How many problems hold each rare family."""

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}"
    "<|assistant|>{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}<|{{ message['role'] }}|>{{ message['content'] }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def problems(seed: int, count: int, share: float, special: dict[str, float]) -> list[tuple[str, str]]:
    """Questions with their worked answers, from the training buckets."""
    source = stream(random.Random(f"pocket student {seed}"), TRAINING_BUCKETS, special, share)
    return [(language.question(p), language.work(p)) for p, _ in zip(source, range(count), strict=False)]


def corpus(count: int, seed: int, share: float, special: dict[str, float]) -> list[tuple[str, str]]:
    """`count` problems, made by as many processes as there are cores; the same on any machine."""
    parts = 16
    with multiprocessing.Pool() as pool:
        made = pool.starmap(
            problems, [(seed + part, count // parts, share, special) for part in range(parts)]
        )
    return [row for part in made for row in part]


def make_tokenizer(rows: list[tuple[str, str]], size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that any text can be tokenised; digits are always single tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
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


def make_model(vocabulary: int, seed: int) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=160,
            intermediate_size=448,
            num_hidden_layers=4,
            num_attention_heads=5,
            num_key_value_heads=5,
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
    settings: argparse.Namespace,
) -> None:
    """One pass of AdamW; the prompt's tokens count a tenth of the answer's.

    `rate` gives the learning rate from the share of the pass that is done and the number of the step.
    """
    total = sum(len(ids) for ids, _ in rows)
    rng = random.Random(f"pocket student batches {len(rows)}")
    model.train()
    seen, started, shown = 0, time.time(), 0.0
    for step, batch in enumerate(batches(rows, settings.batch_tokens, rng)):
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


def stable_phase(
    settings: argparse.Namespace,
) -> tuple[PreTrainedTokenizerFast, LlamaForCausalLM, torch.optim.Optimizer]:
    """The tokenizer, and the model after the constant learning rate; from the checkpoint if there is one."""
    kept: Path | None = settings.checkpoint
    if kept and kept.exists():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(kept)
        model = make_model(len(tokenizer), settings.seed)
        optimizer = make_optimizer(model, settings.lr)
        state = torch.load(kept / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return tokenizer, model, optimizer
    started = time.time()
    rows = corpus(settings.stable, 0, settings.uncommon, UNCOMMON)
    print(f"{len(rows)} problems in {time.time() - started:.0f} s", flush=True)
    tokenizer = make_tokenizer(rows[:20_000], settings.vocabulary)
    model = make_model(len(tokenizer), settings.seed)
    optimizer = make_optimizer(model, settings.lr)
    print(f"{len(tokenizer)} tokens, {model.num_parameters() / 1e6:.2f} M parameters", flush=True)
    train(
        model,
        optimizer,
        encode(tokenizer, rows),
        lambda done, step: settings.lr * min(1.0, (step + 1) / 200),
        settings,
    )
    if kept:
        tokenizer.save_pretrained(kept)
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, kept / "state.pt")
    return tokenizer, model, optimizer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("asft/students/pocket"))
    parser.add_argument("--stable", type=int, default=240_000, help="problems at the constant learning rate")
    parser.add_argument("--decay", type=int, default=90_000, help="problems while it falls to nothing")
    parser.add_argument("--uncommon", type=float, default=0.04, help="share of problems with such a family")
    parser.add_argument("--weak", type=float, default=0.35, help="the same, while the rate falls")
    parser.add_argument("--vocabulary", type=int, default=1280)
    parser.add_argument("--batch-tokens", type=int, default=6144)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--checkpoint", type=Path, help="folder where the stable phase is kept, to decay again from it"
    )
    settings = parser.parse_args()
    started = time.time()
    tokenizer, model, optimizer = stable_phase(settings)
    groups = (
        (settings.uncommon, UNCOMMON),
        (settings.weak, WEAK),
        (sum(RARE.values()) / settings.decay, RARE),
    )
    special: dict[str, float] = defaultdict(float)
    for share, group in groups:
        for name, weight in group.items():
            special[name] += share * weight / sum(group.values())
    late = corpus(settings.decay, 1000, sum(special.values()), special)
    train(
        model,
        optimizer,
        encode(tokenizer, late),
        lambda done, step: settings.lr * (0.01 + 0.99 * (1 - done)),
        settings,
    )
    model.save_pretrained(settings.out)
    tokenizer.save_pretrained(settings.out)
    print(f"made in {(time.time() - started) / 60:.0f} min")


if __name__ == "__main__":
    main()
