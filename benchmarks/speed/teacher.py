"""How fast and how safely a teacher is asked: the protocols P1 to P9, one command each.

    python benchmarks/speed/teacher.py p1 --n 1000 --concurrency 64

The README beside this file says what each measures. Results are kept in benchmarks/speed/results/.
"""

import argparse

import footprint
import limits
import resume
import throughput
import wrong


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(metavar="PROTOCOL", required=True)
    for protocols in (throughput, limits, resume, footprint, wrong):
        protocols.add(commands)
    given = parser.parse_args()
    given.call(given)


if __name__ == "__main__":
    main()
