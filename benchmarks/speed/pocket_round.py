"""One pocket round by hand, and where its time goes.

    python benchmarks/speed/pocket_round.py [--repeat 3]

1000 seeds are measured (nll and entropy of the gold answers, greedy answers), the 200 with the highest
nll of the own answer become one new example each, base is trained on these with LoRA, and 1000 test
problems are answered. Imports are not counted. Prints seconds per step, medians over the repetitions.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from asft import decoder, prompts, registry, scorer, student, train
from asft.types import Example, Request, Sampling


def write(seeds: list[Example]) -> list[Example]:
    """One new question with its worked answer from each seed."""
    teacher = registry.make("teacher", "rules")
    prompt = prompts.load("question_with_answer")
    made = []
    for seed in seeds:
        asked = prompt.render(question=seed.prompt, solution=seed.completion)
        reply = asyncio.run(teacher.reply(Request(messages=asked, sampling=Sampling(temperature=1.0))))
        question, _, answer = reply.text.removeprefix("Question: ").partition("\nAnswer: ")
        made.append(
            Example.make(
                task="pocket",
                prompt=question,
                answer=answer.rsplit("#### ", 1)[1],
                completion=answer,
                parents=(seed.id,),
            )
        )
    return made


def one_round(settings: argparse.Namespace) -> tuple[dict[str, float], float, float]:
    """Seconds per step, and the accuracy on the test split before and after."""
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(step: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[step], clock = now - clock, now

    task = registry.make("task", "pocket", {"salt": settings.salt})
    seeds, test = task.load("seed"), task.load("test")
    lap("load task")
    base = student.load(student.Student(), "cpu")
    lap("load student")
    asked = student.prompt_ids(base.tokenizer, [e.prompt for e in seeds])
    gold = student.answer_ids(base, [e.completion or e.answer for e in seeds])
    scorer.score(base, list(zip(asked, gold, strict=True)))
    lap("score gold")
    own = decoder.answer(base, [e.prompt for e in seeds], stats=True)
    lap("answer seeds")
    hardest = sorted(range(len(seeds)), key=lambda i: (-own[i].stats.nll, seeds[i].id))
    examples = write([seeds[i] for i in hardest[: settings.examples]])
    lap("write")
    with tempfile.TemporaryDirectory() as folder:
        trained = train.train(
            base, examples, Path(folder), sft={"num_train_epochs": settings.epochs, "learning_rate": 1.5e-3}
        ).student
        lap("train")
        after = student.load(trained, "cpu")
        answers = decoder.answer(after, [e.prompt for e in test])
        lap("answer test")
    grades = [task.grade(e, a.text).value == 1.0 for e, a in zip(test, answers, strict=True)]
    before = [task.grade(e, a.text).value == 1.0 for e, a in zip(seeds, own, strict=True)]
    return seconds, statistics.fmean(before), statistics.fmean(grades)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--salt", default="A")
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    settings = parser.parse_args()
    rounds = [one_round(settings) for _ in range(settings.repeat)]
    for step in rounds[0][0]:
        print(f"{step:18} {statistics.median(r[0][step] for r in rounds):6.1f} s")
    print(f"{'whole round':18} {statistics.median(sum(r[0].values()) for r in rounds):6.1f} s")
    print(f"accuracy on the seeds before {rounds[0][1]:.3f}, on the test split after {rounds[0][2]:.3f}")


if __name__ == "__main__":
    main()
