"""After a kill, only what was in flight is paid again."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from asft.journal import Journal

KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.engine.driving import Run, Scripted, jobs

class Logs(Scripted):
    async def reply(self, request):
        with open(sys.argv[3], "a") as log:
            log.write(f"{request.messages[-1].content}.{request.index}\\n")
        await asyncio.sleep(0.002)
        return await super().reply(request)

run = Run(Path(sys.argv[2]))
run(Logs(), jobs(60), concurrency=4)
import json
print(json.dumps(run.results))
"""


def test_after_a_kill_nothing_is_paid_twice_but_what_was_in_flight(tmp_path: Path) -> None:
    journal, log = tmp_path / "journal.sqlite", tmp_path / "asked"
    log.touch()
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[2]), str(journal), str(log)]
    for killed_at in (25, 60, 110):
        process = subprocess.Popen(command)
        try:
            while len(log.read_text().splitlines()) < killed_at:
                assert process.poll() is None
                time.sleep(0.005)
        finally:
            process.kill()
            process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [f"q{n}.0.0 q{n}.0.1" for n in range(60)]
    asked = Counter(log.read_text().splitlines())
    assert len(asked) == 180
    # Three kills; at each, as many calls as may be made at once are out, or answered and not yet written.
    assert asked.total() - 180 <= 3 * 4
    with Journal(journal) as opened:
        assert opened.spent().requests == 180
