"""Our decoding against transformers' own `generate`, on the pocket student.

    OMP_NUM_THREADS=1 python benchmarks/speed/decode.py [--prompts 1000] [--repeat 3] [--adapter DIR]
        [--samples K]

Both answer the same prompts, sorted by length, in the same batches and in turns: greedily, or K times each at
temperature 1, the answers to one prompt in one batch. Prints medians of the seconds on the clock, and the
ratio in seconds of the processor too, which other work on the machine disturbs less. Fails where two greedy
texts differ. Samples are drawn by other numbers: what is compared of them is seconds per token.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from asft import decoder, registry, student

BATCH_SIZES = (64, 250)
LENGTH = 256


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A run over all prompts."""

    clock: float
    """Seconds."""
    processor: float
    """Seconds."""
    tokens: int
    """That were written, end tokens left out."""
    texts: list[str]


def by_generate(loaded: student.Loaded, prompts: list[str], batch_size: int, k: int) -> list[list[int]]:
    """The token ids that `generate` writes, sampled where k is more than none; the prompts come sorted."""
    law = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "num_return_sequences": k}
    written: list[list[int]] = []
    ends = loaded.end_ids
    step = batch_size // max(k, 1)
    for start in range(0, len(prompts), step):
        rows = student.prompt_ids(loaded.tokenizer, prompts[start : start + step])
        asked = loaded.tokenizer.pad({"input_ids": rows}, padding_side="left", return_tensors="pt")
        with torch.inference_mode():
            out = loaded.model.generate(
                input_ids=asked["input_ids"],
                attention_mask=asked["attention_mask"],
                max_new_tokens=LENGTH,
                **(law if k else {"do_sample": False}),
            )
        for row in out[:, asked["input_ids"].shape[1] :].tolist():
            end = next((i for i, token in enumerate(row) if token in ends), None)
            written.append(row[:end])
    return written


def by_asft(loaded: student.Loaded, prompts: list[str], batch_size: int, k: int) -> list[list[int]]:
    how = {"batch_size": batch_size, "max_new_tokens": LENGTH}
    if not k:
        return [list(one.token_ids) for one in decoder.answer(loaded, prompts, **how)]
    ids = [str(number) for number in range(len(prompts))]
    found = decoder.sample(loaded, prompts, ids, k=k, temperature=1.0, **how)
    return [list(one.answer.token_ids) for several in found for one in several]


def timed(loaded: student.Loaded, work: Callable[[], list[list[int]]]) -> Timed:
    clock, processor = time.perf_counter(), time.process_time()
    rows = work()
    return Timed(
        clock=time.perf_counter() - clock,
        processor=time.process_time() - processor,
        tokens=sum(map(len, rows)),
        texts=loaded.tokenizer.batch_decode(rows, skip_special_tokens=True),
    )


def median(runs: list[Timed], seconds: str, per_token: bool) -> float:
    return statistics.median(getattr(run, seconds) / (run.tokens if per_token else 1) for run in runs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--samples", type=int, default=0, metavar="K")
    parser.add_argument("--adapter")
    settings = parser.parse_args()
    k = settings.samples
    loaded = student.load(student.Student(adapter=settings.adapter), "cpu")
    asked = [e.prompt for e in registry.make("task", "pocket", {"seeds": settings.prompts}).load("seed")]
    lengths = [len(row) for row in student.prompt_ids(loaded.tokenizer, asked)]
    prompts = [asked[i] for i in sorted(range(len(asked)), key=lengths.__getitem__)]
    torch.manual_seed(0)
    what = f"{k} samples each" if k else "greedy"
    print(f"{torch.get_num_threads()} threads, {len(prompts)} prompts, {what}, medians of {settings.repeat}")
    print(
        f"{'batch':>5} {'generate s':>11} {'asft s':>11} {'ratio':>6} {'cpu ratio':>10} {'asft tokens/s':>14}"
    )
    for batch_size in BATCH_SIZES:
        generate, ours = [], []
        for _ in range(settings.repeat):
            generate.append(timed(loaded, lambda size=batch_size: by_generate(loaded, prompts, size, k)))
            ours.append(timed(loaded, lambda size=batch_size: by_asft(loaded, prompts, size, k)))
            if not k and generate[-1].texts != ours[-1].texts:
                raise SystemExit("the texts differ")
        clock, cpu = (
            median(generate, seconds, bool(k)) / median(ours, seconds, bool(k))
            for seconds in ("clock", "processor")
        )
        rate = 1 / median(ours, "clock", True)
        theirs, mine = (median(runs, "clock", False) for runs in (generate, ours))
        print(f"{batch_size:5} {theirs:11.2f} {mine:11.2f} {clock:6.2f} {cpu:10.2f} {rate:14.0f}")


if __name__ == "__main__":
    main()
