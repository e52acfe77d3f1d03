"""Where a run's figures go besides its directory: TensorBoard, W&B, Braintrust, Prometheus.

Everything here reads the run directory and nothing else. ``ludus sync`` and ``ludus metrics`` are
the commands; while a run trains, a companion process of ``ludus train`` does the same.
"""
