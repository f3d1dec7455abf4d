"""What networks return: found in whatever they return, as logits, probabilities or a single logit; or refused."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

import unveil
from unveil.attribution import Gradient
from unveil.classifiers import BlackBox, ClassifierWarning, Preprocessing, Returns, TorchClassifier
from unveil.errors import ClassifierError
from unveil.predictions import Output
from unveil.stopping import MaxRounds
from unveil.targets import Class, TargetScore

PREPARATION = Preprocessing.square(32, (0.0,) * 3, (1.0,) * 3)
Pair = namedtuple("Pair", ["features", "scores"])


@dataclass
class Answer:
    logits: torch.Tensor
    loss: None = None


class Net(nn.Module):
    """Logits that rise with the red, green and blue of the brightest place, answered in some form."""

    def __init__(self, form=lambda logits: logits, count=3):
        super().__init__()
        self.form, self.count = form, count

    def logits_of(self, x):
        red = nn.functional.avg_pool2d(x, 5, 1, 2).amax((2, 3)) * torch.tensor([9.0, -3.0, 2.0]) - 1.5
        return red[:, : self.count]

    def forward(self, x):
        return self.form(self.logits_of(x))


def pictures(count=4):
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


FORMS = {
    "tensor": lambda z: z,
    "logits in a dict": lambda z: {"loss": None, "features": z.repeat(1, 4), "logits": z},
    "ordered": lambda z: OrderedDict(aux=z * 2, logits=z),
    "only tensor of a dict": lambda z: {"out": z, "note": "x"},
    "tuple of one": lambda z: (z,),
    "tuple with maps": lambda z: (z, z[:, :, None, None].expand(-1, -1, 4, 4)),
    "named tuple": lambda z: Pair(z[:, :, None].expand(-1, -1, 2), z),
    "dataclass": Answer,
    "nested": lambda z: {"heads": {"main": z}},
    "trailing sides of one": lambda z: z[:, :, None, None],
    "list": lambda z: [z],
}


@pytest.mark.parametrize("name", list(FORMS))
def test_logits_are_found_in_whatever_is_returned(name):
    pixels = pictures()
    expected = Net().logits_of(pixels)
    classifier = TorchClassifier(Net(FORMS[name]), PREPARATION)
    assert torch.equal(classifier.logits(pixels), expected)
    signed, _ = Gradient().gradients(classifier, pixels, [TargetScore("", ((0, 1.0),))])
    leaf = pixels.clone().requires_grad_()
    Net().logits_of(leaf)[:, 0].sum().backward()
    np.testing.assert_allclose(signed[0], leaf.grad, atol=1e-6)


def test_a_head_is_chosen_by_name_by_labels_or_not_at_all():
    def heads(z):
        return {"breed": z, "sex": z[:, :2], "more": (z[:, :1], z[:, 1:])}

    expected = Net().logits_of(pictures())
    assert torch.equal(TorchClassifier(Net(heads), PREPARATION, head="sex").logits(pictures()), expected[:, :2])
    assert torch.equal(TorchClassifier(Net(heads), PREPARATION, head="more.1").logits(pictures()), expected[:, 1:])
    by_labels = TorchClassifier(Net(heads), PREPARATION, ["pug", "collie", "boxer"])
    assert torch.equal(by_labels.logits(pictures()), expected)
    with pytest.raises(
        ClassifierError, match=r"breed \(1, 3\), sex \(1, 2\), .*; choose a head: breed, sex, more.0, more.1"
    ):
        TorchClassifier(Net(heads), PREPARATION)
    with pytest.raises(ClassifierError, match="one of the outputs of Net: breed .*; got 'age'"):
        TorchClassifier(Net(heads), PREPARATION, head="age")
    with pytest.raises(ClassifierError, match="no head; got 'sex' for Net, which returns a single tensor"):
        TorchClassifier(Net(), PREPARATION, head="sex")


@pytest.mark.parametrize("squeeze", [False, True])
def test_one_logit_is_a_sigmoid(squeeze):
    net = Net(lambda z: z[:, 0] if squeeze else z, count=1)
    truth = Net(count=1).logits_of(pictures())[:, 0].numpy()
    classifier = TorchClassifier(net, PREPARATION)
    assert (classifier.output, classifier.labels) == (Output.SIGMOID, ("positive",))
    got = [row.probabilities[0] for row in classifier.predict(pictures())]
    np.testing.assert_allclose(got, 1 / (1 + np.exp(-truth)), rtol=1e-5)
    two = TorchClassifier(net, PREPARATION, ["no red", "red"])
    for row, logit in zip(two.predict(pictures()), truth, strict=True):
        np.testing.assert_allclose(row.logits, [-logit, logit], rtol=1e-6)
        np.testing.assert_allclose(row.probabilities.sum(), 1, rtol=1e-6)
        assert row.predicted() == (int(logit >= 0),)
    with pytest.raises(ClassifierError, match="two or more logits for softmax; got one logit per image"):
        TorchClassifier(net, PREPARATION, output="softmax")
    with pytest.raises(ClassifierError, match="1 labels for Net; got 3"):
        TorchClassifier(net, PREPARATION, ["a", "b", "c"])


def test_the_negative_label_of_one_logit_can_be_explained():
    classifier = TorchClassifier(Net(count=1), PREPARATION, ["no red", "red"])
    image = np.full((32, 32, 3), 100, np.uint8)
    image[4:10, 4:10] = (255, 0, 0)
    recipe = unveil.Recipe(attribution=Gradient(), stop=MaxRounds(1), trust=None)
    no, yes = (unveil.find_regions(image, classifier, recipe, target=Class(name)) for name in ("no red", "red"))
    assert np.array_equal(no.rounds[0].maps[0].saliency, yes.rounds[0].maps[0].saliency)
    assert no.regions[0].score_before == -yes.regions[0].score_before


@pytest.mark.parametrize("count", [3, 1000])
def test_rows_that_add_up_to_one_are_probabilities(count):
    weights = torch.randn(3, count, generator=torch.Generator().manual_seed(0))

    def probabilities(z):
        return (z @ weights).softmax(1)

    with pytest.warns(ClassifierWarning, match="rows add up to 1") as told:
        classifier = TorchClassifier(Net(probabilities), PREPARATION)
    assert len(told) == 1
    expected = probabilities(Net().logits_of(pictures())).double().numpy()
    got = np.stack([row.probabilities for row in classifier.predict(pictures())])
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-9)
    # A score difference is that of the logits before the softmax.
    logits = (Net().logits_of(pictures()) @ weights).double().numpy()
    rows = np.stack([row.logits for row in classifier.predict(pictures())])
    np.testing.assert_allclose(rows - rows[:, :1], logits - logits[:, :1], atol=2e-3)
    with pytest.raises(ClassifierError, match=r"independent labels \(sigmoid\)"):
        TorchClassifier(Net(probabilities), PREPARATION, output="sigmoid")
    raw = TorchClassifier(Net(probabilities), PREPARATION, returns="logits")
    np.testing.assert_allclose(raw.logits(pictures()).detach(), expected, rtol=1e-5)


@pytest.mark.parametrize("output", [None, "sigmoid"])
def test_a_sigmoid_inside_is_noticed(output):
    with pytest.warns(ClassifierWarning, match="ends in a sigmoid"):
        classifier = TorchClassifier(Net(torch.sigmoid), PREPARATION, output=output)
    assert classifier.output is Output.SIGMOID
    np.testing.assert_allclose(classifier.logits(pictures()).detach(), Net().logits_of(pictures()), atol=1e-4)
    with pytest.raises(ClassifierError, match="values after a sigmoid"):
        TorchClassifier(Net(torch.sigmoid), PREPARATION, output="softmax")


def test_logits_that_look_like_neither_stay_logits():
    for form in (lambda z: z.log_softmax(1), lambda z: (z + 5) / 20, lambda z: z * 0 + 0.2):
        classifier = TorchClassifier(Net(form), PREPARATION)
        assert torch.allclose(classifier.logits(pictures()), form(Net().logits_of(pictures())))


def test_saturated_probabilities_give_finite_logits():
    with pytest.warns(ClassifierWarning):
        classifier = TorchClassifier(Net(lambda z: (z * 1000).softmax(1)), PREPARATION)
    rows = np.stack([row.logits for row in classifier.predict(pictures())])
    assert np.isfinite(rows).all()
    signed, _ = Gradient().gradients(classifier, pictures(), [TargetScore("", ((1, 1.0),))])
    assert bool(torch.isfinite(signed).all())


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (lambda z: z.argmax(1), "got int64 numbers; return logits and not the index of the largest one"),
        (lambda z: {"a": z, "b": z}, "one output of logits from Net"),
        (lambda z: "cat", "logits from Net; got str without tensors"),
        (lambda z: None, "got NoneType without tensors"),
        (lambda z: {"maps": z[:, :, None, None].expand(-1, -1, 4, 4)}, r"got maps \(1, 3, 4, 4\)"),
        (lambda z: z[:, :0], "one row of logits per image"),
    ],
)
def test_what_is_no_row_of_logits_is_refused_in_one_line(form, told):
    with pytest.raises(ClassifierError, match=told) as error:
        TorchClassifier(Net(form), PREPARATION)
    assert "\n" not in str(error.value)


def test_black_boxes_follow_the_same_rules():
    def probabilities(images):
        return torch.from_numpy(images).mean((2, 3)).mul(9).softmax(1).numpy()

    with pytest.warns(ClassifierWarning, match="rows add up to 1"):
        box = BlackBox(probabilities, PREPARATION)
    assert box.returns is Returns.PROBABILITIES
    np.testing.assert_allclose(
        [row.probabilities for row in box.predict(pictures())], probabilities(pictures().numpy()), rtol=1e-5
    )
    single = BlackBox(lambda images: images.mean((1, 2, 3)), PREPARATION)
    assert (single.output, single.labels) == (Output.SIGMOID, ("positive",))
