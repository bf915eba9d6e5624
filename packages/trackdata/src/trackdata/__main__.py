"""``python -m trackdata``: the command line, for programs that start it with a certain interpreter."""

import sys

from trackdata.cli import main

if __name__ == "__main__":
    sys.exit(main())
