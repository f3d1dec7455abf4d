"""Views: valid by their schema, equal to the record where they can be compared, and text in any page."""

import base64
import gzip
import html
import io
import json
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import jsonschema
import numpy as np
import pytest
from PIL import Image as Pillow

import cubes
from labeled_runs import three_labels
from tiny_runs import RECIPES, image, run
from unveil.errors import RecordError
from unveil.images import Image
from unveil.images.preview import make_preview
from unveil.masks import Mask
from unveil.predictions import Output
from unveil.records import Run, Verdict
from unveil.rounds import find_regions
from unveil.store.encoding import encode
from unveil.view import View, make_view, region_ids, region_suspicion, view_schema


def document_of(shown: Run, **options) -> dict:
    document = json.loads(make_view(shown, **options).to_json())
    jsonschema.validate(document, view_schema())
    return document


@cache
def document() -> dict:
    return document_of(run())


def decoded(blob: dict) -> np.ndarray:
    content = base64.b64decode(blob["data"])
    if blob["type"] == "image/png":
        with Pillow.open(io.BytesIO(content)) as picture:
            values = np.asarray(picture)
    else:
        values = np.frombuffer(gzip.decompress(content), dtype=np.dtype(blob["dtype"]).newbyteorder("<"))
    return values.reshape(blob["shape"])


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("output", list(Output))
def test_all_kinds_of_runs_have_valid_views(recipe, output):
    shown = run(recipe, output, spacing=True)
    values = document_of(shown)
    assert len(values["rounds"]) == len(shown.rounds)
    assert [one["name"] for one in values["tracks"]] == list(shown.tracks)


def test_the_schema_refuses_other_things():
    for change in ({"version": 2}, {"regions": [{}]}, {"more": 1}, {"labels": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document(), **change}, view_schema())
    jsonschema.Draft202012Validator.check_schema(view_schema())


def test_regions_are_those_of_the_record():
    """Against the manifest, which another room writes."""
    manifest, _ = encode(run())
    recorded = [region for round_ in manifest["rounds"] for region in round_["regions"]]
    cards = manifest["trust"]["cards"]
    for shown, kept, card in zip(document()["regions"], recorded, cards, strict=True):
        for key in ("mask", "model_mask", "area_mm2", "score_before", "probability_after", "stability", "rim_share"):
            assert shown[key] == kept[key]
        assert shown["trust"] == card
        assert shown["drop"] == pytest.approx(kept["score_before"] - kept["score_after"])
        assert shown["opposes"] == (kept["score_after"] > kept["score_before"])
        inside = np.argwhere(Mask(tuple(kept["mask"]["shape"]), tuple(kept["mask"]["runs"])).to_array())
        assert shown["box"] == {"start": inside.min(0).tolist(), "stop": (inside.max(0) + 1).tolist()}
        assert document()["targets"][shown["target"]]["name"] == kept["target"]["name"]
    assert [region["number"] for region in document()["regions"]] == list(range(1, len(recorded) + 1))


def test_images_and_maps_are_those_of_the_record():
    for shown, round_ in zip(document()["rounds"], run().rounds, strict=True):
        assert np.array_equal(decoded(shown["image"]), round_.image.transpose(1, 2, 0))
        assert Mask(**{key: tuple(value) for key, value in shown["erased"].items()}) == round_.erased
        for one, target_map in zip(shown["maps"], round_.maps, strict=True):
            step = one["limit"] / 255
            expected = np.minimum(target_map.saliency, one["limit"])
            assert np.abs(decoded(one["map"]) * step - expected).max() <= step / 2 * 1.001
            assert one["maximum"] == pytest.approx(float(target_map.saliency.max()))
            assert np.mean(target_map.saliency <= one["limit"]) >= 0.998 - 1 / target_map.saliency.size
    final = document()["tracks"][0]["final"]
    assert np.array_equal(decoded(final), run().final_images[None].transpose(1, 2, 0))


def test_states_are_the_predictions():
    (track,) = document()["tracks"]
    states = [run().first, *(round_.after for round_ in run().rounds)]
    indices = [label["index"] for label in document()["labels"]]
    for shown, prediction in zip(track["states"], states, strict=True):
        assert shown["probabilities"] == pytest.approx(prediction.probabilities[indices])
    for shown, round_ in zip(track["states"][1:], run().rounds, strict=True):
        names = {label["index"]: label["name"] for label in document()["labels"]}
        assert [names[index] for index in shown["appeared"]] == list(run().appeared(round_))
        assert {names[index] for index in shown["disappeared"]} == set(run().disappeared(round_))


def test_labels_have_their_cards():
    values = document_of(three_labels())
    cards = {card.class_index: card for card in three_labels().labels}
    assert {label["index"] for label in values["labels"]} >= set(cards)
    for label in values["labels"]:
        card = cards.get(label["index"])
        assert (label["verdict"], label["reason"]) == ((None, None) if card is None else (card.verdict, card.reason))
    regions = values["regions"]
    assert [one["other_label"] and one["other_label"]["name"] for one in regions] == [None, None, "red [fox]", None]
    assert len({label["color"] for label in values["labels"]}) == len(values["labels"])


