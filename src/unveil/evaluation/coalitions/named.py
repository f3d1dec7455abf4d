"""The coalition methods by name."""

from collections.abc import Mapping

from unveil.evaluation.coalitions.base import CoalitionMethod
from unveil.evaluation.coalitions.binary_partition import ShapBpt
from unveil.evaluation.coalitions.partition import PartitionShap
from unveil.evaluation.coalitions.superpixels import SuperpixelLime


def coalition_methods() -> Mapping[str, CoalitionMethod]:
    """PartitionSHAP, ShapBPT and LIME, with the settings of their libraries."""
    methods: tuple[CoalitionMethod, ...] = (PartitionShap(), ShapBpt(), SuperpixelLime())
    return {method.name: method for method in methods}
