"""Metrics and texts of several pipelines on the same data in, one table out."""

from statistics import median
from typing import Any, Dict, List, Mapping, Sequence

from .measures import EvaluatedText, compare_paired

# What the published model cards say, as far as they can stand beside Stockmark's 1069 test sentences.
CARDS = [
    {
        "name": "Mizuiro-sakura/luke-japanese-base-finetuned-ner",
        "f": 0.84,
        "note": "its card: the same 1069 sentences, but entities by tags per subword (2682 of them); 1.1 GB",
    },
    {
        "name": "tsmatz/xlm-roberta-ner-japanese",
        "f": 0.986,
        "note": "its card: the model learned from these sentences too; no ORG, ORG-P and ORG-O are counted; 1.1 GB",
    },
]


def compare(
    runs: Mapping[str, Sequence[Dict[str, Any]]], texts: Mapping[str, Sequence[EvaluatedText]], *, seed: int = 0
) -> List[Dict[str, Any]]:
    """
    runs: pipeline → the metrics of each time it ran; the pipelines took turns.
    texts: pipeline → the texts with what it found.
    RETURNS: a row per pipeline: "name", "p", "r", "f", "interval" of F1, "texts_per_second" (median of the runs),
        "slowest", "fastest", "load_seconds" (median), "size" and "peak_memory" in bytes, and "against_first", as
        measures.compare_paired; None for the first.
    """
    first = next(iter(texts))
    rows = []
    for name, metrics in runs.items():
        characters = metrics[0]["characters"]
        speeds = [run["texts_per_second"] for run in metrics]
        memory = [run["peak_memory"] for run in metrics if run["peak_memory"]]
        rows.append(
            {
                "name": name,
                **{key: characters["micro"][key] for key in "prf"},
                "interval": characters["intervals"]["micro"]["f"],
                "texts_per_second": median(speeds),
                "slowest": min(speeds),
                "fastest": max(speeds),
                "load_seconds": median(run["load_seconds"] for run in metrics),
                "size": metrics[0]["size"],
                "peak_memory": max(memory) if memory else None,
                "against_first": None if name == first else compare_paired(texts[name], texts[first], seed=seed),
            }
        )
    return rows


def to_markdown(rows: Sequence[Dict[str, Any]], *, n_texts: int, n_runs: int, cards: bool) -> str:
    """cards: whether the published cards' numbers stand below the table, with what they count."""
    first = rows[0]
    lines = [
        f"Entities on exact characters, {n_texts} texts. Speed: median of {n_runs} runs in turn, with the range. "
        f"p: paired bootstrap over texts against {first['name']}.",
        "",
        "| pipeline | P | R | F1 (95 %) | against the first | texts/s | ratio | load | size | peak memory |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        against = row["against_first"]
        difference = f"{against['difference']:+.3f} (p {p_value(against['p'])})" if against else ""
        low, high = row["interval"]
        cells = [
            row["name"],
            f"{row['p']:.3f}",
            f"{row['r']:.3f}",
            f"{row['f']:.3f} ({low:.3f}–{high:.3f})",
            difference,
            f"{row['texts_per_second']:.0f} ({row['slowest']:.0f}–{row['fastest']:.0f})",
            f"{row['texts_per_second'] / first['texts_per_second']:.2f}",
            f"{row['load_seconds']:.1f} s",
            megabytes(row["size"]),
            megabytes(row["peak_memory"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if cards:
        lines += ["", "Read from the published cards, not measured here:", ""]
        lines += [f"- {card['name']}: F1 {card['f']} ({card['note']})" for card in CARDS]
    return "\n".join(lines) + "\n"


def p_value(p: float) -> str:
    return "≤ 0.001" if p <= 0.001 else f"{p:.3f}"


def megabytes(n_bytes: Any) -> str:
    return "?" if n_bytes is None else f"{n_bytes / 1e6:.0f} MB" if n_bytes >= 1e7 else f"{n_bytes / 1e6:.1f} MB"
