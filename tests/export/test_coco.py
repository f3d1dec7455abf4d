"""COCO files: pycocotools decodes them to the masks of the record."""

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from labeled_runs import three_labels
from tiny_runs import run
from unveil.export import MaskForm, MaskUnit, export_masks, named_masks
from unveil.export.coco import coco_segmentation
from unveil.masks import Mask


def opened(path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_pycocotools_decodes_the_masks_of_the_record(tmp_path):
    runs = [(tmp_path / "a", run()), (tmp_path / "b", run(spacing=True)), (tmp_path / "c", three_labels())]
    for unit in MaskUnit:
        out = tmp_path / unit
        assert export_masks(runs, out, MaskForm.COCO, unit) == sum(len(named_masks(one, unit)) for _, one in runs)
        read = opened(out / "masks.json")
        for image_id, (folder, made) in enumerate(runs, start=1):
            image = read.loadImgs([image_id])[0]
            told: dict = dict(image)
            assert (told["file_name"], told["run"]) == (made.source.name, folder.name)
            annotations = read.loadAnns(read.getAnnIds(imgIds=[image_id]))
            for one, annotation in zip(named_masks(made, unit), annotations, strict=True):
                decoded = read.annToMask(annotation)
                assert np.array_equal(decoded, one.mask.to_array())
                packed = read.annToRLE(annotation)
                assert coco_mask.area(packed) == annotation["area"]
                assert coco_mask.toBbox(packed).tolist() == annotation["bbox"]
                assert read.cats[annotation["category_id"]]["name"] == one.label
                assert annotation["iscrowd"] == 0


@given(arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.booleans()))
def test_run_lengths_are_down_the_columns(inside):
    encoded = coco_mask.encode(np.asfortranarray(inside.astype(np.uint8)))
    segmentation = coco_segmentation(Mask.from_array(inside))
    assert coco_mask.frPyObjects(segmentation, *inside.shape)["counts"] == encoded["counts"]


def test_the_file_is_ascii_whatever_the_names(tmp_path):
    export_masks([(tmp_path / "a", run(spacing=True))], tmp_path / "out", MaskForm.COCO)
    content = (tmp_path / "out" / "masks.json").read_bytes()
    assert content.isascii()
    assert json.loads(content)["images"][0]["file_name"] == "scans/浮腫 \udcff.png"
