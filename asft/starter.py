"""`asft init`: a recipe and its prompts to start from, written into a folder."""

from pathlib import Path

from asft import prompts
from asft.errors import DataError

PROMPTS = ("question", "answer")
"""What the starter recipe's writer asks with."""


def recipes() -> Path:
    """The folder of the recipes that ship with asft: inside an installed package, else beside it."""
    inside = Path(__file__).resolve().parent / "_data" / "recipes"
    return inside if inside.is_dir() else Path(__file__).resolve().parent.parent / "recipes"


def write(folder: Path) -> list[Path]:
    """Write recipe.yaml and prompts/*.md; returns their paths. Raises DataError where one is there."""
    recipe = (recipes() / "quickstart.yaml").read_text("utf-8")
    texts = {
        folder / "prompts" / f"{name}.md": prompts.load(name).path.read_text("utf-8") for name in PROMPTS
    }
    own = "".join(f"\n  {name}_prompt: {folder / 'prompts' / name}.md" for name in PROMPTS) + "\n"
    recipe = recipe.replace("name: quickstart", f"name: {folder.resolve().name}", 1)
    recipe = recipe.replace("  use: question_then_answer\n", f"  use: question_then_answer{own}", 1)
    texts[folder / "recipe.yaml"] = recipe
    for path in texts:
        if path.exists():
            raise DataError(f"{path} is there already; choose another folder, or remove it first")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return sorted(texts)
