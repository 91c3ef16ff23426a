"""Every reply that was asked for, and the ledger of what it cost, in one SQLite file.

A reply is kept under a digest of its whole request, so that running again from the start is answered
from here, free: that is all there is to resume. The line of the ledger is written in the transaction
that stores its reply, so that after a kill -9 neither is there without the other.

A line says two things of its amounts. `charged`: the run's budget counts them. A run is charged once for
each reply that it uses, however often it is killed and continued, and also where another run paid for it.
`paid`: the call was really made, so its amounts were really spent. A call that timed out is a line without
a reply, at its ceiling; a call that costs nothing (a 429, a 500, no connection) is no line.
"""

from asft.journal.reading import Call, Counted, Reading
from asft.journal.records import Line, LineKind, LineRole, Stored, Sum, key_of, request_text
from asft.journal.runs import of_run, open_journal
from asft.journal.salvage import mend, salvage
from asft.journal.store import Journal

__all__ = [
    "Call",
    "Counted",
    "Journal",
    "Line",
    "LineKind",
    "LineRole",
    "Reading",
    "Stored",
    "Sum",
    "key_of",
    "mend",
    "of_run",
    "open_journal",
    "request_text",
    "salvage",
]
