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
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from asft.tasks.pocket import language
from asft.tasks.pocket.families import FAMILIES
from asft.tasks.pocket.program import stream
from asft.tasks.pocket.task import TRAINING_BUCKETS
from scripts.students import encode, make_model, make_optimizer, make_tokenizer, train

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

PIECES = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
"""Words with the space before them; digits are always single tokens."""
SHAPE = {"width": 160, "inner": 448, "layers": 4, "heads": 5}


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


def stable_phase(
    settings: argparse.Namespace,
) -> tuple[PreTrainedTokenizerFast, LlamaForCausalLM, torch.optim.Optimizer]:
    """The tokenizer, and the model after the constant learning rate; from the checkpoint if there is one."""
    kept: Path | None = settings.checkpoint
    if kept and kept.exists():
        tokenizer = PreTrainedTokenizerFast.from_pretrained(kept)
        model = make_model(len(tokenizer), settings.seed, **SHAPE)
        optimizer = make_optimizer(model, settings.lr)
        state = torch.load(kept / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        return tokenizer, model, optimizer
    started = time.time()
    rows = corpus(settings.stable, 0, settings.uncommon, UNCOMMON)
    print(f"{len(rows)} problems in {time.time() - started:.0f} s", flush=True)
    tokenizer = make_tokenizer(rows[:20_000], settings.vocabulary, PIECES)
    model = make_model(len(tokenizer), settings.seed, **SHAPE)
    optimizer = make_optimizer(model, settings.lr)
    print(f"{len(tokenizer)} tokens, {model.num_parameters() / 1e6:.2f} M parameters", flush=True)
    train(
        model,
        optimizer,
        encode(tokenizer, rows),
        lambda done, step: settings.lr * min(1.0, (step + 1) / 200),
        batch_tokens=settings.batch_tokens,
        order=f"pocket student batches {len(rows)}",
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
        batch_tokens=settings.batch_tokens,
        order=f"pocket student batches {len(late)}",
    )
    model.save_pretrained(settings.out)
    tokenizer.save_pretrained(settings.out)
    print(f"made in {(time.time() - started) / 60:.0f} min")


if __name__ == "__main__":
    main()
