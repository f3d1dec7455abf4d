"""The columns of all tables of an archive with their types; docs/record-format.md says what they mean."""

from unveil.export.rows import COLUMNS

TABLES = ("images", "rounds", "regions", "labels")

ITEM_COLUMNS = {
    "index": "int64",
    "sample": "string",
    "path": "string",
    "size_bytes": "int64",
    "modified_ns": "int64",
    "labels": "list<string>",
    "group": "string",
    "error": "string",
    "shard": "string",
    "error_kind": "string",
    "path_bytes": "binary",
}

_TYPES = {str: "string", int: "int32", float: "float64"}
# Those of a run, which are in the table of images, and those of a round, which are in that of rounds.
_ELSEWHERE = ("run", "image", "sha256", "model", "round", "number", "id", "no_region", "coverage", "appeared")
_OF_REGIONS = {name: _TYPES[kind] for name, kind in COLUMNS.items() if name not in (*_ELSEWHERE, "disappeared", "stop")}

TABLE_COLUMNS: dict[str, dict[str, str]] = {
    "images": {
        "index": "int64",
        "sample": "string",
        "path": "string",
        "status": "string",
        "error_kind": "string",
        "error": "string",
        "attempts": "int32",
        "sha256": "string",
        "height": "int32",
        "width": "int32",
        "channels": "int32",
        "true_labels": "list<string>",
        "group": "string",
        "predicted": "list<string>",
        "predicted_index": "list<int32>",
        "probabilities": "list<float64>",
        "first_label": "string",
        "first_index": "int32",
        "first_probability": "float64",
        "rounds": "int32",
        "regions": "int32",
        "stop": "string",
        "worker_seconds": "float64",
        "depth": "int32",
    },
    "rounds": {
        "index": "int64",
        "track": "string",
        "round": "int32",
        "coverage": "float64",
        "appeared": "list<string>",
        "disappeared": "list<string>",
        "before_labels": "list<string>",
        "before_probabilities": "list<float64>",
        "after_labels": "list<string>",
        "after_probabilities": "list<float64>",
        "empty_targets": "list<string>",
        "empty_reasons": "list<string>",
    },
    "regions": {
        "index": "int64",
        "round": "int32",
        "number": "int32",
        "id": "string",
        **_OF_REGIONS,
        "target_index": "int32",
        "label_index": "int32",
        "appeared_later": "bool",
        "runs": "list<int32>",
        "height": "int32",
        "width": "int32",
        "y0": "float64",
        "x0": "float64",
        "y1": "float64",
        "x1": "float64",
        "places": "binary",
        "depth": "int32",
        "d0": "float64",
        "d1": "float64",
    },
    "labels": {
        "index": "int64",
        "label": "string",
        "class_index": "int32",
        "verdict": "string",
        "reason": "string",
        "first_round": "int32",
        "gain": "float64",
        "appeared_later": "bool",
        "regions": "list<int32>",
    },
}
