"""How a network is run fast: folded layers, faster layouts, bf16 where it changes nothing, and batch sizes."""
