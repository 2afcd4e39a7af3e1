"""`python -m mlmonitor`."""

import sys

from mlmonitor.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
