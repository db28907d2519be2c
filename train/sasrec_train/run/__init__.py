"""A RUN folder: the trained network with everything needed to evaluate and to export it."""

from sasrec_train.run.create import create, join
from sasrec_train.run.folder import Run
from sasrec_train.run.output import check, finished
from sasrec_train.run.run_config import CONFIG, FORMAT_VERSION, RUN, RunConfig

__all__ = ["CONFIG", "FORMAT_VERSION", "RUN", "Run", "RunConfig", "check", "create", "finished", "join"]
