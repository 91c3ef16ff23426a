"""A plug-in is found by name, from three places, and every mistake in a name or an option is told."""

import sys
import textwrap
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from asft import registry
from asft.errors import PluginError

PLUGIN = """
from asft.registry import plugin

@plugin
class Mine:
    rate: float = 0.5
    size: int
    loud: bool = False
    words: tuple[str, ...] = ()
    level: int | tuple[int, ...] = 0

    def __post_init__(self):
        if self.size < 0:
            raise ValueError("size must not be negative")

class Plain:
    pass

def function():
    pass
"""


@pytest.fixture
def plugin_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def mine(plugin_file: Path) -> str:
    return f"{plugin_file}:Mine"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a distribution on the path as pip would: a module and a dist-info folder beside it."""

    def install(distribution: str, source: str, entry_points: str) -> None:
        site = tmp_path / f"site-{distribution}"
        info = site / f"{distribution}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))
        (site / f"{distribution}.py").write_text(source)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, distribution, raising=False)

    return install


def problem(kind: str, name: str, options: dict[Any, Any] | None = None) -> str:
    """The message of the PluginError that these arguments raise."""
    with pytest.raises(PluginError) as caught:
        registry.make(kind, name, options)
    return str(caught.value)


# Names


def test_every_built_in_can_be_found() -> None:
    for kind, built_in in registry.BUILT_IN.items():
        for name in built_in:
            assert isinstance(registry.find(kind, name), type)


def test_a_misspelt_name_gets_a_suggestion() -> None:
    assert "there is no task 'gsm8'; did you mean 'gsm8k'?" in problem("task", "gsm8")


def test_a_name_in_the_wrong_case_gets_a_suggestion() -> None:
    assert "did you mean 'gsm8k'?" in problem("task", "GSM8K")


def test_a_name_like_no_other_gets_the_list_and_the_way_to_name_a_file() -> None:
    message = problem("task", "zzzzzz")
    assert f"known: {', '.join(registry.names('task'))} (" in message
    assert "path/to/file.py:Name" in message


def test_an_unknown_kind_is_told_with_a_suggestion() -> None:
    assert problem("taks", "gsm8k") == "there is no kind of plug-in 'taks'; did you mean 'task'?"


# Options


def test_good_options_make_a_frozen_instance(mine: str) -> None:
    made = registry.make("task", mine, {"size": 3, "rate": 0.25})
    assert (made.size, made.rate, made.loud) == (3, 0.25, False)
    with pytest.raises(FrozenInstanceError):
        made.size = 4


def test_options_are_given_by_name_so_that_their_order_is_free(mine: str) -> None:
    with pytest.raises(ValidationError, match="unexpected_positional_argument"):
        registry.find("task", mine)(0.25, 3)


def test_a_misspelt_option_gets_a_suggestion(mine: str) -> None:
    assert "unknown option 'sice', did you mean 'size'?" in problem("task", mine, {"sice": 1, "size": 1})


def test_an_option_like_no_other_gets_the_list(mine: str) -> None:
    message = problem("task", mine, {"zzzzzz": 1, "size": 1})
    assert "unknown option 'zzzzzz', options: rate, size, loud, words, level" in message


def test_a_missing_option_is_named(mine: str) -> None:
    assert problem("task", mine).endswith("option 'size' is missing")


def test_a_value_of_the_wrong_type_is_told_with_key_and_value(mine: str) -> None:
    assert "option 'size' = 'many': Input should be a valid integer" in problem(
        "task", mine, {"size": "many"}
    )


def test_a_wrong_value_within_a_list_is_told_with_its_place(mine: str) -> None:
    message = problem("task", mine, {"size": 1, "words": ["a", 7]})
    assert "option 'words.1' = 7: Input should be a valid string" in message


def test_an_option_of_several_types_is_told_once_with_all_of_them(mine: str) -> None:
    message = problem("task", mine, {"size": 1, "level": "high"})
    assert message.count("option 'level' = 'high'") == 1
    assert "valid integer" in message
    assert "valid tuple" in message


def test_all_bad_options_are_told_at_once(mine: str) -> None:
    message = problem("task", mine, {"sice": 1, "rate": "fast"})
    assert "'sice'" in message
    assert "'size' is missing" in message
    assert "'rate' = 'fast'" in message


def test_a_long_value_is_cut_in_the_message(mine: str) -> None:
    message = problem("task", mine, {"size": "x" * 100_000})
    assert "'xxx" in message
    assert len(message) < 1000


def test_what_a_plug_in_checks_for_itself_is_told_in_its_own_words(mine: str) -> None:
    assert problem("task", mine, {"size": -1}).endswith("Mine': size must not be negative")


def test_an_option_name_that_is_no_word_is_told(mine: str) -> None:
    # YAML reads `1: x` as a number.
    assert "option names are words, not 1" in problem("task", mine, {1: "x"})


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("size", True, "a value of type int"),
        ("rate", False, "a value of type float"),
        ("loud", 1, "true or false"),
        ("loud", "yes", "true or false"),
    ],
)
def test_true_is_not_one_and_one_is_not_true(mine: str, option: str, value: Any, wanted: str) -> None:
    message = problem("task", mine, {"size": 1, option: value})
    assert message.endswith(f"option {option!r} = {value!r}: Input should be {wanted}")


def test_what_yaml_makes_of_numbers_and_lists_is_taken(mine: str) -> None:
    # PyYAML reads 1e-3, without a point, as a text; and it has lists where a frozen class has tuples.
    made = registry.make("task", mine, {"size": 1, "rate": "1e-3", "words": ["a", "b"], "loud": True})
    assert (made.rate, made.words, made.loud) == (0.001, ("a", "b"), True)


# Files


def test_a_class_is_found_in_a_file(mine: str) -> None:
    assert registry.find("task", mine).__name__ == "Mine"


def test_a_file_is_run_once_so_that_its_class_is_one_class(mine: str) -> None:
    assert registry.find("task", mine) is registry.find("teacher", mine)


def test_a_file_is_found_from_the_working_directory(
    plugin_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(plugin_file.parent)
    assert registry.make("task", "mine.py:Mine", {"size": 2}).size == 2


def test_two_files_of_one_name_are_two_plug_ins(plugin_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "mine.py"
    other.parent.mkdir()
    other.write_text(PLUGIN.replace("rate: float = 0.5", "rate: float = 0.75"))
    rates = [registry.make("task", f"{path}:Mine", {"size": 1}).rate for path in (plugin_file, other)]
    assert rates == [0.5, 0.75]


def test_a_file_that_does_not_exist_is_told(tmp_path: Path) -> None:
    assert f"{tmp_path}/nowhere.py does not exist" in problem("task", f"{tmp_path}/nowhere.py:Mine")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("class Mine", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_run_is_told_each_time(tmp_path: Path, source: str, told: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(source)
    for _ in range(2):  # what failed must not be found half made the second time
        message = problem("task", f"{path}:Mine")
        assert str(path) in message
        assert told in message


def test_a_class_that_is_not_in_the_file_is_told_with_a_suggestion(plugin_file: Path) -> None:
    message = problem("task", f"{plugin_file}:Mime")
    assert "there is no class 'Mime' there; did you mean 'Mine'?" in message


@pytest.mark.parametrize("name", ["Plain", "function", "plugin", ""])
def test_what_is_no_plug_in_is_refused(plugin_file: Path, name: str) -> None:
    message = problem("task", f"{plugin_file}:{name}")
    assert "the class is no plug-in" in message or f"there is no class {name!r} there" in message


# Installed packages


def test_an_entry_point_of_an_installed_package_is_found(install: Callable[..., None]) -> None:
    install("asft_extra", PLUGIN, "[asft.task]\nextra = asft_extra:Mine\n")
    assert registry.make("task", "extra", {"size": 5}).size == 5
    assert registry.names("task")["extra"] == "asft_extra:Mine"
    assert "extra" not in registry.names("teacher")


def test_the_name_of_an_installed_plug_in_is_suggested(install: Callable[..., None]) -> None:
    install("asft_extra", PLUGIN, "[asft.task]\nextraordinary = asft_extra:Mine\n")
    assert "did you mean 'extraordinary'?" in problem("task", "extraordinay")


def test_an_installed_package_cannot_take_the_name_of_a_built_in(install: Callable[..., None]) -> None:
    before = registry.find("task", "gsm8k")
    install("asft_thief", PLUGIN, "[asft.task]\ngsm8k = asft_thief:Mine\n")
    assert registry.find("task", "gsm8k") is before
    assert registry.names("task")["gsm8k"] == registry.BUILT_IN["task"]["gsm8k"]


def test_a_name_that_two_installed_packages_offer_is_refused(install: Callable[..., None]) -> None:
    install("asft_one", PLUGIN, "[asft.task]\nextra = asft_one:Mine\n")
    install("asft_two", PLUGIN, "[asft.task]\nextra = asft_two:Mine\n")
    message = problem("task", "extra")
    assert "asft_one:Mine, asft_two:Mine" in message


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        ("Other = 1", "AttributeError"),
        ("class Mine: pass", "is no plug-in"),
    ],
)
def test_an_installed_package_that_is_broken_is_told(
    install: Callable[..., None], source: str, told: str
) -> None:
    install("asft_broken", source, "[asft.task]\nextra = asft_broken:Mine\n")
    message = problem("task", "extra")
    assert "asft_broken:Mine" in message
    assert told in message


def test_an_installed_package_that_is_broken_does_not_harm_the_others(install: Callable[..., None]) -> None:
    install("asft_broken", "1 / 0", "[asft.task]\nbroken = asft_broken:Mine\n")
    install("asft_extra", PLUGIN, "[asft.task]\nextra = asft_extra:Mine\n")
    assert registry.make("task", "extra", {"size": 5}).size == 5
