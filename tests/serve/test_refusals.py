"""Messages as they leave the machine."""

import pytest

from unveil.errors import DiskFullError, ImageError
from unveil.serve.refusals import RequestError, public_line, status_of


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("can't read /srv/data/images/a.png; check", "can't read a.png; check"),
        ("got '/var/lib/x/run.json'; check", "got 'run.json'; check"),
        (r"got C:\Users\me\scan.png, no", "got scan.png, no"),
        (r"got \\server\share\a.png", "got a.png"),
        ("file:///srv/a/b.html", "b.html"),
        ("a share of 1/2 and torchvision/resnet50", "a share of 1/2 and torchvision/resnet50"),
        ("see /api/openapi.json", "see openapi.json"),
        ("two\nlines\tand \x1b[31mcolor", "two lines and \\x1b[31mcolor"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_one_line_without_folders(text, public):
    assert public_line(text) == public


def test_folders_with_spaces_are_known():
    line = public_line("got /srv/my data/jobs/a.png and /srv/my data", ["/srv/my data", "/srv/my data/jobs"])
    assert line == "got a.png and the folder"


def test_the_status_of_errors():
    assert status_of(RequestError(404, "a", "b", "c")) == 404
    assert status_of(DiskFullError("a", "b", "c")) == 507
    assert status_of(ImageError("a", "b", "c")) == 422
