"""How the student answers in a run: where its answers end, and who decodes them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from asft import decoder
from asft.decoding import who_decodes
from asft.rundir import read_json, write_json
from asft.steps.line import Line, known_by
from asft.student import Loaded
from asft.workers.ranks import Ranks

FILE = "answers.json"
"""In the run directory: the limit that was found, and from what."""


def limit(line: Line) -> int:
    """Tokens after which answers are cut off in all steps: the recipe's, or made from the pool and put down.

    It is made once; where it is there already, no student is loaded for it.
    """
    options = line.recipe.student
    if options.max_new_tokens is not None:
        return options.max_new_tokens
    made_from = {"base": options.base, "revision": options.revision, "seeds": known_by(line.seeds)}
    path = line.dir.path / FILE
    kept = read_json(path) if path.exists() else {}
    if kept.get("made_from") == made_from:
        return int(kept["max_new_tokens"])
    if line.workers is not None:
        line.workers.do("limit")
        return int(read_json(path)["max_new_tokens"])
    worked = [example.completion for example in line.seeds if example.completion]
    found = decoder.limit(line.base.tokenizer, worked)
    write_json(path, {"max_new_tokens": found, "made_from": made_from})
    why = "1.5 times the 99th percentile of the references" if worked else "the pool has no worked references"
    line.progress.say(
        f"The student's answers are cut off after {found} tokens: {why}; student.max_new_tokens sets another."
    )
    return found


@contextmanager
def decoding(line: Line) -> Iterator[decoder.Decoder | None]:
    """Who decodes in a step; None: the student in memory."""
    log = line.dir.path / "logs" / "student-vllm.log"
    with who_decodes(line.recipe.student, log) as made:
        yield made if made is None or line.ranks.count == 1 else AskedByFirst(by=made, ranks=line.ranks)


@dataclass(frozen=True, kw_only=True)
class AskedByFirst:
    """A decoder that one of several processes asks for all: it is a server, and loads an adapter once."""

    by: decoder.Decoder
    ranks: Ranks

    def write(
        self,
        loaded: Loaded,
        jobs: Sequence[decoder.Job],
        *,
        max_new_tokens: int,
        stats: bool,
        progress: Callable[[int], None] | None,
    ) -> list[decoder.Row]:
        """See `Decoder.write`."""
        asked = self.ranks.together(list(jobs))
        rows: list[decoder.Row] = []
        if self.ranks.first:
            every = [job for share in asked for job in share]
            rows = self.by.write(loaded, every, max_new_tokens=max_new_tokens, stats=stats, progress=progress)
        rows = self.ranks.told(rows)
        begin = sum(map(len, asked[: self.ranks.rank]))
        return rows[begin : begin + len(jobs)]

    def named(self) -> str:
        """See `Decoder.named`."""
        return self.by.named()
