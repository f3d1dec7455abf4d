"""The layout of an image input follows from its sides, in the order of plausibility."""

from types import SimpleNamespace

import pytest

from unveil.classifiers import Preprocessing
from unveil.classifiers.sources.onnx_input import read_inputs
from unveil.errors import ClassifierError


def read(*shape, kind="tensor(float)", preprocessing=None):
    return read_inputs([SimpleNamespace(name="x", type=kind, shape=list(shape))], "a file", preprocessing)


@pytest.mark.parametrize(
    ("shape", "channels_last", "channels", "crop"),
    [
        (("n", 3, 64, 48), False, 3, (64, 48)),
        (("n", 64, 48, 3), True, 3, (64, 48)),
        ((None, 1, 28, 28), False, 1, (28, 28)),
        ((None, 28, 28, 1), True, 1, (28, 28)),
        (("n", 8, 8, 3), True, 3, (8, 8)),
        (("n", 3, 3, 3), False, 3, (3, 3)),
        (("n", "h", "w", 3), True, 3, (224, 224)),
        (("n", 3, "h", "w"), False, 3, (224, 224)),
        (("n", 3, "h", 64), False, 3, (224, 64)),
        (("n", "c", "h", "w"), False, 3, (224, 224)),
        (("n", -1, 0, 64), False, 3, (224, 64)),
    ],
)
def test_default_layouts(shape, channels_last, channels, crop):
    first = read(*shape)[0]
    assert (first.channels_last, first.preprocessing.channels, first.preprocessing.crop) == (
        channels_last,
        channels,
        crop,
    )
    assert first.batch is None


def test_a_preprocessing_decides_where_the_sides_allow_both():
    gray, color = Preprocessing.square(3, (0.5,), (1,)), Preprocessing.square(3, (0.5,) * 3, (1,) * 3)
    assert [way.channels_last for way in read("n", 3, 3, 3, preprocessing=color)] == [False, True]
    assert [way.channels_last for way in read("n", 3, 3, "c", preprocessing=gray)] == [True]
    wide = Preprocessing.whole((64, 3), (0.5,), (1,))
    assert [way.channels_last for way in read("n", "a", 64, "b", preprocessing=wide)] == [False]


def test_a_batch_of_a_fixed_size_is_kept():
    assert read(7, 3, 64, 64)[0].batch == 7


@pytest.mark.parametrize("kind", ["tensor(int8)", "tensor(string)", "seq(tensor(float))", "tensor(bfloat16)"])
def test_other_types_are_refused(kind):
    with pytest.raises(ClassifierError, match="float, float16, double or uint8 images; got a file: .*; export it"):
        read("n", 3, 64, 64, kind=kind)


def test_other_inputs_are_refused():
    two = [SimpleNamespace(name=name, type="tensor(float)", shape=["n", 3, 64, 64]) for name in "xy"]
    for inputs in ([], two, [SimpleNamespace(name="x", type="tensor(float)", shape=["n", 5])]):
        with pytest.raises(ClassifierError, match="one input"):
            read_inputs(inputs, "a file", None)
