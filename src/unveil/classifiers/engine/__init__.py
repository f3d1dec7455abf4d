"""Fast execution of networks: folded layers, faster layers, bf16 where regions stay the same, and batch sizes."""
