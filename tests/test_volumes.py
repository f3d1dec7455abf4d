"""Volumes from end to end: regions in closed form, grids of another size, records, a network of MONAI, every recipe."""

import dataclasses
import itertools
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

import cubes
import unveil
from cubes import CUBE, RECIPE, STRONG, WEAK
from tiny_runs import differences
from unveil.attribution import Gradient, GuidedBackprop, Occlusion, SmoothGrad
from unveil.classifiers import Preprocessing, TorchClassifier
from unveil.classifiers.preprocessing import Fit, Interpolation
from unveil.errors import ClassifierError, RecipeError, RecordError
from unveil.fills import Blur, Constant, FillContext, Inpaint, Mean, Noise, SoftEdge, erase
from unveil.images import Image
from unveil.recipes import Recipe, black_box, paper, recommended
from unveil.regions import SmoothedThreshold
from unveil.render import draw_sheet
from unveil.saliency import PositiveSum
from unveil.stopping import MaxRounds, StopKind
from unveil.targets import Class

SPACING = (2.5, 0.7, 1.1)


# ---- regions in closed form


def check_two_rounds(run: unveil.Run, scale: tuple[int, ...] = (1, 1, 1)) -> None:
    """The stronger cube in the first round, the other in the second, and then the end."""
    assert [len(one.regions) for one in run.rounds] == [1, 1]
    for region, start in zip(run.regions, (STRONG, WEAK), strict=True):
        assert np.array_equal(region.model_mask.to_array(), cubes.cube(start))
        assert np.array_equal(region.mask.to_array(), cubes.cube(start, scale))
        assert region.area_px == CUBE**3 * np.prod(scale)
        assert region.box.start == tuple(np.multiply(start, scale))
        assert region.area_mm2 is None
    assert run.stop.kind is StopKind.TARGET_LOST
    assert run.regions[1].revealed == 1


def test_the_stronger_cube_hides_the_other():
    image = Image.from_array(cubes.volume(), axes="d h w", spacing_mm=SPACING)
    run = unveil.find_regions(image, cubes.classifier(), RECIPE)
    check_two_rounds(run)
    logits = [cubes.GAIN * brightness * CUBE**3 - cubes.BIAS for brightness in (0.9, 0.6, 0.0)]
    for one, before, after in zip(run.rounds, logits, logits[1:], strict=False):
        assert one.regions[0].drop == pytest.approx(before - after, rel=1e-5)
        assert one.before.logits[0] == pytest.approx(before, rel=1e-5)
        np.testing.assert_allclose(one.maps[0].saliency.max(), cubes.GAIN, rtol=1e-3)
        assert one.coverage == pytest.approx(one.index * CUBE**3 / cubes.SIDE**3)
    for region in run.regions:
        assert region.volume_mm3 == pytest.approx(CUBE**3 * np.prod(SPACING))
    final = run.final_images[None]
    assert final.shape == (1, 24, 24, 24)
    assert int(final.max()) == 0


def test_a_source_of_another_size_gets_its_own_voxels_back():
    scale = (2, 1, 3)
    image = Image.from_array(cubes.volume(scale), axes="d h w", spacing_mm=SPACING)
    run = unveil.find_regions(image, cubes.classifier(), RECIPE)
    check_two_rounds(run, scale)
    assert run.regions[0].volume_mm3 == pytest.approx(CUBE**3 * 6 * np.prod(SPACING))


def test_masks_on_a_source_smaller_than_a_grid_voxel():
    """Voxel by voxel: inside if the grid's voxel under the center is."""
    values = ndimage.zoom(cubes.volume(), (1.25, 5 / 3, 1.5), order=0)
    run = unveil.find_regions(Image.from_array(values, axes="d h w"), cubes.classifier(), RECIPE)
    assert len(run.regions) >= 2
    for region, brightness in zip(run.regions, (0.9, 0.6), strict=False):
        on_grid, expected = region.model_mask.to_array(), np.zeros(values.shape, bool)
        for index in np.ndindex(values.shape):
            under = tuple(int((i + 0.5) * 24 / side + 1e-9) for i, side in zip(index, values.shape, strict=True))
            expected[index] = on_grid[under]
        assert np.array_equal(region.mask.to_array(), expected)
        truth = values == np.float32(brightness)
        assert np.count_nonzero(truth & expected) / np.count_nonzero(truth | expected) > 0.7


