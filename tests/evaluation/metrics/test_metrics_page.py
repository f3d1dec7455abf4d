"""The page's tables are those of the results, and every metric is on it."""

import importlib.util
import json
from pathlib import Path

import unveil.evaluation.metrics

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks/results/0.1.0"


def benchmark(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_agreement_is_that_of_the_results():
    rows = json.loads((RESULTS / "metrics-quantus.json").read_text())
    assert benchmark("metrics_quantus").markdown(rows) in PAGE
    assert f"Quantus {rows[0]['version']}" in PAGE
    assert max(row["largest_difference"] for row in rows) < 1e-6


def test_every_metric_is_on_the_page():
    files = Path(unveil.evaluation.metrics.__file__).parent.glob("*.py")
    inner = {"__init__", "heat", "labels", "detections", "imputation", "similarity", "of_runs"}
    for name in {path.stem for path in files} - inner:
        assert f"`{name}`" in PAGE or f"metrics.{name} import" in PAGE, name
