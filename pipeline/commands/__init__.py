"""The command line `ovseg` and the web page: one module per command.

Comes in: what a user types or uploads. Goes out: files, tables, one sentence for a mistake.
`cli.py` is the entry point; it answers `--help` without importing torch.
"""
