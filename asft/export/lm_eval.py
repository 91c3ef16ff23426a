"""The test split as a task of lm-evaluation-harness: the run's own prompts, decoding and grading.

The prompts are the texts that the student read, chat template included, so that no flag of the harness can
change them. Its other ways are there too, under names of their own: `_chat` asks any model by its own
template, and `_regex` grades by the harness's patterns for GSM8K, where asft is not installed.
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from asft import answers, datafiles, registry, student
from asft.errors import RunError
from asft.export import grading
from asft.export.model import tokenizer
from asft.export.trained import Trained
from asft.rundir import read_jsonl, write_json, write_text
from asft.types import Example, Task


def put(trained: Trained, folder: Path) -> None:
    """Write the task: YAML, the split, and the functions that load and grade it.

    Raises RunError where the task's test split is no longer the one that the run was evaluated on.
    """
    if (by := trained.asking.get("by", "answers")) != "answers":
        raise RunError(
            f"round {trained.number} was evaluated by {by}, which the task for lm-evaluation-harness does "
            "not do: leave out lm-eval (--only for each of the others)"
        )
    folder.mkdir(parents=True)
    task: Task = registry.from_section("task", trained.settings["task"])
    examples = _evaluated(trained, task)
    reader = tokenizer(trained)
    texts = student.prompt_texts(reader, _prompts(trained, task, examples))
    rows = [
        {
            "id": example.id,
            "text": datafiles.readable(text),
            "prompt": datafiles.readable(example.prompt),
            "answer": datafiles.readable(example.answer),
            "example": json.dumps(dataclasses.asdict(example)),
        }
        for example, text in zip(examples, texts, strict=True)
    ]
    datafiles.put(folder, "test", rows, parquet=False)
    write_json(folder / "task.json", _section(trained, folder))
    shutil.copyfile(grading.__file__, folder / "grading.py")
    name = task_name(trained)
    numeric = all(answers.number(example.answer) is not None for example in examples)
    for suffix, text in _tasks(name, trained, numeric=numeric).items():
        write_text(folder / f"{name}{suffix}.yaml", text)
    templated = bool(reader.chat_template)
    write_text(folder / "README.md", _readme(name, trained, len(rows), templated=templated, numeric=numeric))


def task_name(trained: Trained) -> str:
    """What the harness calls the task."""
    return f"asft_{trained.name.lower()}"


def _evaluated(trained: Trained, task: Task) -> list[Example]:
    """The examples that the round was evaluated on, in their order."""
    known = {example.id: example for example in task.load("test")}
    ids = [row["example_id"] for row in read_jsonl(trained.file("evaluate.jsonl"))]
    missing = [one for one in ids if one not in known]
    if missing:
        raise RunError(
            f"the test split has changed since round {trained.number} was evaluated: {len(missing)} of "
            f"{len(ids)} items are no longer in it (the first: {missing[0]}); mend the task's data, or leave "
            "out lm-eval"
        )
    return [known[one] for one in ids]


def _prompts(trained: Trained, task: Task, examples: Sequence[Example]) -> list[student.Prompt]:
    """What the student was asked, with the system prompt and the shots that stood before each question."""
    from asft.evaluate import asking_by
    from asft.recipe import EvaluateOptions

    options = EvaluateOptions(**trained.asking)
    seeds = task.load("seed") if options.shots else ()
    asking = asking_by(options, seeds, examples, trained.settings["seed"])
    shown = trained.manifest("evaluate")["settings"].get("shots", [])
    if [example.id for example in asking.shots] != shown:
        raise RunError(
            f"the pool has changed since round {trained.number} was evaluated: other examples would be shown "
            "before the questions; mend the task's data, or leave out lm-eval"
        )
    return [asking.prompt(example.prompt) for example in examples]


def _section(trained: Trained, folder: Path) -> Mapping[str, Any]:
    """The task's section of the recipe; a class of the user's own comes along in its file."""
    section = dict(trained.settings["task"])
    path, _, attribute = section["use"].rpartition(":")
    if path.endswith(".py"):
        shutil.copyfile(Path(path).expanduser(), folder / "task.py")
        section["use"] = f"task.py:{attribute}"
    return section


class _Function(str):
    """A function in a file beside the YAML, as the harness writes it."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name)))


