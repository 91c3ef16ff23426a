"""An OpenAI-compatible endpoint for tests and benchmarks: fast, and the same every time.

    from asft.testing import Endpoint, Faults, Latency

    async with Endpoint(latency=Latency.lognormal(), faults=Faults(error_500=0.05)) as endpoint:
        ...                     # ask at endpoint.base_url
        endpoint.calls          # what it was asked, and what became of it

What it says depends on the messages alone, and so does how long it takes, so that two clients can be
compared; what goes wrong depends on the messages and on how often they were asked before, so that asking
again helps as it does in life. `said` gives what it says to messages, and `Latency.seconds` how long it
takes, without asking. As a process of its own: `python -m asft.testing --help`.
"""

from asft.testing.content import digest, said
from asft.testing.counts import Call
from asft.testing.endpoint import Endpoint
from asft.testing.faults import Faults
from asft.testing.latency import Latency
from asft.testing.rate import Rate

__all__ = ["Call", "Endpoint", "Faults", "Latency", "Rate", "digest", "said"]
