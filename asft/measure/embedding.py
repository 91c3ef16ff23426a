"""Where questions stand: a point for each, so that like questions are near each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from asft import scorer
from asft.errors import DataError
from asft.measure.records import Found, Pool, Told
from asft.scorer.body import Apart, Whole, padded
from asft.scorer.plan import Row
from asft.scorer.records import Floats
from asft.student import Loaded, prompt_ids
from asft.types import Measurements


def embedding(loaded: Loaded, pool: Pool, options: Mapping[str, Any], _: Measurements, told: Told) -> Found:
    """Of the questions, and of those that earlier rounds accepted; unit length, float32.

    The student's are means over the prompt's tokens, its template's included, of the last hidden states, with
    its adapter on. By a name: those of a sentence-transformers model, of the question alone.
    """
    count = len(pool.examples)
    prompts = [example.prompt for example in (*pool.examples, *pool.accepted)]
    model = options["model"]
    if model is None:
        points = of_student(loaded, prompts, lambda done: told(min(done, count)))
    else:
        points = of_model(model, prompts, str(loaded.model.device))
    return Found(arrays={"embedding": points[:count], "accepted_embedding": points[count:]})


def of_student(loaded: Loaded, prompts: Sequence[str], told: Told) -> Floats:
    """`[n, d]`: the mean of the student's last hidden states over each prompt's tokens."""
    # The scorer runs all tokens of a row but the last, which is not read.
    rows: list[Row] = [(ids, [0]) for ids in prompt_ids(loaded.tokenizer, prompts)]
    found, _ = scorer.in_batches(loaded, rows, _means, share=False, progress=told)
    return _unit(np.stack(found)) if found else np.zeros((0, 0), dtype=np.float32)


def _means(network: Apart | Whole, rows: Sequence[Row]) -> list[Floats]:
    states = network.hidden(padded(network, rows))
    means = [states[i, : len(prompt)].float().mean(0) for i, (prompt, _) in enumerate(rows)]
    return list(torch.stack(means).cpu().numpy())


def of_model(name: str, prompts: Sequence[str], device: str) -> Floats:
    """`[n, d]`: by a sentence-transformers model. Raises DataError where it cannot be had."""
    try:
        from sentence_transformers import (
            SentenceTransformer,
        )
    except ImportError as error:
        raise DataError(
            f"embeddings by {name!r} need the package sentence-transformers, which is not installed; "
            "pip install sentence-transformers, or leave the model out for the student's hidden states"
        ) from error
    try:
        model = SentenceTransformer(name, device=device)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"the embedding model {name!r} cannot be loaded ({reason}); give a folder or a hub name"
        ) from error
    made = model.encode(list(prompts), convert_to_numpy=True, show_progress_bar=False)
    return _unit(np.asarray(made, dtype=np.float32))


def _unit(points: Floats) -> Floats:
    """Of unit length; one without length has no direction, and is NaN."""
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    found: Floats = np.divide(points, lengths, out=np.full_like(points, np.nan), where=lengths > 0)
    return found
