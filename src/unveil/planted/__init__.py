"""Planted scenes: images whose evidence is known exactly, for `unveil demo` and `unveil benchmark planted`."""

from unveil.planted.scenes.designs import KINDS, LABELS
from unveil.planted.scenes.layout import SceneError, SceneSettings
from unveil.planted.scenes.scene import SIZE, Cue, Scene, draw_scene

__all__ = ["KINDS", "LABELS", "SIZE", "Cue", "Scene", "SceneError", "SceneSettings", "draw_scene"]
