"""Make the puzzle student: tokenizer, weights and chat template.

    python scripts/make_puzzle_student.py [--out DIR] [--checkpoint DIR]

It is trained from scratch on problems of prontoqa and game24 from buckets that no task set uses, with the
worked answers that the tasks write. It walks in circles first: where the same rules come again and again,
looking one up is learnt within some hundred steps, and whoever can do that learns to follow chains. It takes
about fifteen minutes of CPU time.
"""

import argparse
import multiprocessing
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as distributed
from tokenizers import Regex, pre_tokenizers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from asft.tasks.game24 import language
from asft.tasks.game24 import task as game24
from asft.tasks.game24.search import Search, finished, joined
from asft.tasks.game24.solving import LARGEST as LARGEST_CARD
from asft.tasks.prontoqa import task as prontoqa
from asft.tasks.prontoqa.drawing import MOST_HOPS, draw
from asft.tasks.prontoqa.language import FORMS, fact, rule
from asft.tasks.prontoqa.words import CONCEPTS, NAMES
from scripts.students import batches, encode, make_model, make_tokenizer

FRAME = (
    r"(?:(?<=us)es\b|[^A-Za-z0-9]|\b(?:Each|Every|is|are|not|an?|True or false"
    r"|Use|each|of|the|numbers|and|once|to|make|left|no)\b)+"
)
"""What stands between the words and numbers that a problem is about. Each run of it becomes one token, so
that a rule has four of them, and a word or number is the same token wherever it stands."""
PIECES = [
    pre_tokenizers.Split(Regex(FRAME), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
]
Row = tuple[str, str]
"""A problem and its worked answer."""
RATES = (0.005, 7.5e-4)
"""Learning rates of the matrices and of the rest. With four times these, looking up is not learnt at all."""
SHAPE = {"width": 128, "inner": 384, "layers": 4, "heads": 4}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of the training: what it is about, and how fast it learns."""

    chains: int = 0
    """Problems of prontoqa."""
    hops: tuple[int, ...] = (1, 2, 3)
    """How many rules they need; each number is as frequent as it stands here."""
    beyond: int = 2
    """Kinds below and above the part of the chain that is needed, each, at most."""
    astray: tuple[int, ...] = (1,)
    """How many kinds have what is asked with the other sign; each number is as frequent as it stands here."""
    circles: int = 0
    """Walks round and round a circle of rules."""
    fours: int = 0
    """How often the puzzles of game24 are met with their worked answers."""
    tries: int = 0
    """How often they are met with first steps in any order."""
    slows: bool = False
    """Whether the learning rate falls to nothing."""


PHASES = (
    Phase(circles=14_000),
    Phase(chains=24_000, hops=tuple(range(1, MOST_HOPS + 1)), beyond=0, astray=(0, 1), circles=2_000),
    Phase(chains=24_000, fours=2, tries=6),
    Phase(chains=40_000, fours=1),
    Phase(chains=24_000, fours=6, slows=True),
)
TEXTS = Phase(chains=6_000, astray=(0, 1, 1, 1))
"""The problems of prontoqa that the tokenizer is made from."""
WARM_UP = 100
"""Steps in which the learning rate of the first phase rises."""
MOST_IN_CIRCLE, ROUND = 8, 14
"""Rules of a circle, at most, and steps of the walk."""
LARGEST = 20
"""The largest number in a puzzle of game24; those above 13 are in no split by default."""
LARGEST_OF_TEXTS = 30
"""The same of those that the tokenizer is made from."""
MOST_LOST = 3
"""First steps that lead nowhere where they are tried in any order, at most."""


def chains(phase: Phase, rng: random.Random) -> list[Row]:
    """Problems of prontoqa with their worked answers."""
    made = []
    for _ in range(phase.chains):
        [hops] = rng.choices(phase.hops)
        problem = draw(rng, hops, rng.choice(phase.astray), prontoqa.TRAINING_BUCKETS, phase.beyond)
        example = prontoqa.example(problem, "training")
        made.append((example.prompt, example.completion or ""))
    return made


def circles(count: int, rng: random.Random) -> list[Row]:
    """Walks round and round a circle of rules, in the words of prontoqa; nothing is asked."""
    rows = []
    for _ in range(count):
        kinds = rng.sample(CONCEPTS, rng.randint(2, MOST_IN_CIRCLE))
        rules = [
            rule(kind, after, holds=True, kind=True, form=rng.randrange(FORMS)).text
            for kind, after in zip(kinds, [*kinds[1:], kinds[0]], strict=True)
        ]
        name = rng.choice(NAMES)
        facts = [fact(name, kind, holds=True, kind=True).text for kind in kinds]
        walk = [f"{rules[at % len(kinds)]} {facts[(at + 1) % len(kinds)]}" for at in range(ROUND)]
        rows.append((" ".join([*rng.sample(rules, len(rules)), facts[0]]), "\n".join([facts[0], *walk])))
    return rows


def fours(largest: int) -> list[Row]:
    """The puzzles of game24 that a student may be made from, with their worked answers; those of the game as
    it is played twice.
    """
    rows = []
    for numbers in game24.puzzles(game24.TRAINING_BUCKETS, largest):
        example = game24.example(numbers, {})
        row = example.prompt, example.completion or ""
        rows += [row] * (2 if numbers[-1] <= LARGEST_CARD else 1)
    return rows


def tries(times: int, rng: random.Random) -> list[Row]:
    """The same puzzles, each some times, whose first steps are tried in any order.

    So the student meets many more threes of numbers, with what becomes of them, than worked answers have.
    """
    rows = []
    for numbers in game24.puzzles(game24.TRAINING_BUCKETS, LARGEST):
        lost, won = [], []
        for step, left in joined(numbers):
            if step.value.denominator == 1:
                steps = finished(left, whole=True)
                if steps is None:
                    lost.append(step)
                else:
                    won.append((step, *steps))
        for _ in range(times if won else 0):
            given_up = rng.sample(lost, min(rng.randint(0, MOST_LOST), len(lost)))
            found = Search(given_up=tuple(given_up), steps=rng.choice(won))
            rows.append((language.question(numbers), language.told(numbers, found)))
    return rows


def corpus(number: int) -> list[Row]:
    """What a phase is made of."""
    phase, rng = PHASES[number], random.Random(f"puzzle student {number}")
    rows = [*chains(phase, rng), *fours(LARGEST) * phase.fours, *circles(phase.circles, rng)]
    return [*rows, *tries(phase.tries, rng)] if phase.tries else rows


def make_optimizers(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for the rest."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=RATES[0], momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=RATES[1], betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def train(
    model: LlamaForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    rows: list[tuple[list[int], int]],
    number: int,
    settings: argparse.Namespace,
) -> None:
    """One pass over the rows of a phase; the loss is on the answers alone.

    Every process takes its share of each batch, and all add up their gradients.
    """
    phase, rank = PHASES[number], distributed.get_rank()
    order = list(batches(rows, settings.batch_tokens, random.Random(f"puzzle student batches {number}")))
    started, shown, losses = time.time(), time.time(), []
    for step, batch in enumerate(order):
        mine = batch[rank :: settings.processes]
        width = max((len(ids) for ids, _ in mine), default=2)
        ids = torch.tensor([x + [0] * (width - len(x)) for x, _ in mine] or [[0, 0]])
        # The positions whose next token belongs to the answer.
        ahead = torch.tensor(
            [[False] * (p - 1) + [True] * (len(x) - p) + [False] * (width - len(x) + 1) for x, p in mine]
            or [[False, False]]
        )
        rate = 1.0 - step / len(order) if phase.slows else 1.0
        if number == 0:
            rate = min(1.0, (step + 1) / WARM_UP)
        for optimizer, lr in zip(optimizers, RATES, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr * rate
        # Padding stands on the right, so the causal mask alone keeps it out of every real token.
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model.lm_head(model.model(input_ids=ids).last_hidden_state[ahead])
        nll = torch.nn.functional.cross_entropy(logits.float(), ids.roll(-1, 1)[ahead], reduction="sum")
        answers = sum(len(x) - p for x, p in batch)
        torch.autograd.backward(nll / answers)
        add_up([p.grad for p in model.parameters() if p.grad is not None])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(nll.item() / answers * len(batch) / max(1, len(mine)))
        if rank == 0 and (time.time() - shown > 20 or step + 1 == len(order)):
            shown = time.time()
            left = (shown - started) / (step + 1) * (len(order) - step - 1)
            print(
                f"phase {number + 1}: step {step + 1} of {len(order)}, loss {sum(losses) / len(losses):.4f}, "
                f"{left / 60:.1f} min left",
                flush=True,
            )
            losses = []


def add_up(gradients: list[torch.Tensor]) -> None:
    """Make every gradient the sum over all processes."""
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, summed in zip(gradients, parts, strict=True):
        gradient.copy_(summed.view_as(gradient))


def work(
    rank: int,
    tokenizer: PreTrainedTokenizerFast,
    corpora: list[list[tuple[list[int], int]]],
    meeting: Path,
    settings: argparse.Namespace,
) -> None:
    """All of the training, as one of the processes; the first one keeps and saves the student."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=settings.processes
    )
    model = make_model(len(tokenizer), settings.seed, **SHAPE)
    # Its backward pass takes half the time of the default's on a CPU.
    model.set_attn_implementation("eager")
    optimizers = make_optimizers(model)
    model.train()
    for number, rows in enumerate(corpora):
        state = settings.checkpoint / f"phase-{number + 1}.pt" if settings.checkpoint else None
        if state and state.exists():
            saved = torch.load(state, weights_only=True)
            model.load_state_dict(saved["model"])
            for optimizer, was in zip(optimizers, saved["optimizers"], strict=True):
                optimizer.load_state_dict(was)
            continue
        train(model, optimizers, rows, number, settings)
        if state and rank == 0:
            state.parent.mkdir(parents=True, exist_ok=True)
            states = [optimizer.state_dict() for optimizer in optimizers]
            torch.save({"model": model.state_dict(), "optimizers": states}, state)
    if rank == 0:
        model.save_pretrained(settings.out)
        tokenizer.save_pretrained(settings.out)
    distributed.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("asft/students/puzzles"))
    parser.add_argument("--vocabulary", type=int, default=640)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, help="folder where the state after each phase is kept")
    settings = parser.parse_args()
    started = time.time()
    corpora = [corpus(number) for number in range(len(PHASES))]
    texts = [*chains(TEXTS, random.Random("puzzle student 1")), *fours(LARGEST_OF_TEXTS)]
    tokenizer = make_tokenizer(texts, settings.vocabulary, PIECES)
    encoded = [encode(tokenizer, rows) for rows in corpora]
    tokens = [sum(len(ids) for ids, _ in rows) for rows in encoded]
    print(f"{len(tokenizer)} in the vocabulary, {tokens} tokens to train on", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        given = tokenizer, encoded, Path(folder) / "meeting", settings
        # Forked, so that the others have the corpora without reading them.
        others = [
            multiprocessing.get_context("fork").Process(target=work, args=(rank, *given))
            for rank in range(1, settings.processes)
        ]
        for other in others:
            other.start()
        work(0, *given)
        for other in others:
            other.join()
    print(f"made in {(time.time() - started) / 60:.0f} min")


if __name__ == "__main__":
    main()
