"""The wheel, outside the repository: recipes, prompts and the pocket student travel in it."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

NANO = ("rounds=1", "per_round=4", "task.seeds=12", "task.tests=12", "train.max_steps=1")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment in which asft comes from an unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return {**os.environ, "PYTHONPATH": str(folder / "site")}


def asft(*arguments: str, where: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "asft", *arguments],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_the_package_and_nothing_of_the_repository_beside_it(installed: Mapping[str, str]) -> None:
    site = Path(installed["PYTHONPATH"])
    assert sorted(path.name.partition("-")[0] for path in site.iterdir()) == ["asft", "asft"]
    for kind in ("prompts", "recipes"):
        packed = {path.name for path in (site / "asft" / "_data" / kind).iterdir()}
        assert packed == {path.name for path in (ROOT / kind).iterdir()}


@pytest.mark.slow
def test_a_study_that_is_started_from_it_runs_to_its_report(
    installed: Mapping[str, str], tmp_path: Path
) -> None:
    code = [sys.executable, "-c", "import asft; print(asft.__file__)"]
    found = subprocess.run(
        code, cwd=tmp_path, env=dict(installed), capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith(installed["PYTHONPATH"]), "the wheel is what is tested"
    told = asft("init", "my-study", where=tmp_path, environment=installed)
    assert "my-study/recipe.yaml" in told
    changed = [f"--set={one}" for one in NANO]
    told = asft(
        "run", "my-study/recipe.yaml", "--out", "run", *changed, where=tmp_path, environment=installed
    )
    assert "Report: run/report.html" in told
    assert (tmp_path / "run" / "round-01" / "adapter" / "adapter_config.json").exists()
