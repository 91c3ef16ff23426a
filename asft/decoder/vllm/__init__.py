"""vLLM, decoding for a student: in this process, a server of our own, or one that runs already.

It gives token ids and the log-probabilities of those that it chose, before any temperature or penalty, and
neither entropy nor margin: those come from the scorer, on the same token ids. Each sample has a seed of its
own, from the numbers that its `Chance` stands for; vLLM's generator makes other tokens of them than
transformers does, and its kernels promise no equal sums in other batches. Its prompts are the token ids that
transformers would get. It writes nothing beyond the length that its model takes.
"""

from typing import Any

from asft.decoder.batched import NO_MATTER
from asft.decoder.records import Job
from asft.decoder.stopping import end_ids
from asft.errors import DataError
from asft.student import Loaded

PENALTY = "repetition_penalty"


def sampling(loaded: Loaded, job: Job, max_new_tokens: int) -> dict[str, Any]:
    """Fields of vLLM's SamplingParams for a job; its server takes them by the same names.

    Raises DataError where the model asks for more than vLLM knows.
    """
    model = loaded.model.get_base_model() if hasattr(loaded.model, "get_base_model") else loaded.model
    asked = model.generation_config.to_diff_dict()
    unknown = sorted(asked.keys() - NO_MATTER - {PENALTY})
    if unknown:
        raise DataError(
            f"the generation config of {loaded.student.base} sets {', '.join(unknown)}, which vLLM does not "
            "know; leave it out there, or decode with `decoder: hf`"
        )
    chance = job.chance
    law: dict[str, Any] = {"temperature": 0.0}
    if chance is not None:
        law = {"temperature": chance.temperature, "top_p": chance.top_p, "seed": chance.number}
    # Whole, with the text that ends it, as all that is written is cut by the same rule.
    stop = {"stop": list(job.stop), "include_stop_str_in_output": True} if job.stop else {}
    # Said, because a server fills in what the model's generation config says.
    return {
        **{"top_p": 1.0, "top_k": -1, "min_p": 0.0, PENALTY: asked.get(PENALTY, 1.0)},
        **law,
        "max_tokens": max_new_tokens,
        "stop_token_ids": sorted(loaded.end_ids | end_ids(loaded.tokenizer, job.stop)),
        **stop,
    }
