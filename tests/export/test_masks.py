"""Masks as files: on the source's pixels, in the order of a volume's file, and under safe names."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

import cubes
from labeled_runs import CAT, DOG, FOX, three_labels
from tiny_runs import run
from unveil.errors import RecordError
from unveil.export import MaskForm, MaskUnit, export_masks, named_masks
from unveil.images import read_image
from unveil.masks import Mask
from unveil.rounds import find_regions


def with_masks(made, masks):
    """The run with other masks of its regions, in their order."""
    remaining = iter(masks)
    rounds = tuple(
        replace(one, regions=tuple(replace(region, mask=next(remaining)) for region in one.regions))
        for one in made.rounds
    )
    return replace(made, rounds=rounds)


def test_a_label_has_the_union_of_its_regions():
    """By hand from `three_labels`: regions 1 and 2 show the cat, 3 the fox, and 4 nothing, so it stays the dog's."""
    shape = three_labels().source.geometry.source_shape
    places = np.zeros((4, *shape), bool)
    for place in range(4):
        places[place, place : place + 2, 3 * place : 3 * place + 5] = True
    made = with_masks(three_labels(), [Mask.from_array(one) for one in places])
    labels = {one.label: one.mask.to_array() for one in named_masks(made, MaskUnit.LABEL)}
    assert list(labels) == [CAT, FOX, DOG]
    assert np.array_equal(labels[CAT], places[0] | places[1])
    assert np.array_equal(labels[FOX], places[2])
    assert np.array_equal(labels[DOG], places[3])


def test_png_files_have_the_pixels_of_the_source(tmp_path):
    made = run()
    count = export_masks([(tmp_path / "a", made)], tmp_path / "out", MaskForm.PNG)
    files = sorted((tmp_path / "out" / "a").iterdir())
    assert count == len(files) == len(made.regions)
    for one in named_masks(made):
        with Pillow.open(tmp_path / "out" / "a" / f"{one.file_stem}.png") as picture:
            assert picture.mode == "L"
            assert np.array_equal(np.asarray(picture), one.mask.to_array() * np.uint8(255))


def test_names_from_outside_stay_in_the_folder(tmp_path):
    labels = ("../../x", "..", "a/b\x1b[2J\ud800")
    made = three_labels()
    hostile = replace(made, classifier=replace(made.classifier, labels=labels))
    for unit in MaskUnit:
        export_masks([(tmp_path / "a", hostile)], tmp_path / unit, MaskForm.PNG, unit)
        files = [path for path in (tmp_path / unit).rglob("*") if path.is_file()]
        assert {path.parent for path in files} == {tmp_path / unit / "a"}
        assert len(files) == len(named_masks(hostile, unit))
    assert not (tmp_path / "x.png").exists()


def test_runs_of_one_name_have_folders_of_their_own(tmp_path):
    runs = [(tmp_path / "one" / "Dog", run()), (tmp_path / "two" / "dog", run())]
    export_masks(runs, tmp_path / "out", MaskForm.PNG)
    first, second = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert first == "Dog"
    assert second.startswith("dog-")


def test_nifti_files_lie_where_the_volume_lies(tmp_path):
    path = cubes.nifti(tmp_path / "scan.nii.gz", cubes.volume(), (2.5, 0.7, 1.1))
    made = find_regions(read_image(path), cubes.classifier(), cubes.RECIPE)
    export_masks([(tmp_path / "scan", made)], tmp_path / "out", MaskForm.NIFTI)
    source = nibabel.load(path)
    files = sorted((tmp_path / "out" / "scan").iterdir())
    assert len(files) == 2
    for file, start in zip(files, (cubes.STRONG, cubes.WEAK), strict=True):
        mask = nibabel.load(file)
        assert mask.get_data_dtype() == np.uint8
        np.testing.assert_allclose(mask.affine, source.affine, atol=1e-6)
        # The voxels of the file itself that are as bright as the cube.
        bright = np.isclose(source.get_fdata(), cubes.BRIGHT[start], atol=1e-3)
        assert np.array_equal(mask.get_fdata() == 1, bright)
    for form in (MaskForm.PNG, MaskForm.COCO):
        with pytest.raises(RecordError, match="use the form nifti"):
            export_masks([(tmp_path / "scan", made)], tmp_path / "other", form)
    adrift = replace(made, source=replace(made.source, placement=None))
    with pytest.raises(RecordError, match="a volume with a known affine"):
        export_masks([(tmp_path / "scan", adrift)], tmp_path / "other", MaskForm.NIFTI)
    assert not (tmp_path / "other").exists()


def test_images_are_no_volumes_and_full_folders_stay_as_they_are(tmp_path):
    with pytest.raises(RecordError, match="use png or coco"):
        export_masks([(tmp_path / "a", run())], tmp_path / "out", MaskForm.NIFTI)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(RecordError, match="isn't empty"):
        export_masks([(tmp_path / "a", run())], tmp_path / "full", MaskForm.PNG)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
