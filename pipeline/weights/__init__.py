"""Read other people's weight files without executing anything in them.

Comes in: a file of PyTorch's, TorchScript's, safetensors', Lightning's, DeepSpeed's. Goes out:
names and tensors, and what was recognised; UserError for what cannot be read or is not weights.
"""
