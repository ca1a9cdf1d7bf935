"""Tests run on a CPU with one thread a process, so that they are the same everywhere, and none is
failed for being slow: the machine may be busy."""

import os

from hypothesis import settings

os.environ["OVSEG_DEVICE"] = "cpu"
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
