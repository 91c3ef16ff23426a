"""Who may import whom, what importing costs, and what the source never does.

A new module has no row in `MAY_IMPORT` and fails the first test: where it belongs is decided, not found
out later. The checks read the source (imports inside functions and under TYPE_CHECKING count too), and
each is shown to see what it bans.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# module -> the modules of asft that it may import. `name.*` is a folder with all that it holds. A folder
# may import itself, and everyone may import `asft`, which holds the version and nothing else.
MAY_IMPORT: dict[str, set[str]] = {
    "asft": {"asft.scoring.*"},
    "asft.types": set(),
    "asft.errors": set(),
    "asft.stats.*": set(),
    "asft.diversity.*": {
        "asft.filters.likeness",
        "asft.filters.words",
        "asft.selectors.clusters",
        "asft.selectors.points",
    },
    "asft.report.*": {"asft.errors", "asft.stats"},
    "asft.symbolic": set(),
    "asft.latex": set(),
    "asft.answers": {"asft.types", "asft.latex", "asft.symbolic"},
    "asft.registry": {"asft.errors"},
    "asft.prompts": {"asft.types", "asft.errors"},
    "asft.flops.*": {"asft.types", "asft.errors"},
    "asft.budget": {"asft.types", "asft.errors", "asft.flops", "asft.registry"},
    "asft.journal.*": {"asft.types", "asft.errors", "asft.budget", "asft.rundir"},
    "asft.probe.*": {"asft.errors", "asft.teachers.openai.*"},
    "asft.serve": {"asft.types", "asft.errors"},
    "asft.testing.*": {"asft.errors"},
    "asft.engine.*": {"asft.types", "asft.errors", "asft.budget", "asft.flops", "asft.journal"},
    "asft.rundir": {"asft.errors"},
    "asft.progress": set(),
    "asft.workers": set(),
    "asft.workers.wire": set(),
    "asft.workers.ranks": set(),
    "asft.workers.group": {
        "asft.errors",
        "asft.progress",
        "asft.recipe",
        "asft.teachers.vllm.*",
        "asft.workers.wire",
    },
    "asft.workers.__main__": {
        "asft.errors",
        "asft.journal",
        "asft.progress",
        "asft.recipe",
        "asft.rundir",
        "asft.steps",
        "asft.workers.*",
    },
    "asft.passed_on": set(),
    "asft.needs": {"asft.types", "asft.errors"},
    "asft.recipe.*": {
        "asft.types",
        "asft.errors",
        "asft.registry",
        "asft.budget",
        "asft.needs",
        "asft.passed_on",
        "asft.starter",
        "asft.teachers.vllm.settings",
    },
    "asft.adapting": {"asft.errors", "asft.recipe"},
    "asft.stopping": {"asft.recipe"},
    "asft.heldout": {"asft.types", "asft.errors", "asft.registry"},
    "asft.measurements": {"asft.types", "asft.rundir"},
    "asft.measure.*": {
        "asft.types",
        "asft.errors",
        "asft.student",
        "asft.scorer.*",
        "asft.decoder.*",
        "asft.measurements",
        "asft.needs",
        "asft.rundir",
        "asft.workers.ranks",
    },
    "asft.evaluate.*": {
        "asft.types",
        "asft.errors",
        "asft.student",
        "asft.scorer",
        "asft.decoder.*",
        "asft.measure.*",
        "asft.recipe",
        "asft.stats",
        "asft.workers.ranks",
    },
    "asft.grades": {"asft.types"},
    "asft.endpoints": {"asft.engine.*", "asft.recipe"},
    "asft.inquiring": {"asft.types", "asft.endpoints", "asft.engine.*", "asft.journal", "asft.recipe"},
    "asft.writing.*": {
        "asft.types",
        "asft.errors",
        "asft.endpoints",
        "asft.engine.*",
        "asft.journal",
        "asft.needs",
        "asft.recipe",
    },
    "asft.steps.*": {
        "asft.types",
        "asft.adapting",
        "asft.ceilings",
        "asft.errors",
        "asft.flops.*",
        "asft.student",
        "asft.decoder.*",
        "asft.decoding",
        "asft.endpoints",
        "asft.heldout",
        "asft.inquiring",
        "asft.measure.*",
        "asft.measurements",
        "asft.needs",
        "asft.evaluate.*",
        "asft.writing.*",
        "asft.train.*",
        "asft.journal",
        "asft.progress",
        "asft.prompts",
        "asft.recipe",
        "asft.rundir",
        "asft.stopping",
        "asft.workers.*",
    },
    "asft.loop": {
        "asft.errors",
        "asft.steps.*",
        "asft.journal",
        "asft.origin",
        "asft.progress",
        "asft.recipe",
        "asft.rundir",
        "asft.stop",
        "asft.student",
        "asft.train.*",
        "asft.workers.group",
    },
    "asft.study.*": {
        "asft.types",
        "asft.budget",
        "asft.ceilings",
        "asft.likely",
        "asft.decoder.*",
        "asft.diversity.*",
        "asft.errors",
        "asft.loop",
        "asft.measure.*",
        "asft.needs",
        "asft.origin",
        "asft.progress",
        "asft.recipe.*",
        "asft.report.*",
        "asft.rundir",
        "asft.stats.*",
        "asft.steps.*",
        "asft.student",
        "asft.teachers.vllm",
        "asft.teachers.vllm.guard",
        "asft.train.*",
    },
    "asft.datafiles": {"asft.rundir"},
    "asft.origin": {"asft.recipe", "asft.rundir"},
    "asft.scoring.*": {
        "asft.types",
        "asft.errors",
        "asft.datafiles",
        "asft.journal",
        "asft.measurements",
        "asft.origin",
        "asft.progress",
        "asft.recipe",
        "asft.report.*",
        "asft.rundir",
        "asft.stats",
        "asft.steps.*",
        "asft.stop",
        "asft.student",
    },
    "asft.cards": {"asft.report.wording"},
    "asft.export.*": {
        "asft.types",
        "asft.answers",
        "asft.cards",
        "asft.datafiles",
        "asft.errors",
        "asft.evaluate",
        "asft.heldout",
        "asft.progress",
        "asft.recipe",
        "asft.registry",
        "asft.report.wording",
        "asft.rundir",
        "asft.student",
    },
    "asft.generate.*": {
        "asft.types",
        "asft.cards",
        "asft.datafiles",
        "asft.errors",
        "asft.journal",
        "asft.measurements",
        "asft.origin",
        "asft.progress",
        "asft.recipe",
        "asft.report.wording",
        "asft.rundir",
        "asft.selectors.*",
        "asft.steps.*",
        "asft.stop",
    },
    "asft.stop": {"asft.progress"},
    "asft.terms": set(),
    "asft.ceilings": {
        "asft.types",
        "asft.budget",
        "asft.engine",
        "asft.flops.*",
        "asft.inquiring",
        "asft.recipe",
        "asft.student",
        "asft.writing",
    },
    "asft.likely": {
        "asft.types",
        "asft.budget",
        "asft.ceilings",
        "asft.inquiring",
        "asft.recipe",
        "asft.writing",
    },
    "asft.check": {
        "asft.types",
        "asft.errors",
        "asft.ceilings",
        "asft.engine.*",
        "asft.heldout",
        "asft.likely",
        "asft.passed_on",
        "asft.recipe",
        "asft.teachers.vllm.settings",
        "asft.terms",
        "asft.writing",
    },
    "asft.starter": {"asft.errors", "asft.prompts"},
    "asft.__main__": {"asft.cli"},
    # The command line may call anything; nothing else may import it.
    "asft.cli.*": {
        "asft.errors",
        "asft.check",
        "asft.decoding",
        "asft.evaluate.*",
        "asft.datafiles",
        "asft.export.*",
        "asft.generate.*",
        "asft.journal.*",
        "asft.loop",
        "asft.probe",
        "asft.progress",
        "asft.recipe",
        "asft.registry",
        "asft.report.*",
        "asft.rundir",
        "asft.scoring.*",
        "asft.serve",
        "asft.starter",
        "asft.student",
        "asft.study.*",
        "asft.teachers.openai.*",
    },
    "asft.criteria.*": {
        "asft.types",
        "asft.errors",
        "asft.budget",
        "asft.grades",
        "asft.needs",
        "asft.prompts",
        "asft.registry",
    },
    "asft.selectors.*": {"asft.types", "asft.errors", "asft.needs", "asft.registry"},
    "asft.writers.*": {"asft.types", "asft.errors", "asft.registry", "asft.prompts", "asft.budget"},
    "asft.filters.*": {
        "asft.types",
        "asft.errors",
        "asft.budget",
        "asft.grades",
        "asft.needs",
        "asft.prompts",
        "asft.registry",
    },
    "asft.quantised": {"asft.errors"},
    "asft.student": {"asft.types", "asft.errors", "asft.quantised"},
    "asft.scorer.*": {"asft.types", "asft.student"},
    "asft.decoder.*": {
        "asft.types",
        "asft.errors",
        "asft.rundir",
        "asft.student",
        "asft.scorer.*",
        "asft.teachers.vllm.*",
    },
    "asft.decoding": {"asft.decoder.*", "asft.recipe"},
    "asft.train.*": {"asft.types", "asft.errors", "asft.scorer.head", "asft.student"},
    "asft.tasks": set(),
    "asft.tasks.rows": {"asft.types", "asft.errors"},
    "asft.tasks.gsm8k": {"asft.types", "asft.errors", "asft.registry", "asft.answers", "asft.tasks.rows"},
    "asft.tasks.qa": {"asft.types", "asft.errors", "asft.registry", "asft.answers", "asft.tasks.rows"},
    "asft.tasks.math": {
        "asft.types",
        "asft.errors",
        "asft.registry",
        "asft.answers",
        "asft.latex",
        "asft.tasks",
        "asft.tasks.rows",
    },
    "asft.tasks.choices": {"asft.answers", "asft.tasks.qa"},
    "asft.tasks.multiple_choice": {
        "asft.types",
        "asft.errors",
        "asft.registry",
        "asft.tasks",
        "asft.tasks.choices",
        "asft.tasks.qa",
        "asft.tasks.rows",
    },
    "asft.tasks.classification": {
        "asft.types",
        "asft.errors",
        "asft.registry",
        "asft.tasks",
        "asft.tasks.choices",
        "asft.tasks.qa",
        "asft.tasks.rows",
    },
    "asft.tasks.pocket.*": {"asft.types", "asft.errors", "asft.registry", "asft.answers"},
    "asft.tasks.game24.*": {"asft.types", "asft.errors", "asft.registry", "asft.answers", "asft.tasks.rows"},
    "asft.tasks.prontoqa.*": {"asft.types", "asft.errors", "asft.registry", "asft.answers"},
    "asft.teachers": set(),
    "asft.teachers.openai.*": {"asft.types", "asft.errors", "asft.registry", "asft.budget"},
    "asft.teachers.pool": {"asft.types", "asft.errors", "asft.registry", "asft.budget"},
    "asft.teachers.recorded": {"asft.types", "asft.errors", "asft.registry", "asft.budget", "asft.journal"},
    "asft.teachers.vllm.*": {
        "asft.types",
        "asft.errors",
        "asft.registry",
        "asft.budget",
        "asft.rundir",
        "asft.teachers.openai",
    },
    "asft.teachers.rules.*": {
        "asft.types",
        "asft.errors",
        "asft.registry",
        "asft.budget",
        "asft.answers",
        "asft.prompts",
        "asft.tasks.game24.*",
        "asft.tasks.pocket.*",
        "asft.tasks.prontoqa.*",
    },
}

# These take seconds to import. A module that imports one of them at its top is named here; all others
# stay light, so that the command line answers at once and a task needs no torch.
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "openai", "vllm", "math_verify"}
IMPORTS_HEAVY = {
    "asft.scorer",
    "asft.scorer.body",
    "asft.scorer.fold",
    "asft.scorer.gradient",
    "asft.scorer.head",
    "asft.scorer.members",
    "asft.scorer.plan",
    "asft.scorer.records",
    "asft.decoder",
    "asft.decoder.batched",
    "asft.decoder.chance",
    "asft.decoder.limit",
    "asft.decoder.records",
    "asft.decoder.stopping",
    "asft.decoder.vllm",
    "asft.decoder.vllm.in_process",
    "asft.decoder.vllm.own_server",
    "asft.decoder.vllm.served",
    "asft.decoder.vllm.starting",
    "asft.decoding",
    "asft.measure",
    "asft.measure.answers",
    "asft.measure.embedding",
    "asft.measure.ensemble",
    "asft.measure.gradient",
    "asft.measure.parts",
    "asft.measure.records",
    "asft.measure.reward",
    "asft.measure.rows",
    "asft.evaluate",
    "asft.evaluate.asking",
    "asft.evaluate.labels",
    "asft.evaluate.likelihood",
    "asft.evaluate.summary",
    "asft.steps",
    "asft.steps.drafting",
    "asft.steps.answering",
    "asft.steps.computing",
    "asft.steps.between",
    "asft.steps.data",
    "asft.steps.line",
    "asft.steps.pool",
    "asft.steps.summary",
    "asft.steps.training",
    "asft.steps.turns",
    "asft.steps.work",
    "asft.loop",
    "asft.workers.__main__",
    "asft.train.loss",
    "asft.train.quick",
    "asft.study.measures",
    "asft.study.one",
    "asft.study.pace",
    "asft.study.plan",
}

# The registry imports what a name stands for; nobody else imports by a computed name, which no table sees.
IMPORTS_BY_NAME = {"asft.registry"}

# Text that a model wrote reaches this code: nothing here can run it. `sympify` and `parse_expr` call eval.
RUNS_TEXT = {"eval", "exec", "compile", "sympify", "parse_expr", "unsafe_load"}
# Reading a file of these runs what the file says.
RUNS_FILES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "asft").rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in FILES.items()}


def is_package(module: str) -> bool:
    return FILES[module].name == "__init__.py"


def imported(tree: ast.AST, package: str = "") -> Iterator[str]:
    """The dotted names that a source imports; `from a import b` gives a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            outer = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*outer, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def within(module: str, row: str) -> bool:
    folder = row.removesuffix(".*")
    return module == folder or (row.endswith(".*") and module.startswith(f"{folder}."))


