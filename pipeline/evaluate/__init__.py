"""Stage `evaluate`: every branch, every CLIP and both oracles on an evaluation set.

Comes in: data/dataset, a segmenter and the CLIPs that are compared. Goes out: confusion matrices in
shards, metrics, tables, plots and overlays.
"""
