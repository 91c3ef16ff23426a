"""Selectors: which seeds a round uses, and in which order.

Each yields a whole order of distinct seeds, best first, and the caller takes as many as it needs; when
the pool is exhausted the order ends. All are indifferent to the order of the pool: ties are broken by id,
and random numbers are dealt out in the order of the ids.

| selector | first come | it reads |
|---|---|---|
| top | the hardest | scores |
| random | any | |
| softmax | hard ones, by chance | scores |
| threshold | those within lines that are drawn through the scores | scores |
| balanced | hard and easy ones in turn | scores |
| stratified | those that another selector takes of each group, in shares | a tag; what the other reads |
| badge | those with long gradients that point different ways | gradients |
| kcenter | those least like any that is chosen or was accepted | embeddings; the highest score |
| prototypes | the most typical of each cluster of hard ones | scores, embeddings |
| sparse | those with few like them | embeddings |
| composition | those that one selector puts first among what another finds | what both read |

A seed without a score is never taken where the order goes by scores, nor one without a gradient or an
embedding where it goes by these. Selectors by place read their array from disk in blocks: badge and
kcenter once for each seed that they yield, sparse once for each block.

`max_draws` is how often a seed may be drawn in a run: one that earlier rounds drew so often
(`measurements.history`) is left out. None is no limit. A round that goes round its order more than once
draws a seed again on its own account.
"""
