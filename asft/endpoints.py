"""Whom a recipe asks: its teacher, and its judge, which is the teacher where none is named."""

from typing import Any

from asft.engine import Endpoint
from asft.recipe import Recipe


def endpoints(recipe: Recipe) -> dict[str, Endpoint]:
    """By role. Without a judge of its own both roles are one endpoint, with one limit on calls at once."""
    teacher = Endpoint.of(recipe.teacher, **vars(recipe.engine))
    judge = teacher if recipe.judge is None else Endpoint.of(recipe.judge, **vars(recipe.engine))
    return {"teacher": teacher, "judge": judge}


def identities(recipe: Recipe) -> dict[str, Any]:
    """What the journal knows each by: who is asked, and not how. A longer timeout changes nothing."""
    return {role: dict(endpoint.identity) for role, endpoint in endpoints(recipe).items()}
