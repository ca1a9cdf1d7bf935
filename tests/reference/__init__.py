"""The method once more, as plainly as it can be said: float64, loops, nothing of `pipeline`.

Written from the paper (Liang et al., CVPR 2023) and from the numbered conventions of
docs/conventions.md, so that what the pipeline computes can be compared with something of our own
wherever the original's numbers are not at hand. Speed does not count here; only torch's float64
arithmetic, its convolution and its gradients are taken from elsewhere. `w` is everywhere a state
dict of float64 tensors under the keys of released checkpoints.

    python -m tests.reference.make      # writes tests/golden_data anew
"""
