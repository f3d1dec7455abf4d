"""Images, where they come from, and the way between a model's grid and their own pixels."""

from unveil.images.geometry import Geometry
from unveil.images.image import Image
from unveil.images.reading import read_image

__all__ = ["Geometry", "Image", "read_image"]
