"""The loss with a weight for each example.

For the examples i of an optimiser step, over all that it accumulates and all devices, with weights w, answers
of n tokens and their negative log-likelihoods:

    loss = sum_i w_i * sum_t nll_it  /  sum_i w_i * n_i

With equal weights that is TRL's own loss. Only their ratios matter, so they are scaled to 1 at least: TRL
divides by 1 at least.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

COLUMN = "weight"


def put_on(rows: Sequence[dict[str, Any]], weights: Sequence[float]) -> bool:
    """Give the rows their weights, but where all are equal; returns whether they have some."""
    if len(set(weights)) < 2:
        return False
    for row, weight in zip(rows, weights, strict=True):
        row[COLUMN] = weight / min(weights)
    return True


def trainer(**given: Any) -> Any:
    """An SFTTrainer whose rows may have a column "weight"; those without weigh 1.

    For rows that are not packed, whether padded or not, the loss "nll", and settings that remove no columns.
    """
    import torch
    from trl import SFTTrainer

    class Weighing(SFTTrainer):
        """Weighs the loss."""

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.data_collator = _collating(self.data_collator)

        def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> Any:
            if not batch_samples:
                return None
            total = sum(
                (batch[COLUMN][..., 1:] * batch["labels"][..., 1:].ne(-100)).sum() for batch in batch_samples
            )
            total = torch.as_tensor(total, device=device)
            if self.args.average_tokens_across_devices and self.args.world_size > 1:
                total = self.accelerator.gather(total).sum()
            return total

        def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **others: Any) -> Any:
            weights = inputs.pop(COLUMN)[..., 1:]

            def weighed(**inputs: Any) -> Any:
                outputs = model(**inputs)
                outputs.log_probs = outputs.log_probs * weights
                return outputs

            loss: Callable[..., Any] = super().compute_loss
            return loss(weighed, inputs, *args, **others)

    return Weighing(**given)


def _collating(collate: Any) -> Any:
    """Adds each token's weight to a batch, laid out like the labels: `[b, s]`, or `[1, s]` end to end."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    def collated(examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        batch = collate(examples)
        rows = [torch.full((len(one["input_ids"]),), float(one.get(COLUMN, 1.0))) for one in examples]
        end_to_end = len(batch["labels"]) < len(rows)
        weights = torch.cat(rows)[None] if end_to_end else pad_sequence(rows, batch_first=True)
        missing = batch["labels"].shape[-1] - weights.shape[-1]
        return {**batch, COLUMN: torch.nn.functional.pad(weights, (0, missing), value=1.0)}

    return collated
