"""Our greedy decoding against transformers' own `generate`, on the pocket student.

    OMP_NUM_THREADS=1 python benchmarks/speed/decode.py [--prompts 1000] [--repeat 3] [--adapter DIR]

Both answer the same prompts, sorted by length, in the same batches and in turns. Prints medians of the
seconds on the clock, and the ratio in seconds of the processor too, which other work on the machine disturbs
less. Fails where two texts differ.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from asft import decoder, registry, student

BATCH_SIZES = (64, 250)


def by_generate(loaded: student.Loaded, prompts: list[str], batch_size: int) -> list[str]:
    """The texts that `generate` writes; the prompts come sorted."""
    texts: list[str] = []
    for start in range(0, len(prompts), batch_size):
        rows = student.prompt_ids(loaded.tokenizer, prompts[start : start + batch_size])
        asked = loaded.tokenizer.pad({"input_ids": rows}, padding_side="left", return_tensors="pt")
        with torch.inference_mode():
            out = loaded.model.generate(
                input_ids=asked["input_ids"],
                attention_mask=asked["attention_mask"],
                max_new_tokens=256,
                do_sample=False,
            )
        answers = out[:, asked["input_ids"].shape[1] :]
        texts += loaded.tokenizer.batch_decode(answers, skip_special_tokens=True)
    return texts


def by_asft(loaded: student.Loaded, prompts: list[str], batch_size: int) -> list[str]:
    return [answer.text for answer in decoder.answer(loaded, prompts, batch_size=batch_size)]


def timed(work: Callable[[], list[str]]) -> tuple[float, float, list[str]]:
    """Seconds on the clock, seconds of the processor, and what came of it."""
    clock, processor = time.perf_counter(), time.process_time()
    texts = work()
    return time.perf_counter() - clock, time.process_time() - processor, texts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--adapter")
    settings = parser.parse_args()
    loaded = student.load(student.Student(adapter=settings.adapter), "cpu")
    asked = [e.prompt for e in registry.make("task", "pocket", {"seeds": settings.prompts}).load("seed")]
    lengths = [len(row) for row in student.prompt_ids(loaded.tokenizer, asked)]
    prompts = [asked[i] for i in sorted(range(len(asked)), key=lengths.__getitem__)]
    print(f"{torch.get_num_threads()} threads, {len(prompts)} prompts, medians of {settings.repeat}")
    print(f"{'batch':>5} {'generate s':>11} {'asft s':>11} {'ratio':>6} {'cpu ratio':>10}")
    for batch_size in BATCH_SIZES:
        generate, ours = [], []
        for _ in range(settings.repeat):
            generate.append(timed(lambda size=batch_size: by_generate(loaded, prompts, size)))
            ours.append(timed(lambda size=batch_size: by_asft(loaded, prompts, size)))
            if generate[-1][2] != ours[-1][2]:
                raise SystemExit("the texts differ")
        clock, mine = (statistics.median(run[0] for run in runs) for runs in (generate, ours))
        cpu, cpu_mine = (statistics.median(run[1] for run in runs) for runs in (generate, ours))
        print(f"{batch_size:5} {clock:11.2f} {mine:11.2f} {clock / mine:6.2f} {cpu / cpu_mine:10.2f}")


if __name__ == "__main__":
    main()
