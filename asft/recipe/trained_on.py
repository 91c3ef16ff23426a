"""What the sections `data` and `train` say together: settings of TRL that `data` implies, and conflicts."""

from collections.abc import Iterator, Mapping
from typing import Any

from asft.recipe.sections import DataOptions

VALIDATED: Mapping[str, Any] = {
    "eval_strategy": "steps",
    "eval_steps": 0.1,
    "save_strategy": "best",
    "save_total_limit": 1,
    "save_only_model": True,
    "load_best_model_at_end": True,
    "metric_for_best_model": "eval_loss",
}
"""With `data.validation`, where `train` is silent: ten evaluations, however many steps; the best is kept."""
IN_ORDER: Mapping[str, Any] = {"train_sampling_strategy": "sequential"}
"""With `data.order: easy_to_hard`."""

_EVALUATE = (
    "eval_strategy",
    "eval_steps",
    "eval_delay",
    "eval_on_start",
    "do_eval",
    "load_best_model_at_end",
    "metric_for_best_model",
    "greater_is_better",
)
"""Keys of SFTConfig that mean something where there is something to evaluate on."""


def implied(data: DataOptions) -> dict[str, Any]:
    """What goes to SFTConfig because of `data`, where `train` is silent."""
    return {
        **(VALIDATED if data.validation else {}),
        **(IN_ORDER if data.order == "easy_to_hard" else {}),
    }


def problems(data: DataOptions, train: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each key of `train`, as it was given, that `data` leaves no sense."""
    yield from _on_validation(data, train) if data.validation else _on_nothing(train)
    if not data.weights.all_one:
        where = "data.weights"
        yield from _barred(
            where, train, "packing", "examples that are packed into one row have no weight each"
        )
        yield from _barred(where, train, "label_smoothing_factor", "that loss takes no weights")
        if train.get("loss_type", "nll") != "nll":
            yield f"{where}: train.loss_type = {train['loss_type']!r} takes no weights; leave one of both out"
    if data.order == "easy_to_hard":
        where = "data.order = 'easy_to_hard'"
        yield from _barred(where, train, "packing", "examples that are packed together have no order")
        yield from _barred(where, train, "shuffle_dataset", "that is no order")
        sampled = train.get("train_sampling_strategy", "sequential")
        if sampled != "sequential":
            yield f"{where}: train.train_sampling_strategy = {sampled!r} is another; leave one of both out"


def _barred(where: str, train: Mapping[str, Any], key: str, why: str) -> Iterator[str]:
    if train.get(key):
        yield f"{where}: train.{key} = {train[key]!r} does not go with it, {why}; leave one of both out"


def _on_nothing(train: Mapping[str, Any]) -> Iterator[str]:
    for key in _EVALUATE:
        if train.get(key) not in (None, False, "no"):
            yield (
                f"train.{key} = {train[key]!r}: there is nothing to evaluate on while a student is trained; "
                "give data.validation, as in {examples: 100}"
            )
    if train.get("save_strategy", "no") != "no":
        yield (
            f"train.save_strategy = {train['save_strategy']!r} has no effect: only the student after the "
            "last step is kept; data.validation keeps the best"
        )


def _on_validation(data: DataOptions, train: Mapping[str, Any]) -> Iterator[str]:
    meant = {**implied(data), **train}
    if meant["eval_strategy"] == "no":
        yield "train.eval_strategy = 'no': data.validation is there to be evaluated on; leave one of both out"
        return
    if not meant["load_best_model_at_end"] or meant["save_strategy"] == "best":
        return
    if meant["save_strategy"] != meant["eval_strategy"]:
        yield (
            f"train.save_strategy = {meant['save_strategy']!r}: the best student can be kept only when it "
            f"is evaluated (train.eval_strategy is {meant['eval_strategy']!r}); leave it out"
        )
    elif meant["save_strategy"] == "steps" and not _multiple(
        meant.get("save_steps", 500), meant["eval_steps"]
    ):
        yield (
            f"train.save_steps = {meant.get('save_steps', 500)!r} is no multiple of train.eval_steps = "
            f"{meant['eval_steps']!r}, so the best student may not be kept; leave save_strategy out"
        )


def _multiple(save: float, evaluate: float) -> bool:
    """As transformers wants it: two shares of the steps, or two whole numbers."""
    if evaluate < 1 or save < 1:
        return save < 1 and evaluate < 1 and round(save * 1e6) % round(evaluate * 1e6) == 0
    return save % evaluate == 0
