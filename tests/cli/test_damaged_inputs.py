"""Damaged and hostile inputs of every kind, given to the command: a result or one clear line, whatever the bytes.

No traceback, no hang, bounded memory, no control character on the terminal. `UNVEIL_FUZZ=3200` tries as many inputs
of each kind; without it, a few.
"""

import json
import os
import resource
import shutil
import signal
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx  # noqa: F401 (torch.onnx needs it)
import pytest
import torch
from commands import Shell
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from safetensors.torch import save
from torch import nn

EXAMPLES = int(os.environ.get("UNVEIL_FUZZ", "20"))
SECONDS, BYTES = 60, 1_500_000_000  # of one call: far above what any of these inputs needs
LOOSE = """
import torch
from torch import nn

def make():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))
"""
# What attackers and accidents put into files: escapes of terminals, markup, paths, numbers out of bounds.
HOSTILE = (
    b"\x1b[31m\x1b]0;x\x07", b"[red]{}</script>", b"../../etc/passwd", b"\x00", b"\xff\xfe", "\u202e\u2028\x9b".encode(),
    b"nan", b"-1", b"0", b"1e999", b"999999999999999999", b"\n", b'"', b"}", b"]", b"true", b"null", b"\r", b"\x7f",
)  # fmt: skip


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)).eval()


def picture(form: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    file = BytesIO()
    if form == "NPY":
        np.save(file, pixels)
    else:
        Pillow.fromarray(pixels).save(file, form)
    return file.getvalue()


def checkpoint() -> bytes:
    file = BytesIO()
    torch.save({"state_dict": network().state_dict(), "epoch": 3}, file)
    return file.getvalue()


def exported(form: str) -> bytes:
    file = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form == "onnx":
            torch.onnx.export(network(), (torch.zeros(1, 3, 32, 32),), file, dynamo=False, input_names=["x"])
        else:
            torch.jit.save(torch.jit.trace(network(), torch.zeros(1, 3, 32, 32)), file)
    return file.getvalue()


RECIPE = b"""
name = "mine"
[target]
kind = "Top"
count = 2
[attribution]
kind = "SmoothGrad"
samples = 2
noise = 0.2
[selector]
size_px = 5
passes = 1
[selector.threshold]
kind = "RelativeToMax"
share = 0.4
[fill]
kind = "Blur"
sigma_px = 4
[stop]
kind = "AnyOf"
stops = [ { kind = "MaxRounds", rounds = 1 }, { kind = "TargetLost", threshold = 0.01 } ]
"""
INPUTS: dict[str, tuple[str, Callable[[], bytes], tuple[str, ...]]] = {
    # Name of the file, its undamaged content, and the words of the command; FILE is the file.
    **{
        form: (f"image.{form.lower()}", lambda form=form: picture(form), ("FILE", "LOOSE"))
        for form in ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "NPY")
    },
    "safetensors": ("w.safetensors", lambda: save(network().state_dict()), ("IMAGE", "LOOSE", "--weights", "FILE")),
    "checkpoint": ("w.pth", checkpoint, ("IMAGE", "LOOSE", "--weights", "FILE")),
    "onnx": ("n.onnx", lambda: exported("onnx"), ("IMAGE", "--model", "onnx/FILE", "--recipe", "RECIPE")),
    "recipe": ("r.toml", lambda: RECIPE, ("IMAGE", "LOOSE", "--recipe", "FILE")),
    "labels": ("l.txt", lambda: b"cat\ndog\nbird\n", ("IMAGE", "LOOSE", "--labels", "FILE")),
    "labels in JSON": ("l.json", lambda: b'{"id2label": {"0": "a", "1": "b", "2": "c"}}', ("IMAGE", "LOOSE", "--labels", "FILE")),
    "labels in CSV": ("l.csv", lambda: b"index,name\n0,cat\n1,dog\n2,bird\n", ("IMAGE", "LOOSE", "--labels", "FILE")),
    "factory": ("f.py", LOOSE.encode, ("IMAGE", "--model", "python/FILE:make", "--size", "32")),
}  # fmt: skip

damages = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "double", "insert", "replace", "zero"]),
        st.floats(0, 1, exclude_max=True),
        st.one_of(st.sampled_from(HOSTILE), st.binary(min_size=1, max_size=6)),
    ),
    min_size=1,
    max_size=4,
)


def damage(content: bytes, steps: list[tuple[str, float, bytes]]) -> bytes:
    for kind, place, inserted in steps:
        at = int(place * len(content))
        before, after = content[:at], content[at:]
        match kind:
            case "flip":
                content = before + bytes(byte ^ inserted[0] for byte in after[:1]) + after[1:]
            case "cut":
                content = before
            case "double":
                content = before + after[:64] + after
            case "insert":
                content = before + inserted + after
            case "replace":
                content = before + inserted + after[len(inserted) :]
            case "zero":
                content = before + b"\0" * len(after[:32]) + after[32:]
    return content


