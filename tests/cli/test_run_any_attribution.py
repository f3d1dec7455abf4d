"""`unveil run --attribution LIBRARY/METHOD` on the network that ships, and a planted scene whose cues are known."""

import json

import jaxtyping
import numpy as np
import pytest
from commands import Shell
from PIL import Image as Pillow

import unveil
from unveil.planted import draw_scene


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("captum/IntegratedGradients", "Captum"),
        ("zennit/EpsilonPlusFlat", "Zennit"),
        ("pytorch-grad-cam/GradCAM:features", "Cam"),
    ],
)
def test_each_library_finds_the_cues_of_a_planted_scene(name, kind, shell: Shell, monkeypatch):
    # The checker of shapes would not let torch.fx trace a forward function with its own stand-ins for tensors.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    scene = draw_scene(100_019)
    path = shell.folder / "scene.png"
    Pillow.fromarray(np.round(scene.pixels.transpose(1, 2, 0) * 255).astype(np.uint8)).save(path)
    common = ("--model", "planted/demo", "--recipe", "demo", "--figure", "none", "--json")
    code, out, err = shell("run", path, *common, "--out", shell.folder / "out", "--attribution", name)
    assert code == 0, err
    run = unveil.load_run(shell.folder / "out/scene")
    assert run.recipe["attribution"]["kind"] == kind
    (told,) = json.loads(out)["runs"]
    assert [one["area_px"] for item in told["rounds"] for one in item["regions"]] == [r.area_px for r in run.regions]
    found = np.any([region.mask.to_array() for region in run.regions], axis=0)
    shares = [(found & cue.inside).sum() / cue.inside.sum() for cue in scene.cues]
    assert len(shares) == 4
    assert sum(share > 0.3 for share in shares) >= 3, shares
    assert run.rounds[0].regions[0].drop > 3


def test_a_wrong_name_ends_the_call_before_any_image(shell: Shell):
    path = shell.folder / "gray.png"
    Pillow.new("RGB", (32, 32), "gray").save(path)
    code, _, err = shell("run", path, "--model", "planted/demo", "--attribution", "pytorch-grad-cam/GradCam")
    assert code == 2
    assert "a method of pytorch_grad_cam; got 'GradCam'; did you mean GradCAM" in err
