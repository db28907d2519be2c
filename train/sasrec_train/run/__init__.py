"""A RUN folder: the trained network with everything needed to evaluate and to export it."""

from sasrec_train.run.folder import CONFIG, FORMAT_VERSION, RUN, Run, RunConfig, check, create, finished, join

__all__ = ["CONFIG", "FORMAT_VERSION", "RUN", "Run", "RunConfig", "check", "create", "finished", "join"]
