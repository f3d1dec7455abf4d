"""Noise that depends on what it is for, not on when it is drawn."""

import hashlib

import torch


def seeded_generator(stream: str, sample: int) -> torch.Generator:
    """A random generator for one sample of one purpose: seeded by the first 63 bits of SHA-256(`stream`/`sample`).

    The same key and sample give the same numbers in any order, batch, process and on any device (draw on the CPU).
    """
    digest = hashlib.sha256(f"{stream}/{sample}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
