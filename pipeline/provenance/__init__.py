"""Stage `provenance`: what every stage depends on besides earlier stages and its parameters.

Comes in: the parameters and the code. Goes out: `data/provenance/<stage>.json` with hashes of code,
named files and watched data sets, and the releases of libraries (docs/reruns.md).
"""
