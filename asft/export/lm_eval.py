"""The test split as a task of lm-evaluation-harness: the run's own prompts, decoding and grading.

The prompts are the texts that the student read, chat template included, so that no flag of the harness can
change them. Its other ways are there too, under names of their own: `_chat` asks any model by its own
template, and `_regex` grades by the harness's patterns for GSM8K, where asft is not installed.
"""

import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from asft import answers, datafiles, registry, student
from asft.errors import RunError
from asft.export import grading
from asft.export.model import tokenizer
from asft.export.trained import Trained
from asft.heldout import held_out
from asft.rundir import read_jsonl, write_json, write_text
from asft.types import Chooses, Example, Task


def put(trained: Trained, folder: Path) -> None:
    """Write the task: YAML, the split, and the functions that load and grade it.

    Raises RunError where the task's test split is no longer the one that the run was evaluated on.
    """
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
    by = trained.asking.get("by", "answers")
    if by == "answers":
        tasks = _by_answers(trained, numeric=all(answers.number(row["answer"]) is not None for row in rows))
    else:
        tasks = {"": BY_LIKELIHOOD}
        choices = _choices(task, examples, reader, mean=by == "mean_likelihood")
        rows = [{**row, **one} for row, one in zip(rows, choices, strict=True)]
    datafiles.put(folder, "test", rows, parquet=False)
    write_json(folder / "task.json", _section(trained, folder))
    shutil.copyfile(grading.__file__, folder / "grading.py")
    name = task_name(trained)
    for suffix, settings in tasks.items():
        text = yaml.dump({"task": f"{name}{suffix}", **SHARED, **settings}, Dumper=_Dumper, sort_keys=False)
        write_text(folder / f"{name}{suffix}.yaml", text)
    told = _readme(name, trained, len(rows), templated=bool(reader.chat_template), suffixes=[*tasks])
    write_text(folder / "README.md", told)


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
    seeds = _pool(trained, task) if options.shots else ()
    asking = asking_by(options, seeds, examples, trained.settings["seed"])
    shown = trained.manifest("evaluate")["settings"].get("shots", [])
    if [example.id for example in asking.shots] != shown:
        raise RunError(
            f"the pool has changed since round {trained.number} was evaluated: other examples would be shown "
            "before the questions; mend the task's data, or leave out lm-eval"
        )
    return [asking.prompt(example.prompt) for example in examples]


def _pool(trained: Trained, task: Task) -> Sequence[Example]:
    """The seeds, without what was held out for validation."""
    seeds, settings = task.load("seed"), trained.settings
    validation = settings["data"].get("validation")
    return held_out(seeds, validation["examples"], settings["seed"])[0] if validation else seeds


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


SHARED: Mapping[str, Any] = {
    "custom_dataset": _Function("grading.load"),
    "test_split": "test",
    "doc_to_text": "text",
    "num_fewshot": 0,
    "metadata": {"version": 1.0},
}
OURS: Mapping[str, Any] = {
    "metric_list": [
        {"metric": "accuracy", "aggregation": "mean", "higher_is_better": True},
        {"metric": "unparsable", "aggregation": "mean", "higher_is_better": False},
    ],
}
BY_LIKELIHOOD: Mapping[str, Any] = {
    "output_type": "multiple_choice",
    "doc_to_choice": "choices",
    "doc_to_target": "gold",
    "target_delimiter": "",
    "process_results": _Function("grading.process_likelihoods"),
    **OURS,
}


def _by_answers(trained: Trained, *, numeric: bool) -> dict[str, Mapping[str, Any]]:
    """Suffix of the name -> how it asks and grades."""
    written = {
        "output_type": "generate_until",
        "doc_to_target": "answer",
        "generation_kwargs": {
            "do_sample": False,
            "max_gen_toks": trained.max_new_tokens,
            "until": list(trained.asking.get("stop", [])),
        },
    }
    ours = {**written, "process_results": _Function("grading.process_results"), **OURS}
    return {
        "": ours,
        "_chat": {**ours, "doc_to_text": "prompt"},
        **({"_regex": {**written, **GSM8K}} if numeric else {}),
    }


def _choices(task: Task, examples: Sequence[Example], reader: Any, *, mean: bool) -> Iterator[dict[str, Any]]:
    """The choices with the token that ends an answer, and what the log-likelihood of each is divided by."""
    if not isinstance(task, Chooses):
        raise RunError(f"the task {type(task).__name__} lists no choices any more; leave out lm-eval")
    for example in examples:
        listed = task.choices(example)
        right = [task.grade(example, choice).value for choice in listed]
        if len(listed) < 2 or 1.0 not in right:
            raise RunError(
                f"test item {example.id} has no two choices with a right one among them, which "
                "lm-evaluation-harness needs; leave out lm-eval"
            )
        lengths = [len(ids) + 1 for ids in reader(list(listed), add_special_tokens=False)["input_ids"]]
        yield {
            "spelled": list(listed),
            "choices": [f"{choice}{reader.eos_token}" for choice in listed],
            "gold": right.index(1.0),
            "per": lengths if mean else [1] * len(listed),
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


WAYS = {
    "": "the text that this student read, word for word; so leave out `--apply_chat_template`.",
    "_chat": "the bare question, for any model; with `--apply_chat_template` where it has one.",
    "_regex": "graded by the harness's patterns for GSM8K; asft need not be installed.",
}


def _readme(name: str, trained: Trained, items: int, *, templated: bool, suffixes: Sequence[str]) -> str:
    scored = trained.summaries[-1]["evaluate"]
    vllm = trained.settings["student"].get("decoder") == "vllm"
    how = trained.quantised
    parts = [
        f"# `{name}`: the test split of the run `{trained.settings['name']}`",
        f"A task of lm-evaluation-harness (made for 0.4.13) with the {items:,} items, the prompts, the "
        f"decoding and the grading of the run. Round {trained.number} answered {scored['right']:,} of "
        f"{scored['items']:,} rightly ({100 * scored['accuracy']:.2f}%). In this folder, with asft "
        "installed:",
        f"```bash\n{' '.join(command(trained, templated=templated))}\n```",
        "\n".join(f"- `{name}{suffix}`: {WAYS[suffix]}" for suffix in suffixes),
        *(["The run's own answers are vLLM's; `--model vllm` is closer to them."] if vllm else []),
        *([f"The run's student has its base in {how}; the merged model has not."] if how else []),
        "Answers differ from the run's where hardware or precision does, where the weights of a base in half "
        "precision were rounded once more by merging, where a stop string is a special token, and where the "
        "harness cuts a prompt that leaves too little of the model's context (asft does not cut).",
    ]
    return "\n\n".join(parts) + "\n"
