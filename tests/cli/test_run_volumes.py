"""`unveil run` on NIfTI files: records, the table, JSON, and files that are none."""

import json

import numpy as np
import pytest
from commands import Shell

import cubes
import unveil

MODEL = """
import sys
sys.path.insert(0, {tests!r})
import cubes

def make():
    return cubes.classifier()

def bare():
    return cubes.StrongestCube()
"""
SPACING = (2.5, 0.7, 1.1)


@pytest.fixture
def asked(shell: Shell) -> tuple[str, ...]:
    """The classifier of cubes and its recipe, as words of a command."""
    (shell.folder / "volumes.py").write_text(MODEL.format(tests=str(cubes.__file__).removesuffix("/cubes.py")))
    (shell.folder / "cubes.toml").write_text(cubes.RECIPE.to_toml())
    model = f"python/{shell.folder / 'volumes.py'}:make"
    return "--model", model, "--recipe", str(shell.folder / "cubes.toml"), "--out", str(shell.folder / "out")


def test_a_volume_becomes_a_record_and_a_figure(shell: Shell, asked):
    path = cubes.nifti(shell.folder / "my scan.nii.gz", cubes.volume(), SPACING)
    code, out, err = shell("run", path, *asked, "--json")
    assert code == 0
    folder = shell.folder / "out" / "my_scan"
    assert sorted(one.name for one in folder.iterdir()) == ["arrays.safetensors", "figure.png", "run.json"]
    run = unveil.load_run(folder)
    starts = [region.model_mask.box.start for region in run.regions]
    assert starts == [cubes.STRONG, cubes.WEAK]
    (told,) = json.loads(out)["runs"]
    for one, region, start in zip(told["rounds"], run.regions, starts, strict=True):
        (said,) = one["regions"]
        assert (said["area_px"], said["area_mm2"]) == (125, None)
        assert said["volume_mm3"] == region.volume_mm3 == pytest.approx(125 * np.prod(SPACING))
        assert said["box"] == [*start, *(first + cubes.CUBE for first in start)]
    assert "voxels" in err
    assert "area px" not in err


def test_files_that_are_no_volume_do_not_stop_the_others(shell: Shell, asked):
    good = cubes.nifti(shell.folder / "good.nii.gz", cubes.volume())
    (shell.folder / "cut.nii.gz").write_bytes(good.read_bytes()[:-200])
    code, _, err = shell("run", shell.folder / "cut.nii.gz", good, shell.photograph("a.png"), *asked)
    assert code == 1
    assert "which is damaged or cut off" in err
    assert "an image with 3 spatial axes; got 2 axes" in err
    assert unveil.load_run(shell.folder / "out" / "good").regions
    assert not (shell.folder / "out" / "cut").exists()


def test_a_network_without_preprocessing_is_one_line(shell: Shell, asked):
    path = cubes.nifti(shell.folder / "a.nii", cubes.volume())
    code, _, err = shell("run", path, "--model", asked[1].replace(":make", ":bare"))
    assert code == 2
    (line,) = [line for line in err.splitlines() if line.strip()]
    assert "give a preprocessing with the model's own size and channels" in line
