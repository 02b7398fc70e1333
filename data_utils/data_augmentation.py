"""More training rows: python data_utils/data_augmentation.py [my.json | --task_name chat --data_dir data]

Without arguments it reads config/distill.example.1.json; all options: chatstill augment --help
"""

import sys

try:
    from chatstill.cli import data_augmentation
except ModuleNotFoundError:
    sys.exit("chatstill is not set up for this Python. Once, in this folder: make setup")
sys.exit(data_augmentation(__file__))
