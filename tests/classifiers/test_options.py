"""Whatever is said about a classifier is applied or refused, whatever the classifier is made of."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import unveil
from unveil.classifiers import BlackBox, Preprocessing, TorchClassifier
from unveil.errors import ClassifierError, TargetError, UnveilError
from unveil.predictions import Output

PREPARATION = Preprocessing.square(32, (0.5,) * 3, (0.25,) * 3)
OTHER = Preprocessing.square(24, (0.1,) * 3, (0.7,) * 3)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)).eval()


FACTORY = """
import torch, unveil
from torch import nn

def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)).eval()

def make():
    return network()

def whole():
    return unveil.TorchClassifier(network(), unveil.Preprocessing.square(32, (0.5,) * 3, (0.25,) * 3), ["x", "y", "z"])
"""


@pytest.fixture
def places(tmp_path):
    """Every way to give one network, with a file of other weights beside it."""
    (tmp_path / "net.py").write_text(FACTORY)
    torch.save(network(5).state_dict(), tmp_path / "trained.pth")
    return {
        "module": network,
        "classifier": lambda: TorchClassifier(network(), PREPARATION, ["x", "y", "z"]),
        "factory": lambda: f"python/{tmp_path / 'net.py'}:make",
        "factory of a classifier": lambda: f"python/{tmp_path / 'net.py'}:whole",
    }, tmp_path / "trained.pth"


WAYS = ["module", "classifier", "factory", "factory of a classifier"]


def predicted(module, preprocessing, pixels):
    mean, std = (torch.tensor(values).reshape(-1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    with torch.no_grad():
        return module((pixels - mean) / std)


@pytest.mark.parametrize("way", WAYS)
def test_everything_that_is_given_is_applied(places, way):
    ways, trained = places
    classifier = unveil.load_classifier(
        ways[way](),
        trained,
        labels=["a", "b", "c"],
        preprocessing=OTHER,
        output="sigmoid",
        returns="logits",
        device="cpu",
        precision="bf16",
    )
    assert classifier.labels == ("a", "b", "c")
    assert classifier.output is Output.SIGMOID
    assert classifier.preprocessing == OTHER
    assert classifier.precision == "bf16"
    assert classifier.fingerprint == TorchClassifier(network(5), OTHER).fingerprint
    exact = unveil.load_classifier(ways[way](), trained, preprocessing=OTHER, precision="fp32", device="cpu")
    pixels = torch.rand(2, 3, 24, 24)
    np.testing.assert_allclose(exact.logits(pixels).detach(), predicted(network(5), OTHER, pixels), atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"weights": "nothere.pth"},
        {"weights": ""},
        {"labels": ["a"]},
        {"labels": []},
        {"labels": "nothere.txt"},
        {"output": "softmaxx"},
        {"output": ""},
        {"returns": "yes"},
        {"head": "logits"},
        {"device": "tpu"},
        {"device": ""},
        {"precision": "fp8"},
        {"precision": ""},
    ],
    ids=str,
)
def test_what_cannot_be_applied_is_refused(places, way, wrong):
    ways, _ = places
    with pytest.raises(UnveilError) as error:
        unveil.load_classifier(ways[way](), **wrong)
    assert "\n" not in str(error.value)


def test_what_was_said_before_stays_where_nothing_is_said_now():
    before = TorchClassifier(network(), PREPARATION, ["x", "y", "z"], output=Output.SIGMOID, precision="bf16")
    after = unveil.load_classifier(before, labels=["a", "b", "c"])
    assert (after.labels, after.output, after.precision) == (("a", "b", "c"), Output.SIGMOID, "bf16")
    assert after.fingerprint == before.fingerprint
    assert before.labels == ("x", "y", "z")
    assert unveil.load_classifier(before) is before


def test_a_module_is_left_as_it_was_when_weights_are_loaded(places):
    _, trained = places
    module = network()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    unveil.load_classifier(module, trained, preprocessing=PREPARATION)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_a_black_box_takes_what_it_can_have():
    box = BlackBox(lambda images: images.mean((2, 3)), PREPARATION)
    other = unveil.load_classifier(box, labels=["r", "g", "b"], output="sigmoid", preprocessing=OTHER, device="cpu")
    assert (other.labels, other.output, other.preprocessing) == (("r", "g", "b"), Output.SIGMOID, OTHER)
    for refused in ({"weights": "a.pth"}, {"precision": "bf16"}, {"head": "x"}):
        with pytest.raises(ClassifierError, match="alone for a function"):
            unveil.load_classifier(box, **refused)


@pytest.mark.parametrize(
    "target",
    [0, "x", np.int64(0), np.array(0), torch.tensor(0), "0", unveil.Class(0), unveil.Class("x")],
    ids=repr,
)
def test_a_target_is_an_index_or_a_label_of_any_kind(target):
    classifier = TorchClassifier(network(), PREPARATION, ["x", "y", "z"])
    image = np.random.default_rng(0).random((32, 32, 3))
    recipe = unveil.Recipe(attribution=unveil.attribution.Gradient(), stop=unveil.stopping.MaxRounds(1), trust=None)
    assert unveil.find_regions(image, classifier, recipe, target=target).regions[0].target == "x"


@pytest.mark.parametrize(
    "target",
    [
        3,
        -1,
        1.5,
        True,
        [0, 1],
        "",
        "nothing",
        unveil.Class,
        {"a": 1},
        np.array([0, 1]),
        np.float64(0),
        torch.tensor(True),
    ],
    ids=repr,
)
def test_a_target_that_means_nothing_is_refused(target):
    classifier = TorchClassifier(network(), PREPARATION, ["x", "y", "z"])
    with pytest.raises(TargetError):
        unveil.find_regions(np.zeros((32, 32, 3)), classifier, "paper", target=target, trust=False)


def test_no_optional_parameter_is_tested_for_truth():
    """`if target:` drops a target of 0, `labels or …` an empty list: what may be None is compared with None."""
    findings = []
    for path in sorted(Path(unveil.__file__).parent.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                names = _optional(function)
                for node in ast.walk(function):
                    findings += [
                        f"{path.name}:{tested.lineno}: {tested.id}"
                        for tested in _tested(node)
                        if isinstance(tested, ast.Name) and tested.id in names
                    ]
    assert findings == []


def _optional(function):
    arguments = function.args
    given = arguments.posonlyargs + arguments.args
    defaults = [*zip(reversed(given), reversed(arguments.defaults), strict=False)]
    defaults += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    names = {name.arg for name, default in defaults if isinstance(default, ast.Constant) and default.value is None}
    for name in given + arguments.kwonlyargs:
        if name.annotation is not None and "None" in ast.unparse(name.annotation).split(" | "):
            names.add(name.arg)
    return names


def _tested(node):
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert):
        return [node.test]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return [node.operand]
    return node.ifs if isinstance(node, ast.comprehension) else []
