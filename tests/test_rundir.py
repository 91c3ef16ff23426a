import json
import subprocess
import sys
from pathlib import Path

import pytest

from asft.errors import RunError
from asft.rundir import RunDir, differences, read_jsonl, write_jsonl


def measured(run: RunDir, number: int = 1, rate: float = 0.1, text: str = "one") -> bool:
    def make(folder: Path) -> None:
        write_jsonl(folder / "measure.jsonl", [{"text": text}])

    return run.once(
        number, "measure", settings={"a": {"rate": rate}}, inputs=[], outputs=["measure.jsonl"], make=make
    )


def selected(run: RunDir, number: int = 1) -> bool:
    def make(folder: Path) -> None:
        write_jsonl(folder / "select.jsonl", read_jsonl(folder / "measure.jsonl"))

    return run.once(
        number,
        "select",
        settings={},
        inputs=[run.file(number, "measure.jsonl")],
        outputs=["select.jsonl"],
        make=make,
    )


def evaluated(run: RunDir, number: int) -> bool:
    def make(folder: Path) -> None:
        write_jsonl(folder / "evaluate.jsonl", [])

    return run.once(number, "evaluate", settings={}, inputs=[], outputs=["evaluate.jsonl"], make=make)


def test_a_step_is_done_once_and_reused(tmp_path: Path) -> None:
    with RunDir(tmp_path / "run") as run:
        assert measured(run)
        assert not measured(run, text="two")
        assert read_jsonl(run.file(1, "measure.jsonl")) == [{"text": "one"}]


def test_another_setting_stops_and_says_which_and_what_redo_would_do(tmp_path: Path) -> None:
    with RunDir(tmp_path) as run:
        measured(run, rate=0.1)
        with pytest.raises(RunError, match=r"a\.rate was 0\.1, now 0\.2.*--redo measure"):
            measured(run, rate=0.2)


def test_redo_forgets_the_step_and_what_follows_in_this_and_later_rounds(tmp_path: Path) -> None:
    with RunDir(tmp_path) as run:
        for number in (1, 2):
            measured(run, number)
            selected(run, number)
        run.redo("select")
        assert run.done(1, "measure")
        assert not run.done(1, "select")
        assert not run.done(2, "measure")
        with pytest.raises(RunError, match=r"one of measure, ask, select.*round-01/write"):
            run.redo("mesure")


def test_redo_of_one_round_leaves_the_rounds_before_it(tmp_path: Path) -> None:
    with RunDir(tmp_path) as run:
        for number in (1, 2, 3):
            measured(run, number)
            selected(run, number)
        run.redo("round-02/select")
        assert [(run.done(n, "measure"), run.done(n, "select")) for n in (1, 2, 3)] == [
            (True, True),
            (True, False),
            (False, False),
        ]
        for wrong in ("round-07/select", "round-1/select", "round-02/"):
            with pytest.raises(RunError, match="there is no such step"):
                run.redo(wrong)


def test_redo_of_an_evaluation_leaves_all_else_because_nothing_is_made_from_it(tmp_path: Path) -> None:
    with RunDir(tmp_path) as run:
        for number in (0, 1, 2):
            evaluated(run, number)
            measured(run, number + 1)
        run.redo("round-01/evaluate")
        assert [run.done(n, "evaluate") for n in (0, 1, 2)] == [True, False, True]
        run.redo("evaluate")
        assert [run.done(n, "evaluate") for n in (0, 1, 2)] == [False, False, False]
        assert all(run.done(n, "measure") for n in (1, 2, 3))


def test_an_output_that_was_changed_or_lost_is_told(tmp_path: Path) -> None:
    with RunDir(tmp_path) as run:
        measured(run)
        run.file(1, "measure.jsonl").write_text('{"text": "other"}\n')
        with pytest.raises(
            RunError, match=r"measure\.jsonl is damaged or was changed.*--redo round-01/measure"
        ):
            measured(run)
        run.file(1, "measure.jsonl").unlink()
        with pytest.raises(RunError, match="is missing"):
            measured(run)


def test_a_step_made_from_other_files_is_told(tmp_path: Path) -> None:
    with RunDir(tmp_path) as run:
        measured(run)
        selected(run)
        run.redo("measure")
        measured(run, text="two")
        selected(run)
        assert read_jsonl(run.file(1, "select.jsonl")) == [{"text": "two"}]
        run.file(1, "measure.jsonl").write_text('{"text": "three"}\n')
        with pytest.raises(RunError, match=r"made from other files \(round-01/measure\.jsonl\)"):
            selected(run)