def test_a_black_box_finds_the_same_cubes():
    """Covering the strongest cube's own window lowers the score by a known amount; any other window, not at all."""
    recipe = dataclasses.replace(RECIPE, attribution=Occlusion(size_px=CUBE, stride_px=CUBE), magnitude=PositiveSum())
    run = unveil.find_regions(Image.from_array(cubes.volume(), axes="d h w"), cubes.classifier(), recipe)
    check_two_rounds(run)
    assert float(run.rounds[0].maps[0].saliency.max()) == pytest.approx(cubes.GAIN * 0.3 * CUBE**3, rel=1e-3)


def test_a_nifti_file_gets_masks_on_its_own_voxels(tmp_path):
    scale = (1, 2, 1)
    path = cubes.nifti(tmp_path / "scan.nii.gz", 3000 * cubes.volume(scale) - 1000, SPACING)
    run = unveil.find_regions(path, cubes.classifier(), RECIPE)
    check_two_rounds(run, scale)
    assert run.source.value_range == (-1000, 3000 * np.float32(0.9) - 1000)
    assert run.source.spacing_mm == pytest.approx(SPACING)
    stored = nibabel.load(path)
    placement = run.source.placement
    for region, start in zip(run.regions, (STRONG, WEAK), strict=True):
        mask = placement.to_stored(region.mask.to_array())
        assert mask.shape == stored.shape
        assert np.array_equal(mask, cubes.as_left_posterior_superior(cubes.cube(start, scale)))
        assert region.volume_mm3 == pytest.approx(np.prod(SPACING) * mask.sum(), rel=1e-6)
    np.testing.assert_allclose(placement.stored_affine(run.source.geometry.source_shape), stored.affine, atol=1e-5)


# ---- preparation


def triangle(source: int, grid: int) -> np.ndarray:
    """Rows of weights: a triangle as wide as a voxel of the coarser of the two, around the center."""
    scale = source / grid
    weights = np.array(
        [
            [max(0.0, 1 - abs((j + 0.5) - (i + 0.5) * scale) / max(scale, 1.0)) for j in range(source)]
            for i in range(grid)
        ]
    )
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("shape", [(17, 30, 9), (40, 8, 16), (16, 16, 16)])
def test_resizing_is_a_triangle_filter_along_each_axis(shape):
    values = np.random.default_rng(0).random((2, *shape))
    preprocessing = Preprocessing.whole((16, 12, 20), (0.0, 0.0), (1.0, 1.0))
    grid, geometry = preprocessing.apply(Image.from_array(values, axes="c d h w"))
    rows = [triangle(side, wanted) for side, wanted in zip(shape, (16, 12, 20), strict=True)]
    expected = np.einsum("cdhw,xd,yh,zw->cxyz", values, *rows, optimize=True)
    np.testing.assert_allclose(grid.numpy(), expected, atol=1e-5)
    assert geometry.scale == tuple(side / wanted for side, wanted in zip(shape, (16, 12, 20), strict=True))
    assert geometry.visible().all()


