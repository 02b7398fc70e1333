"""``python -m chatstill VERB …``: the same as ``chatstill VERB …``."""

import sys

from chatstill.cli import main

if __name__ == "__main__":
    sys.exit(main())
