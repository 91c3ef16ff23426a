"""`asft eval`: accuracy of a model, or of a run's last student, on a task."""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from asft.errors import RecipeError

DEFAULTS: Mapping[str, Any] = {"max_new_tokens": 256, "batch_size": 64}
"""Where neither the command line nor a run says it."""
LOG = "student-vllm.log"


def add(commands: Any) -> None:
    """The command eval."""
    parser = commands.add_parser(
        "eval",
        help="accuracy of a model, or of a run's last student, on a task",
        description="What is not said here is as the run's recipe says it, where a run is given.",
    )
    parser.add_argument("model", metavar="MODEL_OR_RUN", help='"pocket", a folder, a hub name, or a run')
    parser.add_argument(
        "--task", help="a task's name, or path/to/file.py:Name (default: the run's task, else pocket)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        dest="overrides",
        help="an option of the task",
    )
    parser.add_argument("--split", default="test", help="a split of the task (default: test)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N examples")
    parser.add_argument("--max-new-tokens", type=int, metavar="N", help="where answers are cut off")
    parser.add_argument("--batch-size", type=int, metavar="N", help="answers that are written at once")
    parser.add_argument(
        "--decoder", help="hf or vllm: who writes the answers (default: as the run's recipe says it, else hf)"
    )
    parser.add_argument(
        "--vllm",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option of vLLM, as under student.vllm in a recipe: python, base_url, args, ...",
    )
    parser.add_argument(
        "--by", help="answers, likelihood or mean_likelihood; the last two for a task with choices"
    )
    parser.add_argument("--k", type=int, help="answers that are drawn beside the greedy one: pass@k, maj@k")
    parser.add_argument("--temperature", type=float, help="of those (default: 0.7)")
    parser.add_argument("--top-p", type=float, help="of those (default: 1)")
    parser.add_argument("--seed", type=int, help="what is drawn depends on it (default: the run's, else 0)")
    parser.add_argument("--shots", type=int, metavar="N", help="worked examples before each question")
    parser.add_argument("--system", metavar="TEXT", help="a system prompt")
    parser.add_argument("--stop", action="append", metavar="TEXT", help="a text before which answers end")
    parser.add_argument("--least-group", type=int, metavar="N", help="items from which a group counts")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write each item to this JSON lines file")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.set_defaults(call=_evaluate)


