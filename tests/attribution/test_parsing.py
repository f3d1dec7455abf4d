"""Attributions by name: ours, and those of other libraries; a wrong name is told early, with those that are near."""

import sys

import pytest

from unveil.attribution import (
    Cam,
    Captum,
    Deconvnet,
    Gradient,
    GuidedBackprop,
    Occlusion,
    Rise,
    SmoothGrad,
    Zennit,
)
from unveil.attribution.parsing import LIBRARIES, WELL_KNOWN, parse_attribution
from unveil.errors import MissingLibraryError, RecipeError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Gradient", Gradient()), ("guidedbackprop", GuidedBackprop()), ("smooth-grad", SmoothGrad()), ("rise", Rise()),
        ("Occlusion", Occlusion()), ("Deconvnet", Deconvnet()),
        ("captum/IntegratedGradients", Captum("IntegratedGradients")),
        ("captum/LayerGradCam:layer4.1", Captum("LayerGradCam", "layer4.1")),
        ("zennit/EpsilonPlus", Zennit("EpsilonPlus")), ("Zennit/EpsilonGammaBox", Zennit("EpsilonGammaBox")),
        ("pytorch-grad-cam/GradCAM", Cam()), ("pytorch-grad-cam/LayerCAM:layer3.0", Cam("LayerCAM", "layer3.0")),
    ],
)  # fmt: skip
def test_attributions_by_name(text, expected):
    assert parse_attribution(text) == expected


def test_the_well_known_names_exist():
    """They are what a wrong name is compared with."""
    for name in WELL_KNOWN:
        library, _, method = name.partition("/")
        assert parse_attribution(name) == LIBRARIES[library](method)


@pytest.mark.parametrize(
    ("text", "do"),
    [
        ("", "choose one of them"),
        ("xyzzy", "choose one of them"),
        ("Lime", "did you mean captum/Lime"),
        ("captum/", "choose one of them"),
        ("Gradiant", "did you mean Gradient"),
        ("grad-cam", "did you mean pytorch-grad-cam/GradCAM or captum/LayerGradCam"),
        ("gradcam/GradCAM:layer4", "did you mean pytorch-grad-cam/GradCAM"),
        ("IntegratedGradients", "did you mean captum/IntegratedGradients"),
        ("EpsilonPlus", "did you mean zennit/EpsilonPlus or zennit/EpsilonPlusFlat"),
    ],
)
def test_unknown_names_are_refused(text, do):
    with pytest.raises(
        RecipeError, match=r"an attribution Gradient, .*pytorch-grad-cam/METHOD\[:LAYER\]; got"
    ) as raised:
        parse_attribution(text)
    assert raised.value.do.startswith(do)
    assert raised.value.got == repr(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("captum/IntegratedGradent", "captum.attr; got 'IntegratedGradent'; did you mean IntegratedGradients or"),
        ("zennit/epsilon-plus", "a composite of zennit; got 'epsilon-plus'; did you mean EpsilonPlus or"),
        ("zennit/SmoothGrad", r"that isn't a method of unveil; got SmoothGrad; use SmoothGrad\(Zennit"),
        ("zennit/EpsilonPlus:layer4", "zennit/COMPOSITE, which is for all layers; got a layer 'layer4'; leave"),
        ("pytorch-grad-cam/GradCAM++", r"a method of pytorch_grad_cam; got 'GradCAM\+\+'; did you mean GradCAM"),
        ("pytorch-grad-cam/FullGrad:x", "before it is scaled; got FullGrad"),
    ],
)
def test_unknown_names_of_a_library_are_refused(text, message):
    with pytest.raises(RecipeError, match=message):
        parse_attribution(text)


@pytest.mark.parametrize(
    ("text", "module", "extra"),
    [
        ("captum/Saliency", "captum.attr", "captum"),
        ("zennit/EpsilonPlus", "zennit.composites", "zennit"),
        ("pytorch-grad-cam/GradCAM", "pytorch_grad_cam", "cam"),
    ],
)
def test_a_missing_library_is_reported_at_once(text, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingLibraryError, match=rf"pip install 'unveil\[{extra}\]'"):
        parse_attribution(text)
