"""Small data sets in the form their owners publish them in."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow

ENTRY_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
)
SIDE = 64  # of the radiographs; their boxes are on 1024 x 1024 all the same
RADIOGRAPHS = {  # name: findings, patient
    "00000001_000.png": ("Effusion|Cardiomegaly", 1),
    "00000001_001.png": ("Effusion", 1),
    "00000002_000.png": ("No Finding", 2),
    "00000003_000.png": ("Cardiomegaly", 3),
    "00000004_000.png": ("Pleural_Thickening", 4),
    "00000005_000.png": ("Hernia", 5),
}
BOXES = (  # image, finding, x, y, w, h
    ("00000001_000.png", "Effusion", 0, 512, 512, 512),
    ("00000001_000.png", "Cardiomegaly", 256, 256, 512, 512),
    ("00000003_000.png", "Cardiomegaly", 128, 256, 256, 512),
    ("00000005_000.png", "Hernia", 512, 512, 256, 256),
)


def noise(path: Path, seed: int, size: tuple[int, int] = (SIDE, SIDE), mode: str = "L") -> Path:
    """An image of noise, (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    Pillow.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)
    return path


def chest(root: Path) -> Path:
    """ChestX-ray14 with six radiographs of five patients, the last of which is cut off."""
    rows = []
    for number, (name, (findings, patient)) in enumerate(RADIOGRAPHS.items()):
        noise(root / f"images_00{1 + number % 2}/images" / name, number)
        rows.append(f"{name},{findings},0,{patient},057Y,M,PA,2682,2749,0.143,0.143,\n")
    broken = root / "images_002/images/00000005_000.png"
    broken.write_bytes(broken.read_bytes()[:500])
    (root / "Data_Entry_2017.csv").write_text(ENTRY_HEADER + "".join(rows))
    boxes = [f"{image},{label},{x},{y},{w},{h},,,\n" for image, label, x, y, w, h in BOXES]
    (root / "BBox_List_2017.csv").write_text("Image Index,Finding Label,Bbox [x,y,w,h],,,\n" + "".join(boxes))
    return root


def dogs(root: Path) -> Path:
    """Stanford Dogs with three photographs of two breeds and a sled, without its lists."""
    for number, name in enumerate(
        (
            "n02085620-Chihuahua/n02085620_7",
            "n02085620-Chihuahua/n02085620_10",
            "n02113186-Cardigan/n02113186_1",
            "n02000000-sled/n02000000_1",
        )
    ):
        noise(root / "Images" / f"{name}.png", 20 + number, (50, 40), "RGB")
        note = root / "Annotation" / name
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(
            "<annotation><size><width>50</width><height>40</height></size><object><name>dog</name>"
            "<bndbox><xmin>5</xmin><ymin>10</ymin><xmax>30</xmax><ymax>35</ymax></bndbox></object></annotation>"
        )
    return root


def voc(root: Path) -> Path:
    """PASCAL VOC with two photographs; one thing is difficult."""
    boxes = {
        "2007_000001": (("dog", 0, 3, 4, 30, 30), ("person", 0, 10, 1, 25, 20)),
        "2007_000002": (("dog", 1, 3, 4, 30, 30), ("sofa", 0, 1, 1, 20, 40)),
    }
    for number, (name, things) in enumerate(boxes.items()):
        noise(root / f"JPEGImages/{name}.jpg", 40 + number, (50, 40), "RGB")
        note = root / f"Annotations/{name}.xml"
        note.parent.mkdir(parents=True, exist_ok=True)
        objects = "".join(
            f"<object><name>{label}</name><difficult>{hard}</difficult><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
            f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
            for label, hard, a, b, c, d in things
        )
        note.write_text(f"<annotation><size><width>50</width><height>40</height></size>{objects}</annotation>")
    (root / "ImageSets/Main").mkdir(parents=True)
    (root / "ImageSets/Main/val.txt").write_text("\n".join(boxes) + "\n")
    return root
