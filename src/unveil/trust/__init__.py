"""What a region is worth: necessity, sufficiency, nulls, borders, fills, shares, and a verdict; see docs/trust.md."""

from unveil.trust.asking import Asker
from unveil.trust.examination import examine, significance
from unveil.trust.randomised import Lens
from unveil.trust.settings import Trust

__all__ = ["Asker", "Lens", "Trust", "examine", "significance"]
