"""The endpoint as a process of its own: prints its base_url, and serves until SIGTERM or Ctrl-C.

python -m asft.testing --latency lognormal:0.5:0.6:20 --faults error_500=0.05,reset=0.01
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from asft.testing.counts import Call
from asft.testing.endpoint import Endpoint
from asft.testing.faults import Faults
from asft.testing.latency import Latency
from asft.testing.rate import Rate

T = TypeVar("T")


def main() -> None:
    """Serve, and write what was asked for to files at the end."""
    arguments = _parser().parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m asft.testing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--model", default="test", help="another is answered 404")
    parser.add_argument("--key", help="another is answered 401; without, any will do")
    parser.add_argument(
        "--latency", type=_as(Latency.parse), help="constant:SECONDS or lognormal:MEDIAN:LOG_SD:CAP"
    )
    parser.add_argument("--faults", type=_as(Faults.parse), help="NAME=SHARE,...")
    parser.add_argument(
        "--rate", type=_as(Rate.parse), help="calls a second, or SECONDS:RATE,...; above it, 429"
    )
    parser.add_argument("--rate-headers", action="store_true", help="tell in headers what is left of it")
    parser.add_argument("--at-once", type=int, help="it works on so many, and queues the rest")
    parser.add_argument("--abort-after", type=float, help="seconds in the queue, then 503")
    parser.add_argument("--counts", type=Path, help="a JSON file for the counts, written at the end")
    parser.add_argument("--calls", type=Path, help="a JSONL file for every call, written at the end")
    return parser


def _as(parse: Callable[[str], T]) -> Callable[[str], T]:
    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


async def _serve(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    rate = arguments.rate
    if rate is not None and arguments.rate_headers:
        rate = dataclasses.replace(rate, headers=True)
    endpoint = Endpoint(
        port=arguments.port,
        model=arguments.model,
        key=arguments.key,
        latency=arguments.latency,
        faults=arguments.faults,
        rate=rate,
        at_once=arguments.at_once,
        abort_after=arguments.abort_after,
        keep_calls=arguments.calls is not None,
    )
    async with endpoint:
        print(endpoint.base_url, flush=True)
        await stopped.wait()
    if arguments.counts is not None:
        arguments.counts.write_text(json.dumps(endpoint.counts(), indent=1) + "\n", encoding="utf-8")
    if arguments.calls is not None:
        with arguments.calls.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(_row(call)) + "\n" for call in endpoint.calls)


def _row(call: Call) -> dict[str, Any]:
    """Without the request, whose headers hold the key."""
    return {
        "digest": call.digest.hex(),
        "attempt": call.attempt,
        "fault": call.fault,
        "status": call.status,
        "gone": call.gone,
        "at": round(call.at, 6),
        "seconds": round(call.seconds, 6),
    }


if __name__ == "__main__":
    main()
