"""`asft journal`: look at what was asked and answered and what it cost, hand it on, save a damaged one."""

import argparse
import json
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asft.cli.table import Column, table, width

if TYPE_CHECKING:
    from asft.journal import Call, Reading, Stored, Sum


def add(commands: Any) -> None:
    """The command and its parts."""
    journal = commands.add_parser(
        "journal", help="every call of a run, what it cost, and both for other tools"
    )
    parts = journal.add_subparsers(title="parts", metavar="PART", required=True)

    show = parts.add_parser("show", help="the newest calls, or a whole conversation")
    _path_argument(show)
    show.add_argument("--limit", type=_count, default=20, metavar="N", help="so many (default: 20)")
    show.add_argument("--key", metavar="HEX", help="the whole conversation under this key, or its beginning")
    show.add_argument("--purpose", metavar="P", help="only calls for this (question, answer, judge, ...)")
    show.add_argument("--grep", metavar="TEXT", help="only where question or reply holds this, in any case")
    show.set_defaults(call=_show)

    stats = parts.add_parser("stats", help="totals per round, step, role and purpose")
    _path_argument(stats)
    stats.set_defaults(call=_stats)

    export = parts.add_parser("export", help="every request with its reply as JSON lines")
    _path_argument(export)
    export.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl")
    export.set_defaults(call=_export)

    salvage = parts.add_parser("salvage", help="copy what is whole of a damaged journal")
    salvage.add_argument("damaged", type=Path, metavar="DAMAGED")
    salvage.add_argument("fresh", type=Path, metavar="NEW")
    salvage.set_defaults(call=_salvage)


def _path_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH_OR_RUN", help="a journal, or the directory of a run")


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


# show


