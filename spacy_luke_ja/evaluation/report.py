"""Metrics, evaluated texts and a training log in; one HTML page that needs no network out."""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..colors import DISPLACY_COLORS
from ..text.decoding import CharSpan
from .measures import CORRECT, KINDS, MISSED, OUTSIDE, SPURIOUS, EvaluatedText, Match, labels_of, match_entities
from .plots import FEW, plot_calibration, plot_errors, plot_labels, plot_training

TEMPLATE = Path(__file__).with_name("report.html")
# For labels that displaCy has no colour for, in the order of their names.
OTHER_COLORS = ("#f2c4ae", "#b5dcc6", "#c3caec", "#ecd798", "#d9bfe2", "#aedbe4", "#d6d49f", "#e6bcc9")

KIND_HELP = {
    "wrong label": "the edges are right, the label is another",
    "wrong edge": "the label is right, but it begins or ends elsewhere",
    "wrong label and edge": "it shares characters with a gold entity, but neither label nor edges",
    "missed": "a gold entity of which nothing was found",
    "spurious": "found where there is no gold entity",
}


class Piece(NamedTuple):
    """A run of a text's characters: one entity, or what lies between two (kind is None)."""

    text: str
    kind: Optional[str] = None
    label: str = ""
    score: Optional[float] = None


class Card(NamedTuple):
    """One text on the page. matches: JSON, [kind, gold label, found label] of each match, with O for none."""

    number: int
    gold: List[Piece]
    found: List[Piece]
    errors: Dict[str, int]
    matches: str


def render_report(
    metrics: Dict[str, Any],
    texts: Sequence[EvaluatedText],
    *,
    title: str,
    history: Sequence[Dict[str, Any]] = (),
) -> str:
    """Draw the page. The same input gives the same page.

    metrics, texts: as evaluate.evaluate gives them for one run.
    history: the lines of training-log.jsonl; a page without them has no training curve.
    """
    counted = (len(texts), sum(len(text.gold) for text in texts))
    expected = (metrics["n_texts"], metrics["n_entities"])
    if counted != expected:
        raise ValueError(
            f"metrics and texts must be of one run: the metrics count {expected[0]} texts with {expected[1]} gold "
            f"entities, and there are {counted[0]} with {counted[1]}"
        )
    labels = list(dict.fromkeys([*metrics["characters"]["labels"], *labels_of(texts)]))
    colors = label_colors(labels)
    source = TEMPLATE.read_text(encoding="utf8")
    template = environment().from_string(source)
    return template.render(
        title=title,
        script_hash=script_hash(source),
        metrics=metrics,
        totals=entity_totals(metrics["errors"]),
        labels=labels,
        colors=colors,
        confusion=confusion_rows(metrics["confusion"]),
        error_kinds=[kind for kind in KINDS if kind != CORRECT],
        kind_help=KIND_HELP,
        cards=[make_card(number, text) for number, text in enumerate(texts, start=1)],
        plots={
            "labels": Markup(plot_labels(metrics["characters"], colors)),
            "errors": Markup(plot_errors(metrics["errors"])),
            "calibration": metrics["calibration"] and Markup(plot_calibration(metrics["calibration"])),
            "training": Markup(plot_training(history)) if history else None,
        },
        outside=OUTSIDE,
        few=FEW,
    )


def environment() -> Environment:
    env = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    env.filters["share"] = lambda x: "–" if x is None else f"{x:.3f}"
    env.filters["percent"] = lambda x: "–" if x is None else f"{100 * x:.1f}\N{NO-BREAK SPACE}%"
    env.filters["count"] = lambda n: f"{n:,}"
    env.filters["slug"] = lambda kind: kind.replace(" ", "-")
    return env


def script_hash(source: str) -> str:
    """What the page's content security policy says of its script: no other runs, whatever the texts hold."""
    match = re.search(r"<script>(.*?)</script>", source, flags=re.DOTALL)
    if match is None:
        raise ValueError(f"{TEMPLATE.name} must have one <script>")
    return "sha256-" + base64.b64encode(hashlib.sha256(match[1].encode("utf8")).digest()).decode("ascii")


def label_colors(labels: Sequence[str]) -> Dict[str, str]:
    others = sorted(set(labels) - set(DISPLACY_COLORS))
    neutral = {label: OTHER_COLORS[i % len(OTHER_COLORS)] for i, label in enumerate(others)}
    return {label: DISPLACY_COLORS.get(label) or neutral[label] for label in labels}


def entity_totals(errors: Dict[str, int]) -> Dict[str, int]:
    """How many entities are gold, found, and both."""
    matched = sum(errors.values())
    return {"gold": matched - errors[SPURIOUS], "found": matched - errors[MISSED], "correct": errors[CORRECT]}


def confusion_rows(confusion: Dict[str, Any]) -> List[Dict[str, Any]]:
    """A row per gold label, with each cell's share of its row."""
    rows = []
    for gold, counts in zip(confusion["labels"], confusion["counts"]):
        total = max(1, sum(counts))
        cells = [
            {"found": found, "n": n, "share": n / total, "right": gold == found != OUTSIDE}
            for found, n in zip(confusion["labels"], counts)
        ]
        rows.append({"gold": gold, "cells": cells, "total": sum(counts)})
    return rows


# Texts


def make_card(number: int, text: EvaluatedText) -> Card:
    matches = match_entities(text)
    gold_kinds = {match.gold: match.kind for match in matches if match.gold}
    found_kinds = {match.found: match.kind for match in matches if match.found}
    errors = {kind: sum(match.kind == kind for match in matches) for kind in KINDS if kind != CORRECT}
    return Card(
        number,
        cut(text.text, text.gold, gold_kinds, has_scores=False),
        cut(text.text, text.found, found_kinds, has_scores=text.has_scores),
        {kind: n for kind, n in errors.items() if n},
        json.dumps([describe(match) for match in matches], ensure_ascii=False),
    )


def describe(match: Match) -> List[str]:
    gold, found = (span.label if span else OUTSIDE for span in (match.gold, match.found))
    return [match.kind.replace(" ", "-"), gold, found]


def cut(text: str, spans: Sequence[CharSpan], kinds: Dict[CharSpan, str], *, has_scores: bool) -> List[Piece]:
    """The pieces of a text, in order: joined, they are the text."""
    pieces, done = [], 0
    for span in spans:
        pieces.append(Piece(text[done : span.char_start]))
        score = span.score if has_scores else None
        pieces.append(Piece(text[span.char_start : span.char_end], kinds[span], span.label, score))
        done = span.char_end
    return [piece for piece in (*pieces, Piece(text[done:])) if piece.text]
