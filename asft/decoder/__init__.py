"""Answers by the student, the likeliest or drawn by chance, in the order that was asked."""

from collections.abc import Callable, Sequence

from asft.decoder.batched import Batched
from asft.decoder.chance import Chance
from asft.decoder.limit import limit
from asft.decoder.records import Decoded, Decoder, Job, Row
from asft.decoder.stopping import cut, end_ids
from asft.student import Loaded, Prompt, prompt_ids
from asft.types import Answer, Finish

__all__ = ["Batched", "Chance", "Decoded", "Decoder", "Job", "Row", "answer", "decode", "limit", "sample"]

Told = Callable[[int], None]


def answer(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int = 256,
    batch_size: int = 128,
    stop: Sequence[str] = (),
    by: Decoder | None = None,
    progress: Told | None = None,
) -> list[Answer]:
    """The answers alone; else as `decode`."""
    found = decode(
        loaded,
        prompts,
        max_new_tokens=max_new_tokens,
        batch_size=batch_size,
        stop=stop,
        by=by,
        progress=progress,
    )
    return [one.answer for one in found]


def decode(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    *,
    max_new_tokens: int = 256,
    batch_size: int = 128,
    stop: Sequence[str] = (),
    stats: bool = False,
    by: Decoder | None = None,
    progress: Told | None = None,
) -> list[Decoded]:
    """Answer each prompt greedily; the result has the order of the prompts.

    `progress` is told how many are done. An answer that reaches `max_new_tokens` without an end token has
    finish "length"; before the first of the texts `stop` it ends as before an end token. The tokens are those
    of transformers' own `generate`, which also writes them where greedy is not all that the model asks for.
    With `stats`, each answer has the statistics of its tokens, in float32 from the logits that chose them;
    those that `generate` wrote have None. `by`: who decodes instead of the model in memory, and then says
    itself how many answers are written at once.
    """
    jobs = [Job(prompt=tuple(ids), stop=tuple(stop)) for ids in prompt_ids(loaded.tokenizer, prompts)]
    rows = (by or Batched(size=batch_size)).write(
        loaded, jobs, max_new_tokens=max_new_tokens, stats=stats, progress=progress
    )
    return [_read(loaded, row, stop) for row in rows]


def sample(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    ids: Sequence[str],
    *,
    k: int,
    temperature: float,
    top_p: float = 1.0,
    seed: int = 0,
    max_new_tokens: int = 256,
    batch_size: int = 128,
    stop: Sequence[str] = (),
    stats: bool = False,
    by: Decoder | None = None,
    progress: Told | None = None,
) -> list[tuple[Decoded, ...]]:
    """Answer each prompt k times, with tokens drawn at random; the result has the order of the prompts.

    `ids` are those of the examples. A sample depends on the seed, the id and its index among the k, and
    neither on the other prompts nor on `batch_size` or k. The statistics are of the student's distribution
    as it is: temperature and `top_p` change what is drawn, not what is said of it. All else as `decode`;
    `progress` is told how many prompts are done. Raises ValueError for a temperature of 0 or a `top_p`
    outside (0, 1].
    """
    rows = prompt_ids(loaded.tokenizer, prompts)
    jobs = [
        Job(
            prompt=tuple(row),
            chance=Chance(seed=seed, example_id=name, index=index, temperature=temperature, top_p=top_p),
            stop=tuple(stop),
        )
        for name, row in zip(ids, rows, strict=True)
        for index in range(k)
    ]

    def told(done: int) -> None:
        if progress:
            progress(done // k)

    written = (by or Batched(size=batch_size)).write(
        loaded, jobs, max_new_tokens=max_new_tokens, stats=stats, progress=told
    )
    found = [_read(loaded, row, stop) for row in written]
    return [tuple(found[start : start + k]) for start in range(0, len(found), k)]


def _read(loaded: Loaded, row: Row, stop: Sequence[str]) -> Decoded:
    tokenizer = loaded.tokenizer
    ends = loaded.end_ids | end_ids(tokenizer, stop)
    end = next((i for i, token in enumerate(row.token_ids) if token in ends), None)
    finish: Finish = "length" if end is None else "stop"
    kept = row.token_ids[:end]
    written = row.token_ids if end is None else row.token_ids[: end + 1]
    text = tokenizer.decode(kept, skip_special_tokens=True)
    if found := cut(tokenizer, kept, text, stop):
        text, kept, written, finish = found.text, kept[: found.kept], kept[: found.written], "stop"
    tokens = row.tokens(len(written))
    answer = Answer(text=text, token_ids=tuple(kept), finish=finish, stats=tokens.stats if tokens else None)
    return Decoded(answer=answer, token_ids=tuple(written), tokens=tokens, nll=row.nlls(len(written)))
