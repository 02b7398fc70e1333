"""A level: rows with labels, and classifiers. Its steps by the names of ``levels.Level``."""

from ..preflight.preflight import preflight, renew_data_report, without_networks
from .job import open_job
from .kept_network import stand_in
from .phase_rows import prepare_views as prepare
from .results import evaluate_folder as evaluate
from .results import predict_file as predict
from .results import report_run as report
from .train import scored
from .train import train_job as train

__all__ = [
    "evaluate",
    "open_job",
    "predict",
    "preflight",
    "prepare",
    "renew_data_report",
    "report",
    "scored",
    "stand_in",
    "train",
    "without_networks",
]
