"""What if this were hidden? Drawings on an image, erased with the run's own fill, and tested like regions.

context = unveil.start_run("dog.jpg", classifier)
drawing = unveil.Drawing((Stroke("brush", ((40, 60), (40, 90)), width_px=12),))
print(unveil.ask_what_if(context, drawing))
"""

from unveil.what_if.answer import LabelChange, WhatIf, WhatIfState
from unveil.what_if.asking import ask_what_if, predict_what_if, test_what_if
from unveil.what_if.drawing import Drawing, Stroke, StrokeKind
from unveil.what_if.files import load_drawing, load_what_if, save_what_if, what_if_numbers
from unveil.what_if.pixels import DrawnPixels, draw_pixels
from unveil.what_if.states import regions_by_id

__all__ = [
    "Drawing",
    "DrawnPixels",
    "LabelChange",
    "Stroke",
    "StrokeKind",
    "WhatIf",
    "WhatIfState",
    "ask_what_if",
    "draw_pixels",
    "load_drawing",
    "load_what_if",
    "predict_what_if",
    "regions_by_id",
    "save_what_if",
    "test_what_if",
    "what_if_numbers",
]
