"""Where work runs: device, worker processes, training processes, a Ray cluster."""
