"""The small networks that ship with `unveil`, and their weights."""