def _tasks(name: str, trained: Trained, *, numeric: bool) -> dict[str, str]:
    """Suffix of the name -> YAML."""
    shared = {
        "custom_dataset": _Function("grading.load"),
        "output_type": "generate_until",
        "test_split": "test",
        "doc_to_text": "text",
        "doc_to_target": "answer",
        "num_fewshot": 0,
        "generation_kwargs": {
            "do_sample": False,
            "max_gen_toks": trained.max_new_tokens,
            "until": list(trained.asking.get("stop", [])),
        },
        "metadata": {"version": 1.0},
    }
    ours = {
        "process_results": _Function("grading.process_results"),
        "metric_list": [
            {"metric": "accuracy", "aggregation": "mean", "higher_is_better": True},
            {"metric": "unparsable", "aggregation": "mean", "higher_is_better": False},
        ],
    }
    tasks = {"": {**shared, **ours}, "_chat": {**shared, **ours, "doc_to_text": "prompt"}}
    if numeric:
        tasks["_regex"] = {**shared, **GSM8K}
    return {
        suffix: yaml.dump({"task": f"{name}{suffix}", **task}, Dumper=_Dumper, sort_keys=False)
        for suffix, task in tasks.items()
    }


GSM8K: Mapping[str, Any] = {
    "metric_list": [
        {
            "metric": "exact_match",
            "aggregation": "mean",
            "higher_is_better": True,
            "ignore_case": True,
            "ignore_punctuation": False,
            "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"],
        }
    ],
    "filter_list": [
        {
            "name": "strict-match",
            "filter": [
                {"function": "regex", "regex_pattern": "#### (\\-?[0-9\\.\\,]+)"},
                {"function": "take_first"},
            ],
        },
        {
            "name": "flexible-extract",
            "filter": [
                {
                    "function": "regex",
                    "group_select": -1,
                    "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)",
                },
                {"function": "take_first"},
            ],
        },
    ],
}
"""How the harness's own gsm8k grades."""


def command(trained: Trained, *, templated: bool) -> list[str]:
    """What runs the task in the run's own way, from its folder."""
    given = {"pretrained": "../merged"}
    if trained.about["hardware"]["cuda"] is None:
        # A student on a CPU is in float32, whatever its files hold.
        given["dtype"] = "float32"
    if templated:
        # The template has written the special tokens.
        given["add_bos_token"] = "False"
    arguments = ",".join(f"{key}={value}" for key, value in given.items())
    return [
        *("lm_eval", "run", "--model", "hf", "--model_args", arguments, "--include_path", "."),
        *("--tasks", task_name(trained), "--batch_size", "64"),
    ]


def _readme(name: str, trained: Trained, items: int, *, templated: bool, numeric: bool) -> str:
    scored = trained.summaries[-1]["evaluate"]
    ways = [
        f"- `{name}`: the text that this student read, word for word"
        + ("; so leave out `--apply_chat_template`." if templated else "."),
        f"- `{name}_chat`: the bare question, for any model; with `--apply_chat_template` where it has one.",
    ]
    if numeric:
        ways.append(
            f"- `{name}_regex`: graded by the harness's patterns for GSM8K; asft need not be installed."
        )
    if trained.settings["student"].get("decoder") == "vllm":
        ways.append("\nThe run's own answers are vLLM's; `--model vllm` is closer to them.")
    return "\n".join(
        [
            f"# `{name}`: the test split of the run `{trained.settings['name']}`\n",
            f"A task of lm-evaluation-harness (made for 0.4.13) with the {items:,} items, the prompts, the "
            f"decoding and the grading of the run. Round {trained.number} answered {scored['right']:,} of "
            f"{scored['items']:,} rightly ({100 * scored['accuracy']:.2f}%). In this folder, with asft "
            "installed:\n",
            f"```bash\n{' '.join(command(trained, templated=templated))}\n```\n",
            *ways,
            "\nAnswers differ from the run's where hardware or precision does, where the weights of a base "
            "in half precision were rounded once more by merging, and where the harness cuts a prompt that "
            "leaves too little of the model's context (asft does not cut).",
            "",
        ]
    )
