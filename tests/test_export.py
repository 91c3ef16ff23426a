"""`asft export` gives what a round made to other tools, and keeps its hands off what is not its own."""

import inspect
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
import yaml
from huggingface_hub import HfApi, ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from asft import export, loop, recipe, registry, student
from asft.cli import main
from asft.errors import DataError, RunError
from asft.export import data_card, grading, hub, model_card
from asft.export.trained import read
from asft.progress import Progress
from asft.rundir import digest, read_json, read_jsonl, write_json, write_jsonl

NANO: dict[str, Any] = {
    "name": "Nano run",
    "licence": "cc0-1.0",
    "seed": 1,
    "rounds": 2,
    "per_round": 3,
    "task": {"use": "pocket", "seeds": 6, "tests": 6},
    "student": {"base": "pocket", "max_new_tokens": 60},
    "teacher": {"use": "rules"},
    "criterion": {"use": "loss", "of": "gold"},
    "selector": {"use": "top"},
    "writer": {"use": "question_then_answer"},
    "filters": [{"use": "well_formed"}, {"use": "not_in_test"}],
    "data": {"include_seeds": True},
    "train": {"max_steps": 3, "learning_rate": 0.01, "warmup_steps": 0},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two rounds."""
    out = tmp_path_factory.mktemp("runs") / "nano"
    with (out.parent / "told.txt").open("w") as told:
        loop.run(recipe.read(NANO), out, source="", command=["asft"], redo=None, progress=Progress(told))
    return out


@pytest.fixture(scope="module")
def made(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of its last round."""
    return exported(run, tmp_path_factory.mktemp("exports") / "out")


def exported(run: Path, out: Path, **options: Any) -> Path:
    with (out.parent / "told.txt").open("a") as told:
        export.export(run, out, progress=Progress(told), **options)
    return out


def copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "run"))


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    ids = student.prompt_ids(tokenizer, ["Amy has 3 apples and gets 4 more. How many has she now?"])
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor(ids)).logits
    return found


# The student


def test_a_merged_model_has_the_logits_of_base_and_adapter(run: Path, made: Path) -> None:
    merged = AutoModelForCausalLM.from_pretrained(made / "merged").eval()
    tokenizer = AutoTokenizer.from_pretrained(made / "merged")
    base = student.load(student.Student(), "cpu")
    untrained = logits(base.model, base.tokenizer)
    with student.wearing(base, str(run / "round-02" / "adapter")) as dressed:
        trained = logits(dressed.model, dressed.tokenizer)
    assert torch.allclose(logits(merged, tokenizer), trained, atol=1e-4)
    assert not torch.allclose(trained, untrained, atol=1e-2)
    assert tokenizer.chat_template == base.tokenizer.chat_template
    assert sorted(path.suffix for path in (made / "merged").glob("model*")) == [".safetensors"]


