"""A filter by its name, a context and a draft, as the tests of all filters want them."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from asft import registry
from asft.tasks.gsm8k import GSM8K
from asft.types import Context, Draft, Example, Filter, Task, Verdict
from tests.filters.scripts import decided

GSM = GSM8K()


@pytest.fixture(scope="session")
def make() -> Callable[..., Filter]:
    """make(name, options) -> the filter."""

    def make(name: str, options: Mapping[str, object] | None = None) -> Filter:
        made = registry.make("filter", name, options)
        assert isinstance(made, Filter)
        return made

    return make


@pytest.fixture(scope="session")
def context() -> Callable[..., Context]:
    """context(task=, seeds=, accepted=, test=) -> a context with these questions; their answer is 42."""

    def context(
        *, task: Task = GSM, seeds: Sequence[str] = (), accepted: Sequence[str] = (), test: Sequence[str] = ()
    ) -> Context:
        pool, earlier, held_out = (
            tuple(Example.make(task="gsm8k", prompt=prompt, answer="42") for prompt in prompts)
            for prompts in (seeds, accepted, test)
        )
        return Context(task=task, seeds=pool, accepted=earlier, test=held_out, round=2, seed=0)

    return context


@pytest.fixture(scope="session")
def check(make: Callable[..., Filter], context: Callable[..., Context]) -> Callable[..., Verdict]:
    """check(name, example, context, options=, accepted=, votes=) -> the verdict on that draft."""

    def check(
        name: str,
        made: Example,
        given: Context | None = None,
        *,
        options: Mapping[str, object] | None = None,
        accepted: Sequence[Example] = (),
        votes: tuple[str | None, ...] = (),
    ) -> Verdict:
        draft = Draft(number=7, example=made, votes=votes)
        return decided(make(name, options).check(draft, given or context(), accepted))

    return check
