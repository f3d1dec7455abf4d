"""Images of a folder of the user's: listed without reading, stored when they are used, and nothing else."""

from pathlib import Path

import pytest

from serve.serving import opened_page
from unveil.errors import ImageError
from unveil.serve.folder_images import FolderImages
from unveil.serve.jobs import NotFoundError
from workplaces import TINY_SETTINGS, picture, wait_over


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    (images / "below").mkdir(parents=True)
    (images / "a.png").write_bytes(picture(1))
    (images / "b <i>.PNG").write_bytes(picture(2))
    (images / "broken.png").write_bytes(b"x")
    (images / "below" / "c.png").write_bytes(picture(3))
    (images / ".hidden.png").write_bytes(picture(4))
    (images / "notes.txt").write_text("no image")
    (tmp_path / "outside.png").write_bytes(picture(5))
    (images / "link.png").symlink_to(tmp_path / "outside.png")
    (images / "gone.png").symlink_to(tmp_path / "nothing.png")
    (images / "within.png").symlink_to(images / "a.png")
    return images


def test_only_files_of_the_folder_are_listed(folder):
    for name in ("scan10.png", "Scan9.png", "10.png", "9b.png"):
        (folder / name).write_bytes(picture(6))
    names = [image.name for image in FolderImages(folder).listed()]
    assert names == ["9b.png", "10.png", "a.png", "b <i>.PNG", "broken.png", "Scan9.png", "scan10.png", "within.png"]


def test_a_changed_file_is_another_image(folder):
    images = FolderImages(folder)
    before = images.listed()[0]
    assert images.preview(before.id).startswith(b"\x89PNG")
    (folder / before.name).write_bytes(picture(7, side=60))
    after = images.listed()[0]
    assert (after.name, after.id == before.id) == (before.name, False)
    assert images.preview(after.id) != images.preview(images.listed()[1].id)
    with pytest.raises(NotFoundError):
        images.preview(before.id)


def test_images_are_stored_when_they_are_used(folder, tmp_path):
    with opened_page(tmp_path / "serve", images=FolderImages(folder)) as page:
        assert page.get("/api/session")["images"] == "folder"
        listed = {image["name"]: image for image in page.get("/api/images")}
        assert page.workplace.images() == []
        assert listed["a.png"]["from"] == "folder"
        preview = page("GET", f"/api/images/{listed['a.png']['id']}/preview.png")
        assert preview.body.startswith(b"\x89PNG")
        wanted = {"model": "tiny", "settings": TINY_SETTINGS, "image": listed["b <i>.PNG"]["id"]}
        job = page("POST", "/api/jobs", wanted)
        assert job.status == 201, job.body
        assert job.json()["image_name"] == "b <i>.PNG"
        wait_over(page.workplace, job.json()["id"])
        assert [image.name for image in page.workplace.images()] == ["b <i>.PNG"], "a preview stores nothing"
        again = page.get("/api/images")
        assert [image["name"] for image in again] == list(listed), "each is shown once"
        broken = page("POST", "/api/jobs", {**wanted, "image": listed["broken.png"]["id"]})
        assert broken.status == 422
        assert str(folder) not in broken.json()["error"]
        assert page("GET", f"/api/images/{'0' * 32}/preview.png").status == 404


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(ImageError, match="folder of images"):
            FolderImages(path)