def row_of(module: str) -> str | None:
    return next((row for row in MAY_IMPORT if within(module, row)), None)


def trespasses(module: str, tree: ast.AST, package: str) -> set[str]:
    """The modules of asft that this source imports without leave."""
    row = row_of(module)
    assert row is not None, f"{module} has no row in MAY_IMPORT"
    allowed = {"asft", row, *MAY_IMPORT[row]}
    # `asft.types.Example` is a name in a module and no module.
    modules = {name for name in imported(tree, package) if name in FILES}
    return {name for name in modules if not any(within(name, target) for target in allowed)}


def names_used(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of all names and dotted names (`pickle.loads`) that a source reads or imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                origin = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
                yield node.lineno, origin + alias.name


def runs_what_it_reads(tree: ast.AST) -> list[str]:
    found = []
    for line, name in names_used(tree):
        first, _, rest = name.partition(".")
        last = name.rpartition(".")[2]
        # `re.compile` and a model's `eval()` are methods of something else and run no text.
        builtin = name in RUNS_TEXT or (first == "builtins" and last in RUNS_TEXT)
        foreign = bool(rest) and last in RUNS_TEXT - {"eval", "exec", "compile"}
        if builtin or foreign or first in RUNS_FILES or name == "os.system":
            found.append(f"line {line}: {name}")
    return found


def bad_names(tree: ast.AST, module: str) -> list[str]:
    """Names that say nothing about what a thing does."""
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    found = [name for name in classes if re.match(r"_?Base([A-Z]|$)", name) or name.endswith("Manager")]
    found += [part for part in module.split(".") if re.fullmatch(r"_?(utils?|helpers?|common|misc)", part)]
    return found


# The table


def test_every_module_has_one_row() -> None:
    rows = {module: [row for row in MAY_IMPORT if within(module, row)] for module in FILES}
    assert {module: found for module, found in rows.items() if len(found) != 1} == {}


def test_every_row_is_about_a_module_that_exists() -> None:
    named = {*MAY_IMPORT, *(target for targets in MAY_IMPORT.values() for target in targets)}
    assert {row for row in named if not any(within(module, row) for module in FILES)} == set()


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_what_its_row_allows(module: str) -> None:
    package = module if is_package(module) else module.rpartition(".")[0]
    assert trespasses(module, TREES[module], package) == set()


@pytest.mark.parametrize(
    "source",
    [
        "import asft.registry",
        "from asft.registry import plugin",
        "from asft import registry",
        "from . import registry",
        "from .registry import plugin",
        "def late():\n    from asft.registry import plugin",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import asft.registry",
    ],
)
def test_the_table_sees_every_way_to_import(source: str) -> None:
    assert trespasses("asft.answers", ast.parse(source), "asft") == {"asft.registry"}


def test_a_name_in_an_allowed_module_is_no_trespass() -> None:
    assert trespasses("asft.answers", ast.parse("from asft.types import Example, Grade"), "asft") == set()


def test_only_the_registry_imports_by_a_computed_name() -> None:
    users = {
        module
        for module, tree in TREES.items()
        for _, name in names_used(tree)
        if name.rpartition(".")[2] in {"import_module", "__import__", "exec_module"}
    }
    assert users == IMPORTS_BY_NAME


def test_nothing_but_scripts_imports_from_scripts() -> None:
    scripts = {"scripts", *(path.stem for path in (ROOT / "scripts").glob("*.py"))}
    users = [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in ("asft", "benchmarks", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in imported(ast.parse(path.read_text("utf-8")))
        if name.partition(".")[0] in scripts
    ]
    assert users == []


# What importing costs


def test_light_modules_import_nothing_heavy() -> None:
    program = "\n".join(
        [
            "import importlib, sys",
            "for name in sys.argv[1].split():",
            "    importlib.import_module(name)",
            "    heavy = sorted(set(sys.argv[2].split()) & set(sys.modules))",
            "    if heavy: sys.exit(f'{name} imports {heavy}')",
        ]
    )
    light = " ".join(module for module in FILES if module not in IMPORTS_HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program, light, " ".join(HEAVY)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# What the source never does


@pytest.mark.parametrize("module", FILES)
def test_nothing_read_is_ever_run_as_code(module: str) -> None:
    assert runs_what_it_reads(TREES[module]) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)",
        "run = exec",
        "compile(x, '', 'eval')",
        "import builtins\nbuiltins.eval(x)",
        "import pickle\npickle.loads(x)",
        "from pickle import loads",
        "sympy.sympify(x)",
        "from sympy.parsing.sympy_parser import parse_expr",
        "yaml.unsafe_load(x)",
        "os.system(x)",
    ],
)
def test_a_source_that_runs_what_it_reads_is_seen(source: str) -> None:
    assert runs_what_it_reads(ast.parse(source)) != []


@pytest.mark.parametrize("source", ["re.compile('a')", "model.eval()", "yaml.safe_load(x)", "evaluate = 1"])
def test_a_source_that_runs_nothing_passes(source: str) -> None:
    assert runs_what_it_reads(ast.parse(source)) == []


@pytest.mark.parametrize("module", FILES)
def test_names_say_what_a_thing_does(module: str) -> None:
    assert bad_names(TREES[module], module) == []


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("class BaseTask: pass", "asft.tasks.qa"),
        ("class _Base: pass", "asft.tasks.qa"),
        ("class RunManager: pass", "asft.tasks.qa"),
        ("", "asft.utils"),
        ("", "asft.tasks.helpers"),
    ],
)
def test_a_name_that_says_nothing_is_seen(source: str, module: str) -> None:
    assert bad_names(ast.parse(source), module) != []


@pytest.mark.parametrize(("source", "module"), [("class Baseline: pass", "asft.baseline")])
def test_a_word_that_merely_starts_alike_passes(source: str, module: str) -> None:
    assert bad_names(ast.parse(source), module) == []