def test_at_most_24_labels_and_those_that_were_searched_for_first():
    many = 200
    first = replace(run().first, logits=np.zeros(many), output=Output.SIGMOID)
    names = tuple(f"label {index}" for index in range(many))
    rounds = tuple(replace(one, before=first, after=replace(first, logits=first.logits - 2)) for one in run().rounds)
    values = document_of(replace(run(), first=first, rounds=rounds, classifier=replace(run().classifier, labels=names)))
    assert len(values["labels"]) == 24
    targets = [target["class_index"] for target in values["targets"]]
    assert [label["index"] for label in values["labels"][: len(targets)]] == targets


def test_ids_are_unique_and_say_the_round():
    joint, separate = run(), run("plain, separate tracks")
    assert region_ids(joint)[0] == "r1.1"
    for shown in (joint, separate):
        names = region_ids(shown)
        assert len(set(names)) == len(names) == len(shown.regions) > 1
    assert region_ids(separate)[0].startswith("t1r1.")


def test_suspicion_sorts_by_verdict_and_then_by_drop():
    order = [
        (Verdict.ARTIFACT, -3.0),
        (Verdict.ARTIFACT, 100.0),
        (Verdict.WEAK, 0.0),
        (None, 0.5),
        (Verdict.WEAK, 2.0),
        (Verdict.SUPPORTED, -1.0),
        (Verdict.SUPPORTED, 0.1),
        (Verdict.SUPPORTED, 9.0),
    ]
    values = [region_suspicion(drop, verdict) for verdict, drop in order]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)


HOSTILE = '</script></template><!--<img src=x onerror="alert(1)">&lt;\u2028\u2029\x1b[2J\udcff'


class Texts(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("element", ["script", "template", "div"])
def test_names_are_text_in_any_element(element):
    names = (HOSTILE, *run().classifier.labels[1:])
    shown = replace(
        run(), source=replace(run().source, name=HOSTILE), classifier=replace(run().classifier, labels=names)
    )
    text = make_view(shown).to_json()
    assert text.isascii()
    assert html.unescape(text) == text
    parser = Texts()
    parser.feed(f"<{element}>{text}</{element}>")
    parser.close()
    assert parser.tags == [element]
    assert json.loads(parser.text)["source"]["name"] == HOSTILE


def test_anonymous_views_have_no_name():
    shown = replace(run(), source=replace(run().source, name="/patients/Mary Miller.png"))
    text = make_view(shown, anonymous=True).to_json()
    assert "Miller" not in text
    assert json.loads(text)["source"]["name"] == run().source.sha256[:12]


def test_the_command_repeats_published_models_only():
    assert document()["command"] is None
    name = "it's; rm -rf.png"
    known = replace(
        run(), source=replace(run().source, name=name), classifier=replace(run().classifier, name="timm/x_y.z")
    )
    command = make_view(known).document["command"]
    assert command == f"unveil run 'it'\"'\"'s; rm -rf.png' --model timm/x_y.z --recipe recipe.toml --seed {run().seed}"


def test_previews_in_8_bits_are_kept_and_in_16_are_numbers():
    preview = make_preview(image())
    assert preview is not None
    values = document_of(run(), preview=preview)["preview"]
    assert base64.b64decode(values["image"]["data"]) == preview.png
    assert values["image"]["shape"] == [40, 50, 3]
    pixels = np.linspace(10000, 30000, 2000).reshape(40, 50).astype(np.uint16)
    deep = document_of(run(), preview=make_preview(Image.from_array(pixels)))["preview"]
    assert np.array_equal(decoded(deep["image"]), pixels)
    assert deep["window"] == pytest.approx([10020, 29980], abs=20)
    assert document()["preview"] is None
    assert document_of(replace(run(), preview=preview))["preview"] == values


def test_volumes_have_voxels_in_c_order(tmp_path):
    path = cubes.nifti(tmp_path / "scan.nii.gz", cubes.volume(), (2.0, 1.0, 1.0))
    shown = find_regions(path, cubes.classifier(), cubes.RECIPE)
    values = document_of(shown)
    assert values["source"]["shape"] == list(shown.source.geometry.source_shape)
    assert values["preview"] is None
    assert (values["source"]["axes"], values["source"]["spacing_mm"]) == ("IPL", [2.0, 1.0, 1.0])
    for one, round_ in zip(values["rounds"], shown.rounds, strict=True):
        assert np.array_equal(decoded(one["image"]), round_.image[0])
        assert one["maps"][0]["map"]["shape"] == list(round_.maps[0].saliency.shape)


def test_too_much_is_refused(monkeypatch):
    monkeypatch.setattr("unveil.view.MAX_VIEW_REGIONS", len(run().regions) - 1)
    with pytest.raises(RecordError, match="use fewer rounds"):
        make_view(run())
    monkeypatch.undo()
    monkeypatch.setattr("unveil.view.MAX_VIEW_VALUES", 100)
    with pytest.raises(RecordError, match="pixels in all maps"):
        make_view(run())
    monkeypatch.undo()
    monkeypatch.setattr("unveil.view.MAX_VIEW_BYTES", 1 << 10)
    with pytest.raises(RecordError, match="a view of at most"):
        make_view(run())


def test_numbers_are_finite():
    with pytest.raises(ValueError, match="JSON"):
        View({"drop": float("nan")}).to_json()
