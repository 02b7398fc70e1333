"""Distil into an ELMo: python elmo/elmo_distill.py [my.json] [--set key=value] [--fresh]

Without a path it reads config/distill.example.1.json of this repository; docs/elmo.md
"""

import sys

try:
    from chatstill.cli import run_method
except ModuleNotFoundError:
    sys.exit("chatstill is not set up for this Python. Once, in this repository: make setup")
sys.exit(run_method(__file__, "ELMOTaskDistill", "elmo"))
