"""`python -m pipeline`, the same as `ovseg`."""

from pipeline.cli import main

main()
