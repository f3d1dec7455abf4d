"""The conformance suite: that it tells right from wrong, and that the table in the docs is what it found."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from unveil.attribution import rules

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/0.1.0/conformance.json"


@pytest.fixture(scope="module")
def conformance():
    spec = importlib.util.spec_from_file_location("conformance", ROOT / "benchmarks/conformance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    __import__("sys").modules["conformance"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "verdict", "overridden"),
    [
        ("torchvision/squeezenet1_1", "exact", 26), ("torchvision/mobilenet_v2", "exact", 35), ("timm/resnet10t", "exact", 11),
        ("torchvision/mobilenet_v3_small", "refused", 0), ("timm/deit_tiny_patch16_224", "refused", 0),
    ],
)  # fmt: skip
def test_architectures_are_exact_or_refused(conformance, name, verdict, overridden):
    row = conformance.check(name)
    assert (row.verdict, row.overridden) == (verdict, overridden)
    assert row.max_relative_error < 1e-6
    assert bool(row.reason) == (verdict == "refused")


def test_a_wrong_rule_is_detected(conformance, monkeypatch):
    """A rule that clamps from the other side is called wrong, not exact."""
    monkeypatch.setattr(rules, "_positive_part", lambda gradients: tuple(one.clamp(max=0) for one in gradients))
    assert conformance.check("torchvision/squeezenet1_1").verdict == "wrong"


def test_the_reference_by_hand(conformance):
    class Net(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x).cumsum(1)[:, -1:] - 2 * nn.functional.relu6(x)[:, :1]

    x = torch.tensor([[3.0, -1.0, 2.0]], dtype=torch.float64)
    # d/dx0 = 1 − 2, d/dx1 = 1 behind a closed rectifier, d/dx2 = 1.
    expected = {"plain": [-1.0, 0.0, 1.0], "deconvnet": [1.0, 1.0, 1.0], "guided": [1.0, 0.0, 1.0]}
    for rule, gradient in expected.items():
        result, met = conformance.reference(Net(), x, 0, rule)
        assert result[0].tolist() == gradient
        assert met == {"ReLU": 1, "ReLU6": 1}


def test_the_stored_result_has_no_silent_error(conformance):
    rows = json.loads(RESULT.read_text())
    assert len(rows) >= 30
    assert {row["architecture"] for row in rows} == set(conformance.ARCHITECTURES)
    for row in rows:
        assert row["verdict"] in ("exact", "refused")
        assert row["max_relative_error"] <= 1e-5
        rectifiers = sum(count for name, count in row["found"].items() if name.startswith("ReLU"))
        if row["verdict"] == "exact":
            assert row["overridden"] >= 1
            assert row["overridden"] == rectifiers, row
        else:
            assert row["reason"]


def test_the_table_of_the_docs_is_the_stored_result(conformance):
    rows = [conformance.Row(**row) for row in json.loads(RESULT.read_text())]
    assert conformance.markdown(rows) in (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
