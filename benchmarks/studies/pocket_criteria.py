"""How the criteria agree on the pocket task, and what each costs: all of them, on the same measurements.

    python benchmarks/studies/pocket_criteria.py [--salt D] [--seeds 1000] [--work DIR] [--out DIR]

The base student, one run seed. Teacher and judge are the rules teacher: its judge knows right from wrong and
nothing more, and it ranks questions by how many quantities they name. The reward model is the student's own
body with one logit, fitted to tell its right answers from its wrong ones on problems of another salt. What is
measured stays in --work, where the same command goes on; --out gets the report with the heat map and the
tables.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import torch

from asft import scoring, student
from asft.measure import Pool, measure
from asft.measure.reward import load, read
from asft.needs import OWN
from asft.progress import Progress
from asft.report import criteria
from asft.rundir import write_text
from asft.scoring.page import facts
from asft.tasks.pocket.task import Pocket

FIT_ON = 1500
"""Problems that the reward model is fitted on."""
SAMPLES = 8


def asked_for(reward: Path) -> list[scoring.Plugin]:
    """Every criterion; those that draw samples share them, and so do those with an ensemble."""
    return [
        "loss",
        {"use": "loss", "of": "gold"},
        "entropy",
        "least_confidence",
        {"use": "margin", "reduce": "worst"},
        "incorrect",
        {"use": "answer_entropy", "k": SAMPLES},
        {"use": "disagreement", "k": SAMPLES},
        "ensemble_variance",
        "bald",
        "judge",
        {"use": "judge", "mode": "pairwise"},
        {"use": "llm_pick", "by": "difficulty"},
        {"use": "reward", "model": str(reward)},
        "gradient_norm",
        {"use": "influence", "of": "own"},
        "acquisition",
    ]


def make_reward(folder: Path, salt: str) -> float:
    """Fit a reward model and save it; returns the share of held-out answers that it tells right or wrong."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    loaded = student.load(student.Student(), "cpu")
    task = Pocket(seeds=FIT_ON, salt=salt)
    pool = Pool(task=task, examples=tuple(task.load("seed")), max_new_tokens=200, batch_size=128)
    found = measure(loaded, pool, [OWN]).observations
    answers = [one.own for one in found if one.own is not None]
    config = AutoConfig.from_pretrained(student.POCKET, num_labels=1)
    model: Any = AutoModelForSequenceClassification.from_pretrained(student.POCKET, config=config)
    states = []
    with torch.inference_mode():
        for example, answer in zip(pool.examples, answers, strict=True):
            ids = torch.tensor([read(loaded.tokenizer, example.prompt, answer.text)])
            states.append(model.model(input_ids=ids).last_hidden_state[0, -1])
    x = torch.stack(states).clone()
    y = torch.tensor([float(answer.grade == 1.0) for answer in answers])
    held = len(y) // 5
    weight = _fitted(x[held:], y[held:])
    with torch.no_grad():
        model.score.weight.copy_(weight[None])
    model.save_pretrained(str(folder))
    loaded.tokenizer.save_pretrained(str(folder))
    load(str(folder), torch.device("cpu"))
    return float((((x[:held] @ weight) > 0) == (y[:held] > 0)).float().mean())


def _fitted(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Logistic regression without an intercept: ranks need none, and a score head has none."""
    weight = torch.zeros(x.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ weight, y)
        loss = loss + 1e-3 * (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(step)  # type: ignore[no-untyped-call]
    return weight.detach()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--salt", default="D")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "pocket_criteria")
    parser.add_argument("--work", type=Path, default=Path("runs") / "pocket-criteria")
    given = parser.parse_args()
    for folder in (given.out, given.work):
        folder.mkdir(parents=True, exist_ok=True)
    reward = given.work / "reward"
    told = given.work / "reward.txt"
    if not told.exists():
        right = make_reward(reward, salt="B")
        write_text(told, f"The reward model tells right from wrong on {right:.1%} of held-out answers.\n")
    overrides = [
        f"task.seeds={given.seeds}",
        f"task.salt={given.salt}",
        "student.max_new_tokens=200",
        "train.max_steps=40",
        "judge.use=rules",
    ]
    recipe = scoring.plan("pocket", "pocket", asked_for(reward), overrides=overrides)
    found = scoring.scored(
        recipe,
        given.work / "scored",
        adapter=None,
        command=["pocket_criteria.py"],
        journal=None,
        progress=Progress(),
    )
    about = facts(recipe, found)
    write_text(given.out / "report.html", criteria.page(about))
    shown = criteria.terminal(about)
    write_text(given.out / "criteria.md", f"```text\n{shown}\n\n{about.asked}\n{told.read_text()}```\n")
    with (given.out / "correlations.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["", *found.scores])
        for label, row in zip(found.scores, found.correlations(), strict=True):
            rows.writerow([label, *("" if value is None else f"{value:.4f}" for value in row)])
    print(shown)


if __name__ == "__main__":
    main()
