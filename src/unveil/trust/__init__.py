"""What a region is worth: necessity, sufficiency, nulls, borders, fills, shares, and a verdict; see docs/trust.md."""

from unveil.masked import MaskedClassifier
from unveil.trust.examination import examine, significance
from unveil.trust.randomization import Lens
from unveil.trust.settings import TrustSettings

__all__ = ["Lens", "MaskedClassifier", "TrustSettings", "examine", "significance"]
