"""``python -m netwright`` is the same as ``netwright``."""

from __future__ import annotations

import sys

from netwright.cli.main import main

# Processes that a search starts import this module again, under another name.
if __name__ == "__main__":
    sys.exit(main())
