"""Mosaics of photographs: real networks, and images in which it is known which labels are present and where."""
