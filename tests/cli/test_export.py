"""`unveil export masks`: files on the disk, and what it refuses."""

import numpy as np
from commands import Shell
from PIL import Image as Pillow

from tiny_runs import run
from unveil.cli.export import FORMS, UNITS
from unveil.export import MaskForm, MaskUnit
from unveil.store import save_run


def test_the_lists_are_those_of_the_package():
    assert (tuple(map(str, MaskForm)), tuple(map(str, MaskUnit))) == (FORMS, UNITS)


def test_masks_of_records_become_files(shell: Shell):
    save_run(run(), shell.folder / "runs" / "a")
    code, out, err = shell("export", "masks", shell.folder / "runs", "--out", shell.folder / "masks")
    assert (code, out) == (0, "")
    files = list((shell.folder / "masks" / "a").glob("*.png"))
    total = sum(int(np.count_nonzero(np.asarray(Pillow.open(path)))) for path in files)
    assert total == sum(region.area_px for region in run().regions)
    assert err.startswith(f"{len(run().regions)} mask")


def test_unknown_forms_and_units_are_refused(shell: Shell):
    save_run(run(), shell.folder / "a")
    for option in ("--form", "--per"):
        code, _, err = shell("export", "masks", shell.folder / "a", "--out", shell.folder / "masks", option, "gif")
        assert code == 2
        assert "one of" in err
    assert not (shell.folder / "masks").exists()
