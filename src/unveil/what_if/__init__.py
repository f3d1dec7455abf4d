"""What if this were hidden? Drawings on an image, erased with the run's own fill, and tested like regions.

context = unveil.start_run("dog.jpg", classifier)
drawing = unveil.Drawing((Stroke("brush", ((40, 60), (40, 90)), width_px=12),))
print(unveil.ask_what_if(context, drawing))
"""

from unveil.what_if.answer import LabelChange, WhatIf, WhatIfState
from unveil.what_if.drawing import Drawing, Stroke, StrokeKind

__all__ = ["Drawing", "LabelChange", "Stroke", "StrokeKind", "WhatIf", "WhatIfState"]
