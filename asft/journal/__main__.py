"""`python -m asft.journal DAMAGED NEW` copies what is whole of a damaged journal."""

import sys
from pathlib import Path

from asft.errors import JournalError
from asft.journal import salvage

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m asft.journal DAMAGED NEW")
    try:
        print("copied {} replies and {} lines".format(*salvage(Path(sys.argv[1]), Path(sys.argv[2]))))
    except JournalError as error:
        sys.exit(str(error))
