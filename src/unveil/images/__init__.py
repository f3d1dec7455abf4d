"""Images, where they come from, and the way between a model's grid and their own pixels."""

from unveil.images.geometry import Geometry
from unveil.images.image import Image
from unveil.images.placement import Placement
from unveil.images.reading import read_image

__all__ = ["Geometry", "Image", "Placement", "read_image"]
