"""Distil with a configuration: python run_glue.py [my.json] [--set key=value] [--fresh]

Without a path it reads config/distill.example.1.json beside this file; all verbs: chatstill --help
"""

import sys

try:
    from chatstill.cli import run_glue
except ModuleNotFoundError:
    sys.exit("chatstill is not set up for this Python. Once, in this folder: make setup")
sys.exit(run_glue(__file__))
