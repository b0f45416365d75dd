"""``python -m waver``: the command ``waver``."""

import sys

from waver.cli import main

sys.exit(main())
