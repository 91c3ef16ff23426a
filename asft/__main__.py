"""`python -m asft` is `asft`."""

import sys

from asft.cli import main

if __name__ == "__main__":
    sys.exit(main())
