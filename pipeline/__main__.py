"""`python -m pipeline`, the same as `ovseg`."""

from pipeline.commands.cli import main

main()
