"""Selectors: which seeds a round uses, and in which order.

Each yields a whole order of distinct seeds, best first, and the caller takes as many as it needs; when
the pool is exhausted the order ends. All are indifferent to the order of the pool: ties are broken by id,
and random numbers are dealt out in the order of the ids.

`max_draws` is how often a seed may be drawn in a run: one that earlier rounds drew so often
(`measurements.history`) is left out. None is no limit. A round that goes round its order more than once
draws a seed again on its own account.
"""