def _evaluate(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft import decoding, evaluate, student
    from asft.progress import Progress
    from asft.report import evaluated
    from asft.rundir import write_json, write_jsonl

    which = student.of(arguments.model)
    settings = _run(Path(arguments.model))
    options = _options(settings.get("evaluate", {}), arguments)
    task = _task(settings, arguments)
    if arguments.limit is not None and arguments.limit < 1:
        raise RecipeError(f"--limit {arguments.limit}: a number of at least 1 is wanted")
    examples = task.load(arguments.split)[: arguments.limit]
    seed = arguments.seed if arguments.seed is not None else settings.get("seed", 0)
    whole = task.load("test") if options.shots else ()
    asking = evaluate.asking_by(options, task.load("seed") if options.shots else (), whole, seed)
    of_student = _of_student(settings, options, arguments)
    max_new_tokens = of_student.max_new_tokens or DEFAULTS["max_new_tokens"]
    progress = Progress()
    with _logs(Path(arguments.model)) as logs, decoding.who_decodes(of_student, logs / LOG, alone=True) as by:
        if by is not None and (of_student.vllm is None or of_student.vllm.base_url is None):
            progress.say(f"vLLM is started; its log is {logs / LOG}")
        loaded = student.load(which) if by is None else student.outline(which)
        progress.start("evaluate", len(examples) * evaluate.passes(options))
        rows = evaluate.evaluate(
            loaded,
            task,
            examples,
            options,
            asking=asking,
            seed=seed,
            max_new_tokens=max_new_tokens,
            batch_size=of_student.batch_size,
            by=by,
            progress=progress.update,
        )
        progress.end()
        found = {
            **evaluate.summarise(rows, options.least_group),
            "asked": evaluate.asked(loaded, examples, options, asking, max_new_tokens, by),
        }
    print(evaluated(found))
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(arguments.json, found)
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(arguments.out, rows)
        print(f"\nItems: {arguments.out}")
    return 0


@contextmanager
def _logs(folder: Path) -> Iterator[Path]:
    """Where logs go: to those of a run; else to a folder of their own, which stays where something fails."""
    if (folder / "run.json").is_file():
        yield folder / "logs"
        return
    made = Path(tempfile.mkdtemp(prefix="asft-eval-"))
    try:
        yield made
    except BaseException:
        with suppress(OSError):
            made.rmdir()
        raise
    shutil.rmtree(made)


def _run(folder: Path) -> dict[str, Any]:
    """The settings of a run; none where the folder is no run."""
    from asft.rundir import read_json

    if not (folder / "run.json").is_file():
        return {}
    settings = read_json(folder / "recipe.lock.json", "`asft run` of its recipe")
    known = folder / "answers.json"
    if settings["student"]["max_new_tokens"] is None and known.exists():
        settings["student"]["max_new_tokens"] = read_json(known)["max_new_tokens"]
    return settings


def _task(settings: Mapping[str, Any], arguments: argparse.Namespace) -> Any:
    from asft import recipe, registry

    section = dict(settings.get("task", {"use": "pocket"}))
    if arguments.task is not None and arguments.task != section["use"]:
        section = {"use": arguments.task}
    return registry.from_section("task", {**section, **recipe.options(arguments.overrides)})


def _options(section: Mapping[str, Any], arguments: argparse.Namespace) -> Any:
    """Those of the run, with what the command line says in their place. Raises RecipeError."""
    from asft import registry
    from asft.recipe import EvaluateOptions

    said = {
        name: value
        for name in ("by", "shots", "system", "stop", "least_group")
        if (value := getattr(arguments, name)) is not None
    }
    drawn = {
        name: value
        for name in ("k", "temperature", "top_p")
        if (value := getattr(arguments, name)) is not None
    }
    if said.get("by", "answers") != "answers":
        # The run's own are about answers that are written.
        section = {key: value for key, value in section.items() if key not in ("samples", "stop")}
    samples = {**(section.get("samples") or {}), **drawn}
    if drawn and "k" not in samples:
        raise RecipeError(f"--{min(drawn).replace('_', '-')} is about answers that are drawn; give --k, too")
    made, wrong = registry.fill(EvaluateOptions, {**section, **said, "samples": samples or None})
    if wrong:
        raise RecipeError("\n".join(wrong))
    return made


def _of_student(settings: Mapping[str, Any], options: Any, arguments: argparse.Namespace) -> Any:
    """How the student answers: as the run says it, with what the command line says in its place.

    Raises RecipeError.
    """
    from asft import recipe, registry
    from asft.recipe import StudentOptions

    section = {key: value for key, value in settings.get("student", {}).items() if value is not None}
    limits = {name: getattr(arguments, name) for name in DEFAULTS}
    for name, value in limits.items():
        if value is not None and value < 1:
            option = f"--{name.replace('_', '-')}"
            raise RecipeError(f"{option} {value}: a number of at least 1 is wanted")
    said = {name: value for name, value in limits.items() if value is not None}
    given = recipe.options(arguments.vllm, "--vllm")
    if options.by != "answers":
        if arguments.decoder is not None or given:
            raise RecipeError(
                f"--decoder and --vllm have no effect where nothing is written (by: {options.by}); leave "
                "them out"
            )
        # Likelihoods are exact, whoever decodes in the run.
        said["decoder"] = "hf"
    elif arguments.decoder is not None:
        said["decoder"] = arguments.decoder
    made = {**DEFAULTS, **section, **said}
    if made.get("decoder", "hf") == "hf":
        made.pop("vllm", None)
    if given:
        made["vllm"] = {**(made.get("vllm") or {}), **given}
    filled, wrong = registry.fill(StudentOptions, made)
    if wrong:
        raise RecipeError("\n".join(wrong))
    return filled