def test_a_merged_model_keeps_the_dtype_of_its_base_and_ends_where_asft_ends(
    run: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    model: Any = AutoModelForCausalLM.from_pretrained(student.POCKET, dtype=torch.bfloat16)
    model.generation_config.eos_token_id = 2
    model.save_pretrained(base)
    AutoTokenizer.from_pretrained(student.POCKET).save_pretrained(base)
    changed = copied(run, tmp_path)
    lock = read_json(changed / "recipe.lock.json")
    lock["student"]["base"] = str(base)
    (changed / "recipe.lock.json").write_text(json.dumps(lock))
    out = exported(changed, tmp_path / "out", parts=["merged"])
    merged: Any = AutoModelForCausalLM.from_pretrained(out / "merged")
    assert merged.dtype == torch.bfloat16
    # 1 ends an answer for the tokenizer.
    assert merged.generation_config.eos_token_id == [1, 2]


def test_an_adapter_goes_on_any_machine_and_names_its_base_as_the_recipe_does(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = (made / "adapter" / "adapter_config.json").read_text("utf-8")
    assert json.loads(config)["base_model_name_or_path"] == "pocket"
    which = student.of(str(made / "adapter"))
    assert which == student.Student(base="pocket", adapter=str(made / "adapter"))
    assert student.load(which, "cpu").model.peft_config
    assert AutoTokenizer.from_pretrained(made / "adapter").chat_template


def test_nothing_exported_names_a_folder_of_this_machine(run: Path, made: Path) -> None:
    for path in made.rglob("*"):
        if path.is_file() and path.suffix not in (".safetensors", ".py"):
            text = path.read_text("utf-8")
            assert str(run.parent) not in text
            assert str(student.POCKET.parent) not in text


def test_an_earlier_round_is_taken_when_it_is_asked_for(run: Path, made: Path, tmp_path: Path) -> None:
    out = exported(run, tmp_path / "out", number=1, parts=["adapter", "data"])
    assert sorted(path.name for path in out.iterdir()) == ["adapter", "data", "export.json"]
    weights = "adapter/adapter_model.safetensors"
    assert (out / weights).read_bytes() != (made / weights).read_bytes()
    assert (out / weights).read_bytes() == (run / "round-01" / weights).read_bytes()


# The data


def test_the_training_set_says_where_each_example_comes_from(run: Path, made: Path) -> None:
    rows = read_jsonl(made / "data" / "prompt-completion" / "data.jsonl")
    trained = read_jsonl(run / "round-02" / "dataset.jsonl")
    assert [(row["prompt"], row["completion"], row["origin"]) for row in rows] == [
        (row["prompt"], row["completion"], row["origin"]) for row in trained
    ]
    seeds = {row["id"] for row in rows if row["origin"] == "seed"}
    written = [row for row in rows if row["origin"] == "written"]
    assert [row["round"] for row in written] == [1, 1, 1, 2, 2, 2]
    assert {parent for row in written for parent in row["parents"]} == seeds
    assert {row["teacher"] for row in written} == {"rules"}
    assert {(row["teacher"], *row["parents"]) for row in rows if row["id"] in seeds} == {(None,)}
    assert read_jsonl(made / "data" / "chat" / "data.jsonl")[0]["messages"] == [
        {"role": "user", "content": rows[0]["prompt"]},
        {"role": "assistant", "content": rows[0]["completion"]},
    ]


def test_what_is_replayed_of_earlier_rounds_keeps_its_teacher_and_its_parents(
    run: Path, made: Path, tmp_path: Path
) -> None:
    there = copied(run, tmp_path)
    rows = read_jsonl(there / "round-02" / "dataset.jsonl")
    for row in rows:
        row["origin"] = "written" if row["round"] == 2 else "replay"
    write_jsonl(there / "round-02" / "dataset.jsonl", rows)
    manifest = there / "round-02" / "train.manifest.json"
    known = read_json(manifest)
    known["outputs"]["dataset.jsonl"] = digest(there / "round-02" / "dataset.jsonl")
    write_json(manifest, known)
    out = exported(there, tmp_path / "out", parts=["data"]) / "data"
    before = read_jsonl(made / "data" / "prompt-completion" / "data.jsonl")
    after = read_jsonl(out / "prompt-completion" / "data.jsonl")
    assert {row["origin"] for row in after if row["round"] == 1} == {"replay"}
    assert [{**row, "origin": ""} for row in after] == [{**row, "origin": ""} for row in before]
    assert "6 of them written by `rules`" in (out / "README.md").read_text("utf-8")


@pytest.mark.parametrize("form", ["jsonl", "parquet", "datasets"])
def test_every_form_holds_the_same_rows(run: Path, made: Path, tmp_path: Path, form: str) -> None:
    out = exported(run, tmp_path / "out", parts=["data"], form=form)
    for shape in ("chat", "prompt-completion"):
        folder = out / "data"
        if form == "datasets":
            found = datasets.load_from_disk(str(folder / shape))
        else:
            cache = str(tmp_path / "cache")
            found = datasets.load_dataset(str(folder), shape, split="train", cache_dir=cache)
        assert list(found) == read_jsonl(made / "data" / shape / "data.jsonl")
    assert ("load_from_disk" in (folder / "README.md").read_text("utf-8")) == (form == "datasets")


# The cards


def test_the_model_card_tells_the_accuracy_of_each_round_and_the_hub_can_read_it(
    run: Path, made: Path
) -> None:
    for part, library in (("adapter", "peft"), ("merged", "transformers")):
        card = ModelCard.load(made / part / "README.md")
        found = read_json(run / "round-02" / "summary.json")["evaluate"]
        assert card.data.library_name == library
        # That of the pocket student, which its own card states.
        assert card.data.license == "apache-2.0"
        [result] = card.data.eval_results
        assert (result.metric_type, result.metric_value) == ("accuracy", found["accuracy"])
        assert result.dataset_split == "test"
        for number in range(3):
            scored = read_json(run / f"round-{number:02d}" / "summary.json")["evaluate"]
            interval = f"{100 * scored['low']:.1f}% to {100 * scored['high']:.1f}%"
            assert (
                f"| {number} | {100 * scored['accuracy']:.1f}% | {interval} | {scored['right']} | 6 |"
                in card.text
            )
        assert "learning_rate `0.01`" in card.text
        assert "| versions | asft 0.1.0, python 3." in card.text


def test_a_base_and_data_of_the_hub_are_named_to_the_hub(run: Path, tmp_path: Path) -> None:
    changed = copied(run, tmp_path)
    lock = read_json(changed / "recipe.lock.json")
    lock["student"]["base"] = "some-owner/some-model"
    lock["task"] = {"use": "gsm8k", "source": "openai/gsm8k"}
    (changed / "recipe.lock.json").write_text(json.dumps(lock))
    front = yaml.safe_load(model_card.card(read(changed), "adapter").split("---")[1])
    assert front["base_model"] == "some-owner/some-model"
    assert front["base_model_relation"] == "adapter"
    assert front["datasets"] == ["openai/gsm8k"]
    # Its licence is the base's, which nobody has looked up.
    assert "license" not in front


def test_the_data_card_tells_seeds_prompts_yields_and_cost_over_all_rounds(run: Path, made: Path) -> None:
    card = (made / "data" / "README.md").read_text("utf-8")
    front = yaml.safe_load(card.split("---")[1])
    assert front["license"] == "cc0-1.0"
    funnels = [read_json(run / f"round-0{number}" / "summary.json")["funnel"] for number in (1, 2)]
    assert f"| asked for | {sum(one['drafts'] for one in funnels)} |" in card
    assert "| **kept** | **6** |" in card
    assert "| `seed` | " in card
    assert "| seeds | `pocket`; salt `A`, seeds `6`" in card
    assert "| terms of the teacher | not stated in the recipe |" in card
    lines = [
        one for number in (1, 2) for one in read_json(run / f"round-0{number}" / "summary.json")["ledger"]
    ]
    assert f"| **all** | {sum(one['requests'] for one in lines)} |" in card
    for name in read_json(run / "round-02" / "write.manifest.json")["settings"]["prompts"]:
        assert f"| `{name}` | `" in card
    assert "`not_in_test`); likeness is that of words" in card


def test_funnels_add_up_reason_by_reason() -> None:
    one = {"drafts": 3, "dropped": {"length": {"too long": 1}}, "no_draft": {}, "filters": []}
    two = {"drafts": 4, "dropped": {"length": {"too long": 2, "too short": 1}, "known": {"old": 1}}}
    assert data_card.added([one, two]) == {
        "drafts": 7,
        "dropped": {"length": {"too long": 3, "too short": 1}, "known": {"old": 1}},
        "no_draft": {},
    }


# lm-evaluation-harness


def test_the_harness_asks_by_the_texts_that_the_student_read(made: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(student.POCKET)
    rows = read_jsonl(made / "lm-eval" / "test.jsonl")
    asked = student.prompt_ids(tokenizer, [row["prompt"] for row in rows])
    assert len(rows) == 6
    # With add_bos_token=False, which the command in its README gives.
    assert tokenizer([row["text"] for row in rows], add_special_tokens=False)["input_ids"] == asked
    assert "add_bos_token=False" in (made / "lm-eval" / "README.md").read_text("utf-8")


def test_a_student_without_a_chat_template_is_asked_by_the_question_and_a_newline(
    run: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    tokenizer = AutoTokenizer.from_pretrained(student.POCKET)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(base)
    changed = copied(run, tmp_path)
    lock = read_json(changed / "recipe.lock.json")
    lock["student"]["base"] = str(base)
    (changed / "recipe.lock.json").write_text(json.dumps(lock))
    out = exported(changed, tmp_path / "out", parts=["lm-eval"])
    rows = read_jsonl(out / "lm-eval" / "test.jsonl")
    assert all(row["text"] == f"{row['prompt']}\n" for row in rows)
    assert "add_bos_token" not in (out / "lm-eval" / "README.md").read_text("utf-8")


def test_what_stood_around_the_questions_stands_around_them_again(run: Path, tmp_path: Path) -> None:
    asked = {"shots": 1, "system": "Be brief.", "stop": ["Then"]}
    shot = run.with_name("shot")
    with (tmp_path / "told.txt").open("w") as told:
        made = recipe.read({**NANO, "rounds": 1, "evaluate": asked})
        loop.run(made, shot, source="", command=["asft"], redo=None, progress=Progress(told))
    out = exported(shot, tmp_path / "out", parts=["lm-eval", "adapter"])
    first = read_jsonl(out / "lm-eval" / "test.jsonl")[0]
    assert first["text"] == read_json(shot / "round-01" / "evaluate.json")["prompt"]
    assert first["text"].startswith("<|system|>Be brief.<|user|>")
    text = (out / "lm-eval" / "asft_nano_run.yaml").read_text("utf-8").replace("!function ", "")
    assert yaml.safe_load(text)["generation_kwargs"]["until"] == ["Then"]
    card = (out / "adapter" / "README.md").read_text("utf-8")
    assert "asked with system `Be brief.`, shots `1`, stop `" in card


def test_the_task_decodes_greedily_up_to_the_limit_of_the_run(made: Path) -> None:
    text = (made / "lm-eval" / "asft_nano_run.yaml").read_text("utf-8")
    task = yaml.safe_load(text.replace("!function ", ""))
    assert task["generation_kwargs"] == {"do_sample": False, "max_gen_toks": 60, "until": []}
    assert (task["doc_to_text"], task["process_results"]) == ("text", "grading.process_results")
    assert "process_results: !function 'grading.process_results'" in text
    names = sorted(path.stem for path in (made / "lm-eval").glob("*.yaml"))
    assert names == ["asft_nano_run", "asft_nano_run_chat", "asft_nano_run_regex"]


def test_the_task_grades_the_runs_answers_as_the_run_did(
    run: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "HERE", made / "lm-eval")
    grading._task.cache_clear()
    docs = grading.load(version=1.0)["test"]
    rows = read_jsonl(run / "round-02" / "evaluate.jsonl")
    assert [doc["id"] for doc in docs] == [row["example_id"] for row in rows]
    for doc, row in zip(docs, rows, strict=True):
        found = grading.process_results(doc, [row["text"]])
        assert found == {"accuracy": float(row["grade"] == 1.0), "unparsable": float(row["grade"] is None)}
        assert grading.process_results(doc, [f"#### {doc['answer']}"])["accuracy"] == 1.0
        assert grading.process_results(doc, [""]) == {"accuracy": 0.0, "unparsable": 1.0}
    grading._task.cache_clear()


def by_likelihood(run: Path, folder: Path, by: str) -> Path:
    """A copy of the run as if its rounds had been evaluated by likelihood on another task."""
    rows = [
        {"q": "Two and two?", "c": ["3", "four or more"], "a": "B"},
        {"q": "Three and four?", "c": ["7", "8"], "a": "A"},
    ]
    source = folder / "choices.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    changed = copied(run, folder)
    lock = read_json(changed / "recipe.lock.json")
    lock["task"] = {
        "use": "multiple_choice",
        **{"test": str(source), "question": "q", "choices_in": "c", "answer": "a"},
        **{"answer_is": "letter", "scored": "text"},
    }
    (changed / "recipe.lock.json").write_text(json.dumps(lock))
    manifest = read_json(changed / "round-02" / "evaluate.manifest.json")
    manifest["settings"]["evaluate"] = {"by": by}
    (changed / "round-02" / "evaluate.manifest.json").write_text(json.dumps(manifest))
    items = registry.from_section("task", lock["task"]).load("test")
    ids = "".join(json.dumps({"example_id": item.id}) + "\n" for item in items)
    (changed / "round-02" / "evaluate.jsonl").write_text(ids)
    return changed


@pytest.mark.parametrize("by", ["likelihood", "mean_likelihood"])
def test_choices_are_compared_with_the_token_that_ends_them(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    changed = by_likelihood(run, tmp_path, by)
    out = exported(changed, tmp_path / "out", parts=["lm-eval", "adapter"]) / "lm-eval"
    [path] = out.glob("*.yaml")
    assert yaml.safe_load(path.read_text().replace("!function ", ""))["output_type"] == "multiple_choice"
    monkeypatch.setattr(grading, "HERE", out)
    grading._task.cache_clear()
    first, second = grading.load()["test"]
    assert (first["choices"], first["gold"]) == (["3<|end|>", "four or more<|end|>"], 1)
    tokens = [
        len(ids) + 1 for ids in AutoTokenizer.from_pretrained(student.POCKET)(first["spelled"])["input_ids"]
    ]
    assert first["per"] == (tokens if by == "mean_likelihood" else [1, 1])
    # The longer one is less likely as a whole, and likelier by the token.
    found = grading.process_likelihoods(first, [(-4.0, False), (-4.5, False)])
    assert found == {"accuracy": float(by == "mean_likelihood"), "unparsable": 0.0}
    assert grading.process_likelihoods(second, [(-1.0, True), (-1.0, True)])["accuracy"] == 1.0
    grading._task.cache_clear()
    card = (tmp_path / "out" / "adapter" / "README.md").read_text("utf-8")
    assert f"Of the choices, the one that the student holds for likeliest (`{by}`)" in card


TASK = '''
from asft.registry import plugin
from asft.types import Example, Grade


@plugin
class Shouts:
    """Answers in capitals are right."""

    def load(self, split):
        return [Example.make(task="shouts", prompt="Shout!", answer="HEY")]

    def grade(self, example, text):
        return Grade(value=float(text.isupper()), extracted=text)
'''


def test_a_task_of_ones_own_comes_along_in_its_file(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shouts.py").write_text(TASK)
    changed = copied(run, tmp_path)
    lock = read_json(changed / "recipe.lock.json")
    lock["task"] = {"use": f"{tmp_path / 'shouts.py'}:Shouts"}
    (changed / "recipe.lock.json").write_text(json.dumps(lock))
    with pytest.raises(RunError, match="6 of 6 items are no longer in it"):
        exported(changed, tmp_path / "stale", parts=["lm-eval"])
    [item] = registry.from_section("task", lock["task"]).load("test")
    (changed / "round-02" / "evaluate.jsonl").write_text(json.dumps({"example_id": item.id}) + "\n")
    out = exported(changed, tmp_path / "out", parts=["lm-eval"]) / "lm-eval"
    (tmp_path / "shouts.py").unlink()
    monkeypatch.setattr(grading, "HERE", out)
    grading._task.cache_clear()
    [doc] = grading.load()["test"]
    assert grading.process_results(doc, ["LOUD"])["accuracy"] == 1.0
    assert grading.process_results(doc, ["quiet"])["accuracy"] == 0.0
    grading._task.cache_clear()
    # "HEY" is no number: the harness's patterns for numbers cannot grade it.
    assert not list(out.glob("*_regex.yaml"))


# What is refused


def test_a_directory_without_a_finished_round_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        read(tmp_path)
    new = copied(run, tmp_path)
    with pytest.raises(RunError, match=r"has no round 7; finished rounds: 1, 2"):
        read(new, 7)
    with pytest.raises(RunError, match=r"round 0 of .* is the base student"):
        read(new, 0)
    (new / "round-02" / "evaluate.manifest.json").unlink()
    with pytest.raises(RunError, match=r"round 2 of .* is not finished \(no evaluate.*finished rounds: 1\)"):
        read(new, 2)
    assert read(new).number == 1
    (new / "round-01" / "train.manifest.json").unlink()
    with pytest.raises(RunError, match="has no trained round yet; round 1 is not finished"):
        read(new)
    (new / "run.json").write_text('{"made_by": "generate"}')
    with pytest.raises(RunError, match="holds generated data and no student"):
        read(new)


def test_a_base_that_is_gone_is_told(run: Path, tmp_path: Path) -> None:
    changed = copied(run, tmp_path)
    lock = read_json(changed / "recipe.lock.json")
    lock["student"]["base"] = "./gone"
    (changed / "recipe.lock.json").write_text(json.dumps(lock))
    for part in ("adapter", "merged", "lm-eval"):
        with pytest.raises(DataError, match=r"\./gone.* cannot be loaded"):
            exported(changed, tmp_path / "out", parts=[part])
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name[0] != ".") == [
        "export.json"
    ]
    exported(changed, tmp_path / "out", parts=["data"])


def test_weights_that_were_changed_are_not_exported(run: Path, tmp_path: Path) -> None:
    changed = copied(run, tmp_path)
    with (changed / "round-02" / "adapter" / "adapter_model.safetensors").open("ab") as weights:
        weights.write(b"x")
    with pytest.raises(RunError, match=r"adapter is missing, damaged or was changed; .*round-02/train"):
        read(changed)


def test_a_directory_that_holds_something_else_is_left_alone(run: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match=r"holds other files \(thesis\.tex\)"):
        exported(run, tmp_path)
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match="holds an export of round 2 of the run 'Nano run'"):
        exported(run, made, number=1)
    exported(run, made)
    assert {path: path.read_bytes() for path in made.rglob("*") if path.is_file()} == before


# The hub


class Uploads:
    """Takes the place of the hub, and of one that refuses."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.repositories: list[tuple[str, str, bool]] = []
        self.folders: list[tuple[str, str]] = []
        self.refuses = refuses

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> None:
        if self.refuses:
            raise OSError("no such namespace")
        assert exist_ok
        self.repositories.append((repo_id, repo_type, private))

    def upload_folder(self, *, repo_id: str, repo_type: str, folder_path: str, commit_message: str) -> None:
        self.folders.append((repo_id, Path(folder_path).name))


def uploads(made: Path, parts: Sequence[str], public: bool = False) -> Uploads:
    there = Uploads()
    hub.push(there, "me/pupil", {part: made / part for part in parts}, message="Export", public=public)
    return there


def test_each_part_has_a_private_repository_and_the_test_split_none(made: Path) -> None:
    there = uploads(made, export.PARTS)
    assert there.repositories == [
        ("me/pupil-adapter", "model", True),
        ("me/pupil", "model", True),
        ("me/pupil-data", "dataset", True),
    ]
    assert [name for _, name in there.folders] == ["adapter", "merged", "data"]
    assert uploads(made, ["merged"], public=True).repositories == [("me/pupil", "model", False)]


def test_the_real_hub_takes_what_the_uploads_of_these_tests_take() -> None:
    for method in ("create_repo", "upload_folder"):
        used = inspect.signature(getattr(hub.Hub, method)).parameters
        assert set(used) <= set(inspect.signature(getattr(HfApi, method)).parameters)


def test_a_folder_for_load_from_disk_is_not_for_the_hub(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the hub reads jsonl and parquet"):
        exported(run, tmp_path / "out", form="datasets", push_to="me/pupil")


def test_an_upload_that_is_refused_is_told_with_what_to_do(made: Path) -> None:
    with pytest.raises(RunError, match=r"me/pupil cannot be uploaded \(no such namespace\).*tries again"):
        hub.push(Uploads(refuses=True), "me/pupil", {"merged": made}, message="Export", public=False)


def test_offline_means_that_nothing_is_uploaded_and_nothing_made(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The suite runs with HF_HUB_OFFLINE set.
    out = tmp_path / "out"
    assert main(["export", str(run), "--out", str(out), "--push-to-hub", "me/pupil"]) == 1
    assert "HF_HUB_OFFLINE is set, so nothing is uploaded" in capsys.readouterr().err
    assert not out.exists()
    assert main(["export", str(run), "--out", str(out), "--push-to-hub", "pupil"]) == 1
    assert "write it as OWNER/NAME" in capsys.readouterr().err
    assert main(["export", str(run), "--out", str(out), "--public"]) == 1
    assert "give --push-to-hub OWNER/NAME" in capsys.readouterr().err


def test_the_hub_is_not_asked_unless_told_to(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hub, "connect", lambda name: pytest.fail("the hub was asked"))
    out = tmp_path / "out"
    command = ["export", str(run), "--out", str(out), "--only", "data", "--only", "lm-eval"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == [str(out / "data"), str(out / "lm-eval")]