def _show(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft.journal import Reading, of_run

    path, run = of_run(arguments.path)
    with Reading(path) as journal:
        if arguments.key is not None:
            print(_conversation(journal, run, arguments.key))
            return 0
        found = (call for call in journal.calls(run) if _fits(call, arguments.purpose, arguments.grep))
        calls = list(islice(found, arguments.limit + 1))
    if not calls:
        print("No call fits." if arguments.purpose or arguments.grep else "No call yet.")
        return 0
    print("\n".join(_listing(calls[: arguments.limit][::-1], more=len(calls) > arguments.limit)))
    return 0


def _fits(call: "Call", purpose: str | None, text: str | None) -> bool:
    if purpose is not None and call.line.purpose != purpose:
        return False
    if text is None:
        return True
    said = [] if call.stored is None else [*(content for _, content in _messages(call.stored)), _told(call)]
    return any(text.casefold() in one.casefold() for one in said)


def _listing(calls: Sequence["Call"], *, more: bool) -> list[str]:
    """One line per call, the newest last; what is the same for all stands above, once."""
    times = [datetime.fromtimestamp(call.at) for call in calls]
    day = {time.date() for time in times}
    lines = [call.line for call in calls]
    columns = [
        Column("when", [f"{time:%H:%M:%S}" if len(day) == 1 else f"{time:%m-%d %H:%M}" for time in times]),
        Column("key", [_key(call)[:8] for call in calls]),
        Column("run", [call.run for call in calls]),
        Column("round", [str(line.round) for line in lines], right=True),
        Column("step", [line.step for line in lines]),
        Column("role", [line.role for line in lines]),
        Column("purpose", [line.purpose for line in lines]),
        Column("in", [_tokens(line.input_tokens, line.estimated) for line in lines], right=True),
        Column("out", [_tokens(line.output_tokens, line.estimated) for line in lines], right=True),
        Column("cost", [_dollars(line.cost_usd) for line in lines], right=True),
        Column("counts", [_counted(call) for call in calls]),
        Column("reply", [_first_line(_told(call)) for call in calls]),
    ]
    hoisted = [
        column
        for column in columns
        if column.head in ("run", "round", "step", "role", "purpose", "cost", "counts")
        and len(set(column.cells)) == 1
    ]
    said = ", ".join(_hoisted(column.head, column.cells[0]) for column in hoisted if column.cells[0])
    number = f"the newest {len(calls)} calls" if more else f"{len(calls)} call{'s' * (len(calls) > 1)}"
    date = f"{min(day)}" if len(day) == 1 else f"{min(day)} to {max(day)}"
    room = width()
    head = f"{number}, {date}: {said}" if said else f"{number}, {date}"
    return [
        *(textwrap.wrap(head, room) if room else [head]),
        "",
        *table([column for column in columns if column not in hoisted], width()),
    ]


def _hoisted(head: str, cell: str) -> str:
    if head in ("run", "round"):
        return f"{head} {cell}"
    if head == "cost":
        return "cost unknown" if cell == "?" else f"{cell} each"
    return cell


def _conversation(journal: "Reading", run: str | None, key: str) -> str:
    """The call under a key, or under the only key that begins so. Raises JournalError for none or several."""
    from asft.errors import JournalError

    wanted = key.strip().lower()
    found: dict[str, list[Call]] = {}
    for call in journal.calls(run):
        if _key(call).startswith(wanted):
            found.setdefault(_key(call), []).append(call)
    if not wanted or len(found) != 1:
        told = ", ".join(one[:12] for one in islice(found, 5))
        raise JournalError(
            f"--key {key}: {len(found)} calls have such a key ({told}); give more of it"
            if found
            else f"--key {key}: no call has such a key; `asft journal show` lists them"
        )
    [(whole, calls)] = found.items()
    stored = next((call.stored for call in calls if call.stored is not None), None)
    parts = [f"key {whole}", *(_about(call) for call in reversed(calls))]
    if stored is None:
        return "\n".join([*parts, "", "[no reply]", _told(calls[0])])
    request = json.loads(stored.request)
    parts.append(_shown({**request["endpoint"], **request["sampling"]}))
    parts.append(_shown({name: request[name] for name in ("seed", "draw", "index")}))
    for role, content in _messages(stored):
        parts += ["", f"[{role}]", _visible(content)]
    if stored.reply is None:
        parts += ["", "[refused]", _visible(stored.refusal or "")]
    else:
        if stored.reply.reasoning:
            parts += ["", "[reasoning]", _visible(stored.reply.reasoning)]
        parts += ["", f"[reply, {stored.reply.finish}]", _visible(stored.reply.text)]
    return "\n".join(parts)


def _about(call: "Call") -> str:
    """A line of the ledger, in words."""
    line = call.line
    details = [
        f"{datetime.fromtimestamp(call.at):%Y-%m-%d %H:%M:%S}",
        *([f"run {call.run}"] if call.run else []),
        f"round {line.round}",
        line.step,
        line.role,
        *([line.purpose] if line.purpose else []),
        line.kind,
        f"{line.input_tokens} tokens in{_of_them(line.cached_tokens, 'cached')}",
        f"{line.output_tokens} out{_of_them(line.reasoning_tokens, 'reasoning')}",
        *(["estimated"] if line.estimated else []),
        _dollars(line.cost_usd),
        f"{line.seconds:.2f} s",
        _counted(call),
    ]
    return ", ".join(details)


def _of_them(tokens: int, what: str) -> str:
    return f" ({tokens} {what})" if tokens else ""


def _messages(stored: "Stored") -> Iterator[tuple[str, str]]:
    yield from json.loads(stored.request)["messages"]


def _key(call: "Call") -> str:
    return (call.line.key or b"").hex()


def _told(call: "Call") -> str:
    if call.line.kind == "timeout":
        return "(timed out)"
    if call.stored is None:
        return "(forgotten: it is asked again)"
    if call.stored.reply is None:
        return f"(refused) {call.stored.refusal}"
    return call.stored.reply.text


def _counted(call: "Call") -> str:
    """Charged: this run's budget counts it. Paid: the call was really made."""
    return {
        (True, True): "charged+paid",
        (True, False): "charged",
        (False, True): "paid",
        (False, False): "neither",
    }[call.line.charged, call.line.paid]


def _first_line(text: str) -> str:
    return _visible(next((line.strip() for line in text.splitlines() if line.strip()), "(empty)"))


def _visible(text: str) -> str:
    """What a model wrote may move the cursor or colour the terminal; here it is seen and does nothing."""
    from asft.report.wording import visible

    return visible(text)


def _shown(values: dict[str, Any]) -> str:
    return _visible(
        ", ".join(
            f"{name} {value if isinstance(value, str) else json.dumps(value)}"
            for name, value in values.items()
        )
    )


def _tokens(count: int, estimated: bool) -> str:
    return f"~{count}" if estimated else str(count)


def _dollars(cost: float | None) -> str:
    from asft.report.wording import dollars

    return "?" if cost is None else dollars(cost)


# stats


def _stats(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft.journal import Reading, of_run

    path, only = of_run(arguments.path)
    with Reading(path) as journal:
        runs = journal.runs() if only is None else [only]
        parts = []
        for run in runs:
            charged, paid = journal.sums(run, "charged"), journal.sums(run, "paid")
            title = f" run {run}" if run else " the run"
            if charged == paid:
                parts.append([f"Charged to{title}, and really paid:", *_sums(charged)])
            else:
                parts.append([f"Charged to{title}:", *_sums(charged)])
                parts.append([f"Really paid by{title}:", *_sums(paid)])
    if not parts:
        print("No call yet.")
    print("\n\n".join("\n".join(part) for part in parts))
    return 0


def _sums(sums: Sequence["Sum"]) -> list[str]:
    """The table; columns in which nothing happened are left out."""
    if not sums:
        return ["  nothing"]
    rows = [*sums, _total(sums)] if len(sums) > 1 else list(sums)
    counts = [
        ("requests", "requests"),
        ("in", "input_tokens"),
        ("cached", "cached_tokens"),
        ("out", "output_tokens"),
        ("reasoning", "reasoning_tokens"),
        ("timeouts", "timeouts"),
        ("refusals", "refusals"),
        ("estimated", "estimated"),
    ]
    last = len(rows) - 1 if len(sums) > 1 else len(rows)
    columns = [
        Column("round", [str(row.round) if at != last else "all" for at, row in enumerate(rows)], right=True),
        Column("step", [row.step for row in rows]),
        Column("role", [row.role for row in rows]),
        Column("purpose", [row.purpose for row in rows]),
        *(
            Column(head, [f"{getattr(row, name):,}" for row in rows], right=True)
            for head, name in counts
            if any(getattr(row, name) for row in rows)
        ),
        Column("cost", [_dollars(row.cost_usd) for row in rows], right=True),
        Column("seconds", [f"{row.seconds:,.1f}" for row in rows], right=True),
    ]
    return [f"  {line}" for line in table(columns)]


def _total(sums: Sequence["Sum"]) -> "Sum":
    """All rows added up."""
    from dataclasses import fields

    from asft.journal import Sum

    def added(name: str) -> Any:
        values = [getattr(row, name) for row in sums]
        return None if None in values else sum(values)

    same: dict[str, Any] = {"round": 0, "step": "", "role": "", "purpose": "", "flops": None}
    names = [field.name for field in fields(Sum)]
    return Sum(**{name: same[name] if name in same else added(name) for name in names})


# export and salvage


def _export(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft.errors import JournalError
    from asft.journal import Reading, of_run

    path, run = of_run(arguments.path)
    if arguments.out.exists():
        raise JournalError(f"{arguments.out} exists already; name a file that does not")
    temporary = arguments.out.with_name(f".{arguments.out.name}.new")
    count = 0
    try:
        with Reading(path) as journal, temporary.open("w", encoding="ascii", newline="\n") as target:
            for stored in journal.replies(run):
                target.write(json.dumps(_exported(stored)) + "\n")
                count += 1
        temporary.replace(arguments.out)
    except OSError as error:
        raise JournalError(f"{arguments.out} cannot be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    print(f"wrote {arguments.out}: {count} requests with their replies")
    return 0


def _exported(stored: "Stored") -> dict[str, Any]:
    from dataclasses import asdict

    reply = None
    if stored.reply is not None:
        # What holds for a moment only is in no journal.
        reply = {name: value for name, value in asdict(stored.reply).items() if name != "limits"}
    return {"request": json.loads(stored.request), "reply": reply, "refusal": stored.refusal}


def _salvage(arguments: argparse.Namespace, given: list[str]) -> int:
    from asft.journal import salvage

    replies, lines = salvage(arguments.damaged, arguments.fresh)
    print(f"copied {replies} replies and {lines} lines of the ledger to {arguments.fresh}")
    return 0
