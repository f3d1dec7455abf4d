"""Fills: chosen, never multiplied; from the original; each value against its formula."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as st_numpy
from scipy import ndimage

from unveil.errors import MissingLibraryError, RecipeError
from unveil.fills import Blur, Constant, Fill, FillContext, Inpaint, Mean, Noise, SoftEdge, erase, gaussian_blur

SIDE = 24
PIXELS = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
GROUND = FillContext(torch.tensor([0.1, 0.5, 0.9]), "key")
HARD = [Mean(), Constant(0.25), Constant((0.0, 0.5, 1.0)), Blur(3.0), Noise(0.2), Inpaint(3)]
SETS = st_numpy.arrays(bool, (SIDE, SIDE)).map(torch.from_numpy)


def square(top: int = 6, left: int = 8, side: int = 7) -> torch.Tensor:
    inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    inside[top : top + side, left : left + side] = True
    return inside


@pytest.mark.parametrize("fill", [*HARD, SoftEdge(Mean(), 4)], ids=repr)
@given(erased=SETS)
def test_kept_pixels_keep_their_bits_and_all_stay_in_range(fill, erased):
    result = erase(PIXELS, erased, fill, GROUND)
    untouched = ~erased if not isinstance(fill, SoftEdge) else fill.cover(erased) == 0
    assert torch.equal(result[:, untouched], PIXELS[:, untouched])
    assert bool(((result >= 0) & (result <= 1)).all())


@pytest.mark.parametrize("fill", HARD, ids=repr)
def test_fills_do_not_depend_on_erased_pixels(fill):
    """Nothing of the erased evidence can be seen in its place."""
    erased = square()
    changed = torch.where(erased, torch.rand(3, SIDE, SIDE), PIXELS)
    for one in (fill, SoftEdge(fill, 3)):
        inside = one.cover(erased) >= 1
        a, b = (erase(pixels, erased, one, GROUND)[:, inside] for pixels in (PIXELS, changed))
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@dataclasses.dataclass(frozen=True)
class Poison(Fill):
    """Infinite and undefined outside the erased area."""

    def replacement(self, pixels, covered, fill_context):
        return torch.where(covered, torch.tensor(0.5), torch.tensor(float("nan"))).expand_as(pixels)


def test_nan_and_infinity_on_the_other_side_do_not_leak():
    result = erase(PIXELS, square(), Poison(), GROUND)
    assert bool(result.isfinite().all())
    assert bool((result[:, square()] == 0.5).all())
    poisoned = torch.where(square(), torch.tensor(float("inf")), PIXELS)
    for fill in (Mean(), Blur(3.0), SoftEdge(Mean(), 3)):
        assert bool(erase(poisoned, square(), fill, GROUND).isfinite().all()), fill


def test_nothing_erased_is_the_image_itself():
    assert erase(PIXELS, torch.zeros(SIDE, SIDE, dtype=torch.bool), Poison(), GROUND) is PIXELS


def test_constants():
    inside = square()
    for channel, value in enumerate((0.1, 0.5, 0.9)):
        assert bool((erase(PIXELS, inside, Mean(), GROUND)[channel, inside] == torch.tensor(value)).all())
    assert bool((erase(PIXELS, inside, Constant(0.25), GROUND)[:, inside] == 0.25).all())
    assert bool((erase(PIXELS, inside, Constant((0.0, 0.5, 1.0)), GROUND)[2, inside] == 1).all())


def test_the_blur_is_a_weighted_mean_of_what_is_kept():
    sigma, inside = 2.0, square()
    result = erase(PIXELS, inside, Blur(sigma), GROUND)
    kept = [(y, x) for y in range(SIDE) for x in range(SIDE) if not inside[y, x]]
    for y, x in ((6, 8), (9, 11), (12, 14)):
        # scipy cuts its kernel at four sigma on every axis.
        near = [(a, b) for a, b in kept if max(abs(a - y), abs(b - x)) <= 4 * sigma]
        weights = np.array([math.exp(-((a - y) ** 2 + (b - x) ** 2) / (2 * sigma**2)) for a, b in near])
        for channel in range(3):
            values = np.array([float(PIXELS[channel, a, b]) for a, b in near])
            assert float(result[channel, y, x]) == pytest.approx((weights * values).sum() / weights.sum(), abs=1e-3)


@pytest.mark.parametrize("sigma", [0.6, 3.0, 40.0])
@pytest.mark.parametrize("shape", [(9, 23), (6, 11, 8)])
def test_the_blur_is_that_of_scipy_in_any_box(sigma, shape):
    values = torch.rand(2, *shape, dtype=torch.float64)
    known, wanted = (tuple(slice(a, side - 1) for side in shape) for a in (1, 2))
    only_known = torch.zeros_like(values)
    only_known[(slice(None), *known)] = values[(slice(None), *known)]
    expected = ndimage.gaussian_filter(only_known.numpy(), (0.0, *(sigma,) * len(shape)), mode="constant")
    blurred = gaussian_blur(values, sigma, known, wanted)
    np.testing.assert_allclose(blurred.numpy(), expected[(slice(None), *wanted)], rtol=0, atol=1e-14)


def test_far_from_anything_kept_the_blur_is_the_mean_color():
    inside = torch.ones(SIDE, SIDE, dtype=torch.bool)
    result = erase(PIXELS, inside, Blur(2.0), GROUND)
    torch.testing.assert_close(result[:, 5, 5], GROUND.mean, rtol=0, atol=1e-6)


def test_noise_has_its_mean_and_level_and_is_reproducible():
    pixels = torch.zeros(1, 300, 300)
    fill_context = FillContext(torch.tensor([0.5]), "key")
    everything = torch.ones(300, 300, dtype=torch.bool)
    one, again = (erase(pixels, everything, Noise(0.1), fill_context) for _ in range(2))
    assert torch.equal(one, again)
    assert float(one.mean()) == pytest.approx(0.5, abs=0.002)
    assert float(one.std()) == pytest.approx(0.1, rel=0.02)
    other = erase(pixels, everything, Noise(0.1), FillContext(torch.tensor([0.5]), "other"))
    assert float((one - other).abs().mean()) > 0.05
    part = torch.zeros_like(everything)
    part[:100] = True
    assert torch.equal(erase(pixels, part, Noise(0.1), fill_context)[:, :100], one[:, :100])


def test_inpainting_continues_a_plain_gradient():
    ramp = torch.linspace(0.2, 0.8, SIDE).expand(3, SIDE, SIDE).contiguous()
    result = erase(ramp, square(8, 8, 5), Inpaint(4), GROUND)
    assert float((result - ramp).abs().max()) < 0.06
    everything = torch.ones(SIDE, SIDE, dtype=torch.bool)
    assert bool(erase(ramp, everything, Inpaint(4), GROUND).isfinite().all())


def test_inpainting_without_its_library_is_one_error(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingLibraryError, match=r"OpenCV for inpainting; .*pip install 'unveil\[inpaint\]'"):
        erase(PIXELS, square(), Inpaint(3), GROUND)


def test_a_soft_edge_fades_by_a_raised_cosine():
    erased = torch.zeros(1, 30, dtype=torch.bool).repeat(20, 1)
    erased[:, :10] = True
    cover = SoftEdge(Constant(0.0), 8).cover(erased)
    for distance in range(1, 12):
        expected = (1 + math.cos(math.pi * min(distance / 8, 1))) / 2
        assert float(cover[5, 9 + distance]) == pytest.approx(expected, abs=1e-6)
    assert bool((cover[:, :10] == 1).all())
    result = erase(torch.ones(1, 20, 30), erased, SoftEdge(Constant(0.0), 8), FillContext(torch.zeros(1), "key"))
    torch.testing.assert_close(result[0], 1 - cover)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(1.5), "values of a constant fill of at most 1; got 1.5; 0 is black"),
        (lambda: Constant((0.5, -0.1)), "values of a constant fill of at least 0; got -0.1"),
        (lambda: Constant(()), "values of a constant fill; got none"),
        (lambda: Blur(0.0), "sigma_px of a blur above 0; got 0.0"),
        (lambda: Blur(float("nan")), "sigma_px of a blur above 0; got nan"),
        (lambda: Blur(1001.0), "sigma_px of a blur of at most 1000; got 1001.0; 8 suits"),
        (lambda: Noise(0.0), "a noise level above 0"),
        (lambda: Noise(1.5), "a noise level of at most 1"),
        (lambda: Inpaint(0), "radius_px of an inpainting of at least 1"),
        (lambda: Inpaint(101), "radius_px of an inpainting of at most 100"),
        (lambda: SoftEdge(Mean(), 0), "width_px of a soft edge of at least 1; got 0"),
        (lambda: SoftEdge(Mean(), 2000), "width_px of a soft edge of at most 1000; got 2000"),
        (lambda: erase(PIXELS, square(), Constant((0.1, 0.2)), GROUND), "3 values, one per channel; got 2"),
        (
            lambda: erase(
                torch.rand(1, 9, 9, 9),
                torch.ones(9, 9, 9, dtype=torch.bool),
                Inpaint(3),
                FillContext(torch.zeros(1), ""),
            ),
            "a two-dimensional image",
        ),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(RecipeError, match=message):
        make()


def test_volumes_are_filled():
    pixels = torch.rand(1, 10, 11, 12, generator=torch.Generator().manual_seed(1))
    erased = torch.zeros(10, 11, 12, dtype=torch.bool)
    erased[3:6, 3:6, 3:6] = True
    for fill in (Mean(), Blur(2.0), Noise(), SoftEdge(Blur(2.0), 2)):
        result = erase(pixels, erased, fill, FillContext(torch.tensor([0.5]), "key"))
        assert torch.equal(result[0, 0], pixels[0, 0])
        assert float((result - pixels)[0, 3:6, 3:6, 3:6].abs().max()) > 0.05
