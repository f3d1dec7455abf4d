"""What the pages of a report are made of; it grows run by run and holds the views of none."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from unveil.records import Run, Verdict
from unveil.report.pages import as_page_text, render
from unveil.report.places import PlaceCounts, data_address
from unveil.report.rows import HEADS, RunRow, index_columns, make_row, most_suspicious_first
from unveil.report.spool import TextSpool
from unveil.report.tables import GENERAL_LIMITS, method_settings, report_facts
from unveil.report.thumbnails import run_thumbnail
from unveil.view import make_view

MAX_METHODS, MAX_REASONS = 8, 8  # listed in an index; of others, only the number is


class ReportContent:
    """Collects runs for the pages of a report.

    Args:
        spool: Where the texts of runs are kept. Each has three lines, all of them JSON in ASCII: the address of a small
            picture, the facts as HTML, and the view.
        anonymous: Whether names of images are replaced by the first 12 digits of their hashes.
    """

    def __init__(self, spool: TextSpool, *, anonymous: bool) -> None:
        """Begin without any run."""
        self.rows: list[RunRow] = []
        self.spool, self._anonymous = spool, anonymous
        self._places = PlaceCounts()
        self._methods: dict[tuple, int] = {}
        self._stops: Counter[str] = Counter()
        self._without_regions: Counter[str] = Counter()

    def add(self, run: Run) -> Run:
        """Add a run, and return it as it is shown."""
        # A report is handed on; the folders of an image are no part of the result.
        shown = run.source.sha256[:12] if self._anonymous else Path(run.source.name).name or run.source.name
        run = replace(run, source=replace(run.source, name=shown))
        view = make_view(run)
        row = make_row(run, len(self.rows) + 1)
        number = self._method_number(method_settings(run))
        facts = render("facts.html", facts=report_facts(run, view), method=number)
        lines = as_page_text(data_address(run_thumbnail(run))), as_page_text(facts), view.to_json()
        self.spool.add("\n".join(lines))
        self.rows.append(row)
        self._places.add(run)
        # By kind, because texts have numbers in them.
        self._stops.update(str(stop.kind) for stop in run.stops.values())
        if not run.regions:
            self._without_regions[str(run.stop.kind)] += 1
        return run

    def _method_number(self, settings: tuple) -> int:
        """The number of a method, in the order in which they first appear; counts the run."""
        self._methods[settings] = self._methods.get(settings, 0) + 1
        return list(self._methods).index(settings) + 1

    def order(self) -> list[int]:
        """Places of the runs, the most suspicious first."""
        return most_suspicious_first(self.rows)

    def facts(self, place: int) -> tuple[str, str]:
        """The address of the picture of a run, and its facts as HTML."""
        picture, facts, _ = self.spool.read(place).split("\n", 2)
        return json.loads(picture), json.loads(facts)

    def index(self) -> str:
        """What the page's script needs for its table, as text for any element of a page."""
        order = self.order()
        place_of = {place: at for at, place in enumerate(order)}
        alike = self._places.alike()
        found = index_columns([self.rows[place] for place in order])
        found["columns"]["alike"] = [[place_of[other] for other in alike[place]] for place in order]
        return as_page_text({**found, "heads": self.heads(), "cells": self._places.cells(order)})

    def heat_maps(self) -> list[dict]:
        """Where regions fall, for the most frequent labels."""
        return self._places.heat_maps()

    def heads(self) -> list[tuple[str, str]]:
        """Keys and headings of the columns; regions without cards have one only where there are some."""
        return [head for head in HEADS if head[0] != "untested" or self.has_untested]

    @property
    def has_untested(self) -> bool:
        """Whether any region has no trust card."""
        return any(row.untested for row in self.rows)

    def counts(self) -> list[tuple[str, int]]:
        """The number of regions of each verdict; those without a trust card, where there are some."""
        names = [*map(str, Verdict), "untested"]
        counts = [(name, sum(getattr(row, name) for row in self.rows)) for name in names]
        return [(name, count) for name, count in counts if count or (name != "untested" and not self.has_untested)]

    def methods(self) -> list[dict[str, Any]]:
        """What runs were made with, the most frequent first: settings, and the number of runs."""
        numbered = [
            {"number": number, "settings": settings[:-1], "recipe": settings[-1][1], "runs": runs}
            for number, (settings, runs) in enumerate(self._methods.items(), start=1)
        ]
        return sorted(numbered, key=lambda method: -method["runs"])[:MAX_METHODS]

    @property
    def other_methods(self) -> int:
        """The number of methods that aren't listed."""
        return max(0, len(self._methods) - MAX_METHODS)

    def limits(self, unread: int) -> list[str]:
        """What wasn't found in all of the runs, and why."""
        count, empty = len(self.rows), sum(self._without_regions.values())
        untested = sum(row.untested for row in self.rows)
        none = f"No region was found in {empty:,} of {count:,} runs: {_reasons(self._without_regions)}."
        lines = [none if empty else f"Each of the {count:,} runs found a region."]
        lines.append(f"Why runs ended: {_reasons(self._stops)}.")
        if untested:
            lines.append(f"{_many(untested, 'region')} weren't tested: their runs were made without trust cards.")
        if unread:
            lines.append(f"{_many(unread, 'record')} couldn't be read and are left out.")
        return [*lines, *GENERAL_LIMITS[:1]]


def _reasons(counts: Counter[str]) -> str:
    known = [f"{text} ({count:,})" for text, count in counts.most_common(MAX_REASONS)]
    others = sum(counts.values()) - sum(count for _, count in counts.most_common(MAX_REASONS))
    return "; ".join([*known, *([f"others ({others:,})"] if others else [])])


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
