"""A run, then its network's figures on the test rows, in one process: libraries are imported once.

run_then_test.py VERB CONFIG RUN FOLDER
"""

import sys
from pathlib import Path

from chatstill.cli import main

if __name__ == "__main__":
    verb, config, run, folder = sys.argv[1:]
    code = main([verb, config])
    if code == 0 and not (Path(folder) / "metrics.json").is_file():
        code = main(["evaluate", run, "--split", "test", "--output", folder])
    raise SystemExit(code)
