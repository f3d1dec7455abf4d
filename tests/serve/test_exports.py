"""Exports: each is what the commands write, under a name that no file system misreads."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest

from serve.serving import opened_page
from unveil.serve.exports import EXPORTS, file_stem
from unveil.store import load_run
from workplaces import picture, tiny


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with opened_page(tmp_path_factory.mktemp("serve")) as page:
        image = page.workplace.add_image("../lungs <b>\u202e.png", iter([picture()]))
        page.job = page.finish(tiny(image))
        yield page


def export(page, name: str) -> bytes:
    answer = page("GET", f"/api/jobs/{page.job}/export/{name}")
    assert answer.status == 200, answer.body[:200]
    assert answer.headers["content-disposition"] == f'attachment; filename="lungs_b_u202e-{name}"'
    return answer.body


def test_the_record_can_be_loaded(page, tmp_path):
    with zipfile.ZipFile(io.BytesIO(export(page, "record.zip"))) as archive:
        archive.extractall(tmp_path)
    assert load_run(tmp_path / "lungs_b_u202e") == load_run(page.workplace.record_folder(page.job))
    assert export(page, "record.zip") == export(page, "record.zip")


def test_tables_and_masks_have_every_region(page):
    run = load_run(page.workplace.record_folder(page.job))
    rows = list(csv.DictReader(io.StringIO(export(page, "regions.csv").decode())))
    assert [float(row["drop"]) for row in rows] == [region.drop for region in run.regions]
    coco = json.loads(export(page, "coco.json"))
    assert [one["area"] for one in coco["annotations"]] == [region.mask.area_px for region in run.regions]
    with zipfile.ZipFile(io.BytesIO(export(page, "masks.zip"))) as archive:
        names = archive.namelist()
        areas = sorted(int(np.count_nonzero(png_pixels(archive.read(name)))) for name in names)
    assert areas == sorted(region.mask.area_px for region in run.regions)
    assert not any(".." in name or name.startswith("/") for name in names)


def png_pixels(content: bytes) -> np.ndarray:
    from PIL import Image  # noqa: PLC0415

    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.filterwarnings("ignore:Glyph")  # of the labels of the tiny classifier
def test_the_figure_and_the_report(page):
    assert png_pixels(export(page, "figure.png")).shape[1] > 500
    report = export(page, "report.html").decode()
    assert report.startswith("<!doctype html>")
    assert "lungs &lt;b&gt;" in report
    assert "lungs <b>" not in report


def test_every_export_has_a_route(page):
    description = page.get("/api/openapi.json")
    (parameter,) = [
        one
        for one in description["paths"]["/api/jobs/{job_id}/export/{name}"]["get"]["parameters"]
        if one["name"] == "name"
    ]
    assert parameter["schema"]["enum"] == list(EXPORTS)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("scan.png", "scan"),
        ("", "image"),
        ("...", "image"),
        ("浮腫.png", "image"),
        ('a";\r\nSet-Cookie: x.png', "a_Set-Cookie_x"),
        ("../../etc/passwd", "passwd"),
        ("x" * 300, "x" * 60),
        ("CON.png", "CON"),
    ],
)
def test_stems_of_files(name, stem):
    assert file_stem(name) == stem
