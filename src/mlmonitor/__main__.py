"""`python -m mlmonitor`."""

import sys

from mlmonitor.cli import main

if __name__ == "__main__":
    sys.exit(main())
