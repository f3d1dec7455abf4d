"""Noise that depends on what it is for, not on when it is drawn."""

import hashlib

import torch


def generator(key: str, sample: int) -> torch.Generator:
    """A random generator for one sample of one purpose: seeded by the first 63 bits of SHA-256(`key`/`sample`).

    The same key and sample give the same numbers in any order, batch, process and on any device (draw on the CPU).
    """
    digest = hashlib.sha256(f"{key}/{sample}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
