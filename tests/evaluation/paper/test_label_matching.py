"""Labels of data sets and of classifiers, with the traps that published names hold."""

import pytest

from unveil.datasets.chestxray14 import CHESTXRAY14_LABELS as CHEST
from unveil.errors import TargetError
from unveil.evaluation.paper.label_matching import MatchingError, match_labels, plain_name

IMAGENET = (
    "Chihuahua",
    "Shih-Tzu",
    "soft-coated wheaten terrier",
    "Cardigan",
    "cardigan",
    "crane",
    "crane",
    "studio couch",
)


def result(dataset, classifier=IMAGENET, given=None):
    matching = match_labels(dataset, classifier, given)
    return {label: sorted(indices) for label, indices in matching.indices.items()}, dict(matching.unmatched)


def test_breeds_as_folders_name_them():
    """Separators, a WordNet id and capitals don't count, but the dog Cardigan isn't the garment."""
    matched, left = result(
        [
            "Chihuahua",
            "n02085620-Chihuahua",
            "Shih-Tzu",
            "shih tzu",
            "soft-coated_wheaten_terrier",
            "Cardigan",
            "cardigan",
        ]
    )
    assert matched == {
        "Chihuahua": [0],
        "n02085620-Chihuahua": [0],
        "Shih-Tzu": [1],
        "shih tzu": [1],
        "soft-coated_wheaten_terrier": [2],
        "Cardigan": [3],
        "cardigan": [4],
    }
    assert left == {}


def test_two_labels_with_one_name_match_neither():
    matched, left = result(["crane", "CARDIGAN", "dog"])
    assert matched == {}
    assert left["crane"] == "2 labels of the classifier have this name"
    assert left["CARDIGAN"] == "2 labels of the classifier have this name"
    assert left["dog"] == "no label of the classifier has this name"


def test_names_between_commas_and_indices():
    classifier = (
        "Chihuahua",
        "Maltese dog, Maltese terrier, Maltese",
        "Cardigan, Cardigan Welsh corgi",
        "cardigan, jacket",
    )
    matched, left = result(["maltese_terrier", "Cardigan", "cardigan", "3", "4", "dog"], classifier)
    assert matched == {"maltese_terrier": [1], "Cardigan": [2], "cardigan": [3], "3": [3]}
    assert set(left) == {"4", "dog"}


def test_findings_of_the_chest():
    torchxrayvision = ("Atelectasis", "Pleural Thickening", "effusion", "Lung Opacity")
    matched, left = result(CHEST, torchxrayvision)
    assert matched == {"Atelectasis": [0], "Effusion": [2], "Pleural_Thickening": [1]}
    assert len(left) == 11


def test_given_matches_replace_the_rules():
    matched, left = result(
        ["sofa", "dog", "Chihuahua"], given={"sofa": ["studio couch"], "dog": [0, "Shih-Tzu"], "Chihuahua": []}
    )
    assert matched == {"sofa": [7], "dog": [0, 1]}
    assert left == {"Chihuahua": "left out by the list of matches"}
    matching = match_labels(["sofa", "dog"], IMAGENET, {"sofa": ["studio couch"], "dog": [0, 1]})
    assert matching.of(["dog", "sofa", "cat"]) == {0, 1, 7}
    assert matching.of([]) == frozenset()


def test_given_matches_with_unknown_names_are_refused():
    with pytest.raises(
        MatchingError, match=r"expected labels of the data set; got 'sofas'; its 2 labels are sofa, dog …"
    ):
        match_labels(["sofa", "dog"], IMAGENET, {"sofas": [1]})
    with pytest.raises(TargetError, match=r"got 'studio cough'; try 'studio couch'"):
        match_labels(["sofa"], IMAGENET, {"sofa": ["studio cough"]})
    with pytest.raises(TargetError, match="a class index from 0 to 7; got 99"):
        match_labels(["sofa"], IMAGENET, {"sofa": [99]})


def test_a_bare_wordnet_id_is_a_name():
    assert plain_name("n02085620") == "n02085620"
    assert plain_name("n02093859-Kerry_blue  terrier") == "Kerry blue terrier"
