"""Whether an endpoint can be used at all: a key that it takes, a model that it has, an answer."""

import difflib
from collections.abc import Sequence
from urllib.parse import urlsplit

from asft.errors import FatalError
from asft.probe.asking import Answer, Asking
from asft.probe.findings import Finding
from asft.teachers.openai import variables

QUESTION = "Count from 1 to 200, separated by commas. Write nothing else."
LIMIT = 16
"""Tokens; too few for the answer, so that it shows whether the limit is kept."""
SAMPLING = ("temperature", "top_p")


async def enter(asking: Asking) -> tuple[Answer, list[Finding]]:
    """The first answer, and what getting it shows. Raises FatalError where there is no way to one."""
    await _list(asking)
    await _choose(asking)
    first = await asking.chat_patiently(QUESTION, LIMIT)
    while first.status in (400, 422) and _ask_otherwise(asking, first):
        first = await asking.chat_patiently(QUESTION, LIMIT)
    if not first.ok:
        raise FatalError(await _why(asking, first))
    return first, [_key(asking), _model(asking), *_sampling(asking, first)]


async def _list(asking: Asking) -> None:
    listed = await asking.list_models()
    if listed.status == 0:
        raise FatalError(
            f"{asking.teacher.base_url} takes connections, and asked for its models it gives {listed.told}; "
            "check base_url, and what the server logs"
        )
    if listed.status == 401:
        raise FatalError(_wrong_key(asking, listed))
    found = listed.data.get("data")
    if listed.status == 200 and isinstance(found, list):
        asking.models = [one for one in found if isinstance(one, dict) and isinstance(one.get("id"), str)]


async def _choose(asking: Asking) -> None:
    """The model that is asked for; where none is, the only one."""
    if asking.model:
        return
    names = _names(asking)
    if len(names) != 1:
        await _look_below(asking)
        listed = f"it lists {_some(names)}" if names else "it lists none"
        raise FatalError(f"{asking.teacher.base_url}: say with --model which model is meant; {listed}")
    [asking.model] = names


def _ask_otherwise(asking: Asking, refused: Answer) -> bool:
    """Send what the refusal names in the other way, or not at all; False where it names nothing new."""
    first_choice, second_choice = asking.limit_fields
    if asking.limit_field == first_choice and first_choice in refused.told:
        asking.limit_field = second_choice
        return True
    named = {name for name in SAMPLING if name in refused.told} - asking.left_out
    asking.left_out |= named
    return bool(named)


async def _why(asking: Asking, answer: Answer) -> str:
    """Why there is no answer, and what to do."""
    url, model = asking.teacher.base_url, asking.model
    if answer.status in (401, 403):
        return _wrong_key(asking, answer)
    names = _names(asking)
    said = f"({answer.status}: {answer.told})"
    if answer.status in (400, 404, 422) and names and model not in names:
        near = difflib.get_close_matches(model, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"it lists {_some(names)}"
        return f"{url} knows no model {model!r}; {hint}"
    if answer.status in (404, 405) and not names:
        await _look_below(asking)
        return f"{url} has no chat completions, or no model {model!r} {said}; check base_url and model"
    if answer.status == 429:
        after = answer.headers.get("retry-after")
        wait = f"; it asks to wait {after} s" if after else ""
        return f"{url} is asked too often, or the account has no credit {said}{wait}; try again later"
    if answer.status == 0:
        return f"{url}: model {model!r} gives {answer.told}"
    if answer.status == 200:
        return f"{url} answers, and what it says is no chat completion {answer.told}; check base_url"
    return f"{url} answers {answer.status}: {answer.told}"


async def _look_below(asking: Asking) -> None:
    """Raise FatalError where the address lacks only its /v1."""
    url = asking.teacher.base_url.rstrip("/")
    if asking.models is None and not urlsplit(url).path:
        listed = await asking.list_models(f"{url}/v1")
        if listed.status in (200, 401):
            raise FatalError(f"{url} is not the whole address; write base_url as {url}/v1")


def _wrong_key(asking: Asking, answer: Answer) -> str:
    name = asking.teacher.key_env
    if not variables.held_by(name):
        return f"{asking.teacher.base_url} wants a key, and {name} is not set; export {name}=..."
    return (
        f"{asking.teacher.base_url} refuses the key in {name} ({answer.status}: {answer.told}); export "
        f"{name}=... with one that is valid there, or name another variable with --key-env"
    )


def _key(asking: Asking) -> Finding:
    name = asking.teacher.key_env
    if variables.held_by(name):
        return Finding(name="key", verdict="yes", detail=f"the one in {name} is taken")
    return Finding(name="key", verdict="unknown", detail=f"{name} is not set, and no key is asked for")


def _model(asking: Asking) -> Finding:
    names = _names(asking)
    if asking.model in names:
        others = len(names) - 1
        beside = f", beside {others} other{'s' * (others > 1)}" if others else ", the only one"
        return Finding(name="model", verdict="yes", detail=f"{asking.model}{beside}")
    listed = f"it lists {_some(names)}" if names else "it lists no models"
    return Finding(name="model", verdict="yes", detail=f"{asking.model} answers; {listed}")


def _sampling(asking: Asking, first: Answer) -> list[Finding]:
    field = asking.limit_field
    told = first.usage.get("completion_tokens")
    kept = isinstance(told, int) and told <= LIMIT
    if not isinstance(told, int):
        kept = len(first.text) <= 8 * LIMIT
    wanted, _ = asking.limit_fields
    other = "" if field == wanted else f"; {wanted} is refused"
    length = f"{told} tokens" if isinstance(told, int) else f"{len(first.text)} characters"
    return [
        Finding(
            name="token limit",
            verdict="yes" if kept else "ignored",
            detail=f"{field}: {length} came where {LIMIT} are allowed{other}",
        ),
        *(_taken(asking, name) for name in SAMPLING),
    ]


def _taken(asking: Asking, name: str) -> Finding:
    if name in asking.teacher.leave_out:
        return Finding(name=name, verdict="unknown", detail="the recipe leaves it out")
    if name in asking.left_out:
        return Finding(name=name, verdict="no", detail="a request with it is refused")
    return Finding(name=name, verdict="yes", detail="a request with it is answered")


def _names(asking: Asking) -> list[str]:
    return [str(one["id"]) for one in asking.models or ()]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