def test_the_shorter_side_and_a_crop_of_a_volume():
    values = np.random.default_rng(1).random((20, 30, 40))
    preprocessing = Preprocessing((8, 8, 8), (0.0,), (1.0,), 10, Fit.SHORTER_SIDE, Interpolation.BILINEAR)
    grid, geometry = preprocessing.apply(Image.from_array(values, axes="d h w"))
    rows = [triangle(side, side // 2) for side in values.shape]
    whole = np.einsum("dhw,xd,yh,zw->xyz", values, *rows, optimize=True)
    # 10 x 15 x 20, of which the middle 8 a side are seen; 3.5 is rounded to an even number.
    np.testing.assert_allclose(grid[0].numpy(), whole[1:9, 4:12, 6:14], atol=1e-5)
    assert geometry.offset == (2.0, 8.0, 12.0)


def test_a_model_has_a_value_range():
    hounsfield = np.random.default_rng(2).uniform(-1024, 3071, (8, 9, 10))
    image = Image.from_array(hounsfield, axes="d h w", value_range=(-1024, 3071))
    preprocessing = Preprocessing.whole((8, 9, 10), (0.0,), (1.0,), value_range=(-160, 240))
    grid, _ = preprocessing.apply(image)
    np.testing.assert_allclose(grid[0].numpy(), ((hounsfield + 160) / 400).clip(0, 1), atol=1e-5)
    same = Preprocessing.whole((8, 9, 10), (0.0,), (1.0,), value_range=(-1024, 3071))
    assert np.array_equal(same.apply(image)[0].numpy(), image.pixels)
    with pytest.raises(ClassifierError, match=r"a value range \(lowest, highest\); got \(1, 1\)"):
        Preprocessing.whole((8, 8, 8), (0.0,), (1.0,), value_range=(1, 1))


def test_channels_of_volumes():
    gray = Image.from_array(np.random.default_rng(3).random((8, 8, 8)), axes="d h w")
    four, _ = Preprocessing.whole((8, 8, 8), (0.0,) * 4, (1.0,) * 4).apply(gray)
    assert all(torch.equal(four[0], one) for one in four)
    three = Image.from_array(np.zeros((3, 8, 8, 8)), axes="c d h w")
    with pytest.raises(ClassifierError, match="a volume with 1 channels; got 3; give the channels the model has"):
        Preprocessing.whole((8, 8, 8), (0.0,), (1.0,)).apply(three)


@pytest.mark.parametrize("image", ["flat", "volume"])
def test_an_image_with_other_axes_than_the_model_is_refused(image):
    flat = TorchClassifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), Preprocessing.square(8, (0.0,), (1.0,)))
    requested, given = (
        (cubes.classifier(), Image.from_array(np.zeros((9, 9))))
        if image == "flat"
        else (flat, Image.from_array(np.zeros((9, 9, 9)), axes="d h w"))
    )
    with pytest.raises(ClassifierError, match="an image with . spatial axes; got . axes; take a slice or another"):
        unveil.find_regions(given, requested, RECIPE)


def test_a_network_of_volumes_without_a_preparation_is_one_clear_error():
    with pytest.raises(ClassifierError, match="to take images of 3x224x224; got RuntimeError: .*give a preprocessing"):
        unveil.load_classifier(cubes.StrongestCube())


