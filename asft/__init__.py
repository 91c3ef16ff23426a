"""asft: active synthetic finetuning of small language models.

Importing this package is cheap: torch, transformers, trl and the like are imported by the file that
owns them, when it is used.
"""

__version__ = "0.1.0"
