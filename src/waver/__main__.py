"""``python -m waver``: the command ``waver``."""

import sys

from waver.cli import main

if __name__ == "__main__":
    sys.exit(main())