# ---- fills


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_a_blur_of_a_volume_is_normalized_over_all_three_axes(sigma):
    """Gaussian sums voxel by voxel, float64."""
    pixels = torch.rand(2, 9, 10, 8, generator=torch.Generator().manual_seed(0))
    erased = torch.zeros(9, 10, 8, dtype=torch.bool)
    erased[2:7, 3:8, 2:6] = True
    result = erase(pixels, erased, Blur(sigma), FillContext(torch.tensor([0.2, 0.8]), "key"))
    reach = int(4 * sigma + 0.5)
    steps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    steps /= steps.sum()
    kept = [(index, 1.0) for index in np.argwhere(~erased.numpy())]
    for place in [(2, 3, 2), (4, 5, 4), (6, 7, 5)]:
        total, weight = np.zeros(2), 0.0
        for index, _ in kept:
            offset = index - np.asarray(place)
            if (np.abs(offset) <= reach).all():
                share = float(np.prod(steps[offset + reach]))
                total += share * pixels[(slice(None), *index)].numpy()
                weight += share
        expected = (total + 1e-6 * np.array([0.2, 0.8])) / (weight + 1e-6)
        np.testing.assert_allclose(result[(slice(None), *place)].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("fill", [Mean(), Constant(0.25), Blur(3.0), Noise(0.2), SoftEdge(Blur(3.0), 2)], ids=repr)
def test_fills_of_volumes_do_not_depend_on_erased_voxels(fill):
    erased = torch.zeros(12, 12, 12, dtype=torch.bool)
    erased[3:8, 4:9, 2:9] = True
    pixels = torch.rand(1, 12, 12, 12, generator=torch.Generator().manual_seed(1))
    changed = torch.where(erased, 1 - pixels, pixels)
    one, other = (erase(both, erased, fill, FillContext(torch.tensor([0.5]), "key")) for both in (pixels, changed))
    torch.testing.assert_close(one[:, erased], other[:, erased], rtol=0, atol=1e-6)
    assert bool(((one >= 0) & (one <= 1)).all())


@pytest.mark.parametrize("fill", [Inpaint(3), SoftEdge(Inpaint(3), 4)], ids=repr)
def test_a_two_dimensional_fill_is_refused_before_any_work(fill):
    calls = []
    with pytest.raises(
        RecipeError, match=r"got 3 spatial axes; use the fill Mean\(\), Constant\(\), Blur\(\) or Noise"
    ):
        unveil.find_regions(
            Image.from_array(cubes.volume(), axes="d h w"),
            cubes.classifier(),
            dataclasses.replace(RECIPE, fill=fill),
            on_progress=calls.append,
        )
    assert calls == []


# ---- records


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> unveil.Run:
    """A run of a NIfTI file."""
    path = cubes.nifti(tmp_path_factory.mktemp("scans") / "scan.nii.gz", cubes.volume(), SPACING)
    return unveil.find_regions(path, cubes.classifier(), RECIPE)


def test_a_record_of_a_volume_equals_the_run_bit_for_bit(tmp_path, run):
    loaded = unveil.load_run(run.save(tmp_path / "run"))
    assert differences(loaded, run) == []
    assert loaded.source.placement == run.source.placement
    assert loaded.regions[0].volume_mm3 == pytest.approx(CUBE**3 * np.prod(SPACING))


def test_records_from_before_volumes_are_read(tmp_path, run):
    folder = run.save(tmp_path / "run")
    manifest = json.loads((folder / "run.json").read_text())
    del manifest["source"]["value_range"], manifest["source"]["placement"]
    for one in manifest["rounds"]:
        for region in one["regions"]:
            del region["volume_mm3"]
    (folder / "run.json").write_text(json.dumps(manifest))
    loaded = unveil.load_run(folder)
    assert (loaded.source.value_range, loaded.source.placement) == (None, None)
    assert [region.volume_mm3 for region in loaded.regions] == [None, None]
    assert [region.mask for region in loaded.regions] == [region.mask for region in run.regions]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("affine", [[1, 0, 0, 0]] * 3, "'source.placement' in run.json to be an affine of 4 x 4"),
        ("affine", [[1, 0, 0, "x"]] * 4, "'source.placement.affine.0..3.' in run.json to be a number"),
        ("affine", 7, "'source.placement.affine' in run.json to be a list"),
        ("axes", "IIL", "'source.placement' in run.json to be three directions"),
        ("stored", 3, "'source.placement.stored' in run.json to be a text"),
        ("value_range", [1.0], "'source.value_range' in run.json to be two numbers"),
    ],
)
def test_a_damaged_placement_is_named(tmp_path, run, key, value, message):
    folder = run.save(tmp_path / "run")
    manifest = json.loads((folder / "run.json").read_text())
    table = manifest["source"] if key == "value_range" else manifest["source"]["placement"]
    table[key] = value
    (folder / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(RecordError, match=message):
        unveil.load_run(folder)


def test_a_sheet_of_volumes_is_refused(run):
    with pytest.raises(RecordError, match="got one on a grid 24x24x24; draw volumes one by one with Run.figure"):
        draw_sheet([run])


# ---- real networks


@pytest.fixture(scope="module")
def small() -> nn.Module:
    """Two convolutions, two rectifiers and a head, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Conv3d(1, 6, 5, 2), nn.ReLU(), nn.Conv3d(6, 6, 3), nn.ReLU(), nn.AdaptiveMaxPool3d(2)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(48, 2)).eval()


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> Path:
    """A NIfTI file of smooth noise, 40 x 33 x 36 voxels."""
    values = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=(36, 33, 40)), 2)
    path = tmp_path_factory.mktemp("scans") / "noise.nii.gz"
    nibabel.save(nibabel.Nifti1Image((1000 * values).astype(np.float32), np.diag([1.0, 1.2, 2.0, 1])), path)
    return path


def wrapped(module: nn.Module) -> TorchClassifier:
    return TorchClassifier(module, Preprocessing.whole((32,) * 3, (0.5,), (0.25,)), ["a", "b"])


def test_monais_densenet_has_the_same_logits_as_without_unveil(scan):
    """Logits, gradient and region of the first round, derived from the file by nibabel, torch and scipy."""
    from monai.networks.nets import DenseNet121  # noqa: PLC0415 (seconds of imports)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        densenet = DenseNet121(spatial_dims=3, in_channels=1, out_channels=2).eval()
    selector = SmoothedThreshold(size_px=5, passes=2)
    recipe = Recipe(target=Class("a"), attribution=Gradient(), selector=selector, fill=Mean(), stop=MaxRounds(1))
    done = unveil.find_regions(scan, wrapped(densenet), recipe)
    values = nibabel.load(scan).get_fdata().transpose(2, 1, 0)[::-1, ::-1, ::-1]
    values = (values - values.min()) / np.ptp(values)
    rows = [triangle(side, 32) for side in values.shape]
    grid = np.einsum("dhw,xd,yh,zw->xyz", values, *rows, optimize=True)
    x = torch.from_numpy((grid - 0.5) / 0.25).float()[None, None].requires_grad_()
    logits = densenet(x)
    np.testing.assert_allclose(done.first.logits, logits[0].detach().numpy(), atol=1e-4)
    (gradient,) = torch.autograd.grad(logits[0, 0], x)
    saliency = gradient[0, 0].abs().numpy() / 0.25
    np.testing.assert_allclose(done.rounds[0].maps[0].saliency, saliency, atol=0.01 * saliency.max())
    kept = saliency.astype(np.float64)
    for _ in range(2):
        kept = ndimage.convolve(kept, np.ones((5, 5, 5)), mode="constant")
        kept = np.where(kept >= 0.5 * kept.max(), kept, 0)
    found = done.regions[0].model_mask.to_array()
    assert np.count_nonzero(found & (kept > 0)) / np.count_nonzero(found | (kept > 0)) > 0.99
    # Guided: 58 layers of two rectifiers, three transitions, the first one and the head.
    guided = unveil.find_regions(scan, wrapped(densenet), dataclasses.replace(recipe, attribution=GuidedBackprop()))
    assert guided.rounds[0].rectifiers == 58 * 2 + 3 + 1 + 1


NAMED = {
    "paper": dataclasses.replace(paper(), attribution=SmoothGrad(GuidedBackprop(), samples=4), stop=MaxRounds(2)),
    "recommended": dataclasses.replace(recommended(), attribution=SmoothGrad(samples=4), stop=MaxRounds(2)),
    "black-box": dataclasses.replace(
        black_box(), attribution=dataclasses.replace(black_box().attribution, masks=16), stop=MaxRounds(1)
    ),
}


@pytest.mark.parametrize("name", list(NAMED))
def test_the_named_recipes_work_on_a_volume(small, scan, tmp_path, name):
    done = unveil.find_regions(scan, wrapped(small), NAMED[name], target=Class("a"), seed=3)
    assert done.rounds
    assert done.regions or done.stop.kind is StopKind.NOTHING_FOUND
    for one in done.rounds:
        earlier = one.erased.to_array()
        for region in one.regions:
            assert not (region.model_mask.to_array() & earlier).any()
            assert region.volume_mm3 == pytest.approx(region.area_px * 2.4, rel=1e-5)
            assert 0 <= region.rim_share <= 1
            assert 0 <= region.revealed <= 1
    assert done.rounds[0].rectifiers == (2 if name == "paper" else None)
    done.figure(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_batch_size_does_not_change_the_regions(small, scan):
    recipe = dataclasses.replace(NAMED["recommended"], stop=MaxRounds(1))
    one, *others = (
        unveil.find_regions(scan, wrapped(small), recipe, target=Class("a"), batch_size=size) for size in (4, 1, 3)
    )
    for other in others:
        for mine, theirs in itertools.zip_longest(one.regions, other.regions):
            assert mine.model_mask.iou(theirs.model_mask) > 0.99
