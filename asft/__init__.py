"""asft: active synthetic finetuning of small language models.

Importing this package is cheap: torch, transformers, trl and the like are imported by the file that
owns them, when it is used. From a notebook:

    import asft

    scored = asft.score("pocket", task="pocket", criteria=["loss", {"use": "entropy", "of": "gold"}])
    hardest = scored.measurements.examples[scored.ranking()[0]]
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asft.scoring import Scored as Scored
    from asft.scoring import score as score

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("Scored", "score"):
        from asft import scoring

        return getattr(scoring, name)
    raise AttributeError(f"module 'asft' has no attribute {name!r}")