@contextmanager
def bounded() -> Iterator[None]:
    """Fail if what is inside hangs, or needs memory without bound."""

    def hang(*_: object) -> None:
        raise AssertionError(f"still running after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    # Of the whole process, in KiB (in bytes on macOS).
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * (1 if sys.platform == "darwin" else 1024)
    assert grown < BYTES, f"{grown} bytes more"


def check(shell: Shell, *words: object) -> int:
    """Call the command, and check what must hold whatever it was given."""
    with bounded():
        code, out, err = shell(*words)
    assert code in (0, 1, 2), err
    for text in (out, err):
        assert "Traceback" not in text
        foreign = {
            c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co") and c not in "\n\t"
        }
        assert not foreign, (foreign, text)
    # Usage errors come in a box of Typer's.
    assert code == 0 or "error " in err or "Error" in err, err
    return code


def words_for(shell: Shell, words: tuple[str, ...], file: Path) -> Iterator[object]:
    for word in words:
        match word:
            case "LOOSE":
                yield from ("--model", f"python/{shell.folder / 'loose.py'}:make", "--size", "32")
            case "IMAGE":
                yield shell.folder / "sound.png"
            case "RECIPE":
                yield shell.folder / "occlusion.toml"
            case _:
                yield word.replace("FILE", str(file))


@pytest.fixture
def fuzz(shell: Shell) -> Shell:
    """A shell with a network, an image and a recipe that are sound."""
    (shell.folder / "loose.py").write_text(LOOSE)
    shell.photograph("sound.png")
    (shell.folder / "occlusion.toml").write_text(
        '[attribution]\nkind = "Occlusion"\nsize_px = 16\nstride_px = 16\n[stop]\nkind = "MaxRounds"\nrounds = 1\n'
    )
    return shell


def call(shell: Shell, kind: str, content: bytes) -> int:
    name, _, words = INPUTS[kind]
    file, out = shell.folder / name, shell.folder / "out"
    file.write_bytes(content)
    shutil.rmtree(out, ignore_errors=True)
    given = tuple(words_for(shell, words, file))
    quick = () if "--recipe" in words else ("--recipe", shell.folder / "quick.toml")
    return check(shell, "run", *given, *quick, "--no-trust", "--figure", "none", "--out", out)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", INPUTS)
def test_the_undamaged_input_works(kind, fuzz):
    assert call(fuzz, kind, INPUTS[kind][1]()) == 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", INPUTS)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=damages)
def test_damaged_files_end_in_a_result_or_one_line(fuzz, kind, steps):
    call(fuzz, kind, damage(INPUTS[kind][1](), steps))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=damages, part=st.sampled_from(["run.json", "arrays.safetensors"]))
def test_damaged_records_are_refused_or_continued(fuzz, steps, part):
    words = ("run", fuzz.folder / "sound.png", *fuzz.common, "--no-trust", "--figure", "none")
    record = fuzz.folder / "out" / "sound"
    kept = fuzz.folder / "kept"
    if not kept.is_dir():
        assert check(fuzz, *words) == 0
        shutil.copytree(record, kept)
    (record / part).write_bytes(damage((kept / part).read_bytes(), steps))
    check(fuzz, *words)
    check(fuzz, "trust", record)


texts = st.one_of(st.text(max_size=20), st.sampled_from([text.decode("latin-1") for text in HOSTILE]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("option", ["--target", "--recipe", "--size", "--mean", "--precision", "--device", "--head", "--labels", "--model"])  # fmt: skip
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts.filter(lambda text: "\0" not in text))
def test_texts_of_options_are_applied_or_refused(fuzz, option, text):
    model = () if option == "--model" else ("--model", f"python/{fuzz.folder / 'loose.py'}:make")
    size = () if option == "--size" else ("--size", "32")
    recipe = () if option == "--recipe" else ("--recipe", fuzz.folder / "quick.toml")
    out = fuzz.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    given = (fuzz.folder / "sound.png", *model, *size, *recipe, f"{option}={text}")
    check(fuzz, "run", *given, "--no-trust", "--figure", "none", "--out", out)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(labels=st.lists(texts, min_size=3, max_size=3, unique=True), name=texts)
def test_names_reach_the_terminal_without_control_characters(fuzz, labels, name):
    (fuzz.folder / "l.json").write_text(json.dumps(labels))
    image = fuzz.folder / (name.replace("/", "").replace("\0", "").strip(".") + ".png")
    try:
        shutil.copy(fuzz.folder / "sound.png", image)
    except (OSError, UnicodeEncodeError):
        return
    given = ("run", *words_for(fuzz, ("LOOSE",), image), "--recipe", fuzz.folder / "quick.toml")
    out = fuzz.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    check(fuzz, *given, "--labels", fuzz.folder / "l.json", "--no-trust", "--out", out, "--figure", "none", "--", image)
