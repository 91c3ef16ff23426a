"""The criterion on rewards, by hand."""

import math

from asft import needs
from asft.criteria.rewarded import Reward
from asft.types import Example, Measurements, Observation


def test_the_lowest_reward_is_the_hardest_and_none_has_no_score() -> None:
    rewards = [2.0, -1.5, None, math.inf]
    examples = tuple(Example(id=f"{i}", task="t", prompt="?", answer="1") for i in range(4))
    observations = tuple(
        Observation(example_id=e.id, signals={"reward": value})
        for e, value in zip(examples, rewards, strict=True)
    )
    found = Measurements(round=1, examples=examples, observations=observations)
    assert Reward(model="m").score(found) == [-2.0, 1.5, None, None]
    assert Reward(model="m").needs == (needs.reward("m"),)