def test_a_step_that_fails_leaves_no_manifest(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        write_jsonl(folder / "measure.jsonl", [{}])
        raise OSError("disk full")

    with RunDir(tmp_path) as run:
        with pytest.raises(OSError, match="disk full"):
            run.once(1, "measure", settings={}, inputs=[], outputs=["measure.jsonl"], make=fail)
        assert not run.done(1, "measure")
        assert measured(run)


def test_a_second_process_on_one_run_directory_is_refused(tmp_path: Path) -> None:
    other = (
        "from pathlib import Path; from asft.rundir import RunDir; "
        f"RunDir(Path({str(tmp_path)!r})).__enter__()"
    )
    with RunDir(tmp_path):
        refused = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert "is in use by another process" in refused.stderr
    freed = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    assert freed.returncode == 0


def test_any_text_survives_a_jsonl_file(tmp_path: Path) -> None:
    rows = [{"text": 'line\u2028break \ud800 \x00 "quote" 苹果\n'}]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_jsonl(tmp_path / "rows.jsonl") == rows


def test_a_damaged_row_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"a": 1}) + '\n{"a": 2\n')
    with pytest.raises(RunError, match=r"rows\.jsonl, line 2 is damaged"):
        read_jsonl(path)


@pytest.mark.parametrize("damage", ["", "{", "[]", "\x00" * 40])
def test_a_damaged_manifest_is_told_with_what_to_type(tmp_path: Path, damage: str) -> None:
    with RunDir(tmp_path) as run:
        measured(run)
        run.file(1, "measure.manifest.json").write_text(damage)
        with pytest.raises(RunError, match=r"measure\.manifest\.json is damaged; `--redo round-01/measure`"):
            measured(run)
        run.redo("round-01/measure")
        assert measured(run)


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\xff\xfe\x00garbage\n{"a": 2}\n')
    with pytest.raises(RunError, match=r"rows\.jsonl, line 2 is damaged"):
        read_jsonl(path)


def test_of_a_long_text_the_line_that_differs_is_shown() -> None:
    old, new = "one\ntwo\nthree", "one\n2\nthree"
    assert list(differences({"prompts": {"q": old}}, {"prompts": {"q": new}})) == [
        "prompts.q was 'two', now '2'"
    ]
    assert list(differences({"q": old}, {"q": f"{old}\nfour"})) == ["q was '', now 'four'"]
    [told] = differences({"q": "x" * 500 + "one" + "y" * 500}, {"q": "x" * 500 + "two" + "y" * 500})
    assert "xone" in told
    assert "xtwo" in told
    assert len(told) < 250


def test_differences_name_every_key_that_differs() -> None:
    old = {"train": {"lr": 1, "steps": 2}, "gone": 1}
    new = {"train": {"lr": 2, "steps": 2, "new": 3}}
    assert list(differences(old, new)) == [
        "gone was 1, now None",
        "train.lr was 1, now 2",
        "train.new was None, now 3",
    ]


def trained(run: RunDir, made: list[str], *, rate: float = 0.1, of: Path | None = None) -> bool:
    def make(folder: Path) -> None:
        made.append(run.path.name)
        (folder / "adapter").mkdir()
        (folder / "adapter" / "weights").write_text(f"of {run.path.name}")
        write_jsonl(folder / "dataset.jsonl", [{"rate": rate}])

    return run.once(
        1,
        "train",
        settings={"rate": rate},
        inputs=[of] if of else [],
        outputs=["dataset.jsonl", "adapter"],
        make=make,
    )


def test_runs_that_share_steps_make_one_with_equal_settings_and_inputs_once(tmp_path: Path) -> None:
    made: list[str] = []
    for name in ("a", "b"):
        with RunDir(tmp_path / name, tmp_path / "shared") as run:
            assert trained(run, made)
            assert not trained(run, made)
            assert run.seconds(1, "train") == RunDir(tmp_path / "a").seconds(1, "train")
    assert made == ["a"]
    assert (tmp_path / "b" / "round-01" / "adapter" / "weights").read_text() == "of a"


def test_a_shared_step_is_made_again_for_another_setting_or_another_input(tmp_path: Path) -> None:
    made: list[str] = []
    for name, rate, text in (("a", 0.1, "x"), ("b", 0.2, "x"), ("c", 0.1, "y"), ("d", 0.1, "x")):
        with RunDir(tmp_path / name, tmp_path / "shared") as run:
            run.round(1).mkdir()
            given = run.file(1, "write.jsonl")
            given.write_text(text)
            trained(run, made, rate=rate, of=given)
    assert made == ["a", "b", "c"]


def test_a_shared_copy_that_is_damaged_is_made_anew_and_mended(tmp_path: Path) -> None:
    made: list[str] = []
    for name in ("a", "b", "c"):
        with RunDir(tmp_path / name, tmp_path / "shared") as run:
            trained(run, made)
        if name == "a":
            [weights] = (tmp_path / "shared").glob("train-*/adapter/weights")
            weights.write_text("of nobody")
    assert made == ["a", "b"]
    assert (tmp_path / "c" / "round-01" / "adapter" / "weights").read_text() == "of b"


def test_what_a_killed_run_left_of_a_shared_step_is_not_used(tmp_path: Path) -> None:
    made: list[str] = []

    class KilledError(Exception):
        pass

    def killed(folder: Path) -> None:
        (folder / "adapter").mkdir()
        raise KilledError

    with RunDir(tmp_path / "a", tmp_path / "shared") as run, pytest.raises(KilledError):
        run.once(1, "train", settings={"rate": 0.1}, inputs=[], outputs=["adapter"], make=killed)
    with RunDir(tmp_path / "b", tmp_path / "shared") as run:
        trained(run, made)
    assert made == ["b"]
