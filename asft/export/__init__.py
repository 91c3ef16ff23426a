"""A round's student and data in forms that other tools take: nothing of asft is needed to use them.

adapter    the LoRA adapter, tokenizer, model card; none where every weight was trained
merged     a model like any other, in safetensors, with tokenizer and model card
data       what was trained on, with its data card
lm-eval    the test split as a task of lm-evaluation-harness
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from asft.errors import RunError
from asft.export import data, data_card, hub, lm_eval, model, model_card
from asft.export.data import Form
from asft.export.trained import Trained, read
from asft.progress import Progress
from asft.rundir import clear, read_json, write_json, write_text

PARTS = ("adapter", "merged", "data", "lm-eval")


def export(
    run: Path,
    out: Path,
    *,
    number: int | None = None,
    parts: Sequence[str] = PARTS,
    form: Form = "jsonl",
    push_to: str | None = None,
    public: bool = False,
    progress: Progress,
) -> list[str]:
    """Write parts of a finished round (None: the last) into folders of `out`; returns what was made.

    A part that is there already is replaced once it is made anew. `push_to` is a name on the hub,
    OWNER/NAME; None: nothing leaves the machine. Raises RunError where there is no such round, where `out`
    holds something else, and where nothing can be uploaded.
    """
    if public and push_to is None:
        raise RunError("--public says how an upload is to be seen; give --push-to-hub OWNER/NAME with it")
    if push_to is not None and "data" in parts and form == "datasets":
        raise RunError(
            "--data-format datasets is for this machine (`load_from_disk`); the hub reads jsonl and parquet"
        )
    there = None if push_to is None else hub.connect(push_to)
    trained = read(run, number)
    parts = _there(trained, parts, progress)
    _open(trained, out)
    made = {part: _put(part, out / part, _maker(part, trained, form), progress) for part in parts}
    told = [str(folder) for folder in made.values()]
    if there is not None and push_to is not None:
        progress.start(f"upload to {push_to}")
        message = f"Export round {trained.number} of {trained.settings['name']}"
        told += hub.push(there, push_to, made, message=message, public=public)
        progress.end()
    return told


def _there(trained: Trained, parts: Sequence[str], progress: Progress) -> Sequence[str]:
    """The parts that the round has. Raises RunError where the adapter is asked for, and there is none."""
    if not trained.whole or "adapter" not in parts:
        return parts
    why = f"Round {trained.number} trained every weight (lora: false): it has no adapter"
    if tuple(parts) != PARTS:
        raise RunError(f"{why}; export the model with --only merged")
    progress.say(f"{why}, and `merged` is the model.")
    return [part for part in parts if part != "adapter"]


def _maker(part: str, trained: Trained, form: Form) -> Callable[[Path], None]:
    def adapter(folder: Path) -> None:
        model.put_adapter(trained, folder)
        write_text(folder / "README.md", model_card.card(trained, "adapter"))

    def merged(folder: Path) -> None:
        model.put_merged(trained, folder)
        write_text(folder / "README.md", model_card.card(trained, "merged"))

    def rows(folder: Path) -> None:
        files = data.put(trained, folder, form)
        loads = "load_from_disk" if form == "datasets" else "load_dataset"
        write_text(folder / "README.md", data_card.card(trained, files, loads=loads))

    makers: Mapping[str, Callable[[Path], None]] = {
        "adapter": adapter,
        "merged": merged,
        "data": rows,
        "lm-eval": lambda folder: lm_eval.put(trained, folder),
    }
    return makers[part]


def _put(part: str, folder: Path, make: Callable[[Path], None], progress: Progress) -> Path:
    """Make a part beside its place, and put it there when it is whole."""
    progress.start(f"export {part}")
    new = folder.with_name(f".{part}.new")
    clear(new)
    make(new)
    clear(folder)
    new.rename(folder)
    progress.end()
    return folder


def _open(trained: Trained, out: Path) -> None:
    """Start the directory, or check that it holds an export of this round."""
    kept = out / "export.json"
    ours = {"run": trained.settings["name"], "started": trained.about["started"], "round": trained.number}
    if kept.exists():
        held = read_json(kept, "`asft export` into another --out")
        if held != ours:
            raise RunError(
                f"{out} holds an export of round {held.get('round')} of the run {held.get('run')!r}, begun "
                f"{held.get('started')}; give another directory with --out"
            )
        return
    strangers = sorted(path.name for path in out.iterdir()) if out.exists() else []
    if strangers:
        raise RunError(
            f"{out} holds other files ({', '.join(strangers[:3])}); give another directory with --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    write_json(kept, ours)
