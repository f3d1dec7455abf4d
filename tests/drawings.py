"""A drawing with every kind of stroke, and an answer, for the tests of files and of what reads them."""

from unveil.targets import TargetScore
from unveil.what_if import Drawing, LabelChange, Stroke, StrokeKind, WhatIf, WhatIfState

DRAWING = Drawing(
    (
        Stroke(StrokeKind.BRUSH, ((1.25, 2.0), (3.1, -4.0)), width_px=6.5),
        Stroke(StrokeKind.ERASER, ((0.1, 0.2),), width_px=2.0),
        Stroke(StrokeKind.LASSO, ((0.0, 0.0), (0.0, 9.0), (9.0, 0.0))),
        Stroke(StrokeKind.REGION, region="t2r1.1"),
    )
)
WHAT_IF = WhatIf(
    drawing=DRAWING,
    on=WhatIfState.ERASED,
    track="Ödem — 浮腫",
    rounds=2,
    area_px=123,
    area_share=0.1,
    outside_share=0.25,
    empty_strokes=(2,),
    labels=(LabelChange(3, 'mass/"quoted" \x1b[2J', 0.75, 0.25, 1.5, -0.5), LabelChange(0, "wolf", 0.1, 0.3, 0.0, 0.1)),
    target_score=TargetScore("mass − wolf", ((3, 1.0), (0, -1.0))),
    score_before=1.5,
    score_after=-0.6,
    placements=39,
    exceeding=1,
    p_value=0.05,
    image_sha256="a" * 64,
    classifier="b" * 64,
    recipe={"name": "quick", "fill": {"kind": "Mean"}},
    seed=7,
)
