"""Tests run on a CPU with one thread a process, so that they are the same everywhere."""

import os

os.environ["OVSEG_DEVICE"] = "cpu"
os.environ.setdefault("OMP_NUM_THREADS", "1")
