"""What speed.py measured in, a report in Markdown out."""

from statistics import median
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import numpy as np
from speed_rivals import LIMIT, OURS, RIVALS


def to_markdown(results: Mapping[str, Any]) -> str:
    models = results["models"]
    measured = {name: model for name, model in models.items() if "runs" in model}
    parts = [describe(results)]
    for name, model in measured.items():
        parts += [f"## Speed: {name}", describe_work(model, results["texts"]), speed_table(model)]
    if measured:
        parts += ["## Where luke_ner's time goes", stage_table(measured)]
        parts += ["## Against the machine's own limit", limit_table(measured), product_table(measured)]
    parts += ["## Load time and memory", load_table(models)]
    if "stream" in results:
        parts += ["## Memory over a stream", stream_table(results["stream"])]
    parts += ["## What ran", notes(models)]
    return "\n\n".join(part for part in parts if part) + "\n"


def describe(results: Mapping[str, Any]) -> str:
    machine, texts = results["machine"], results["texts"]
    load = f", load {machine['load']:.1f} before it began" if machine["load"] is not None else ""
    return (
        f"# Speed\n\n    python {results['command']}\n\n{machine['date']}, commit {machine['commit'] or 'unknown'}. "
        f"Machine: {machine['cores']} cores of {machine['cpu']}, {(machine['memory_mb'] or 0) / 1e3:.0f} GB, "
        f"{machine['system']}{load}; {machine['threads']} threads for each. Texts: "
        f"{texts['sentences']} sentences of {results['data']}, and {texts['documents']} documents made of "
        f"them. {minutes(results['seconds'])} in all; {results['repeats']} repeats, going round the rivals. A number "
        "is the median of the repeats, with the range in brackets."
        + (" A quick run, to see that all runs: its numbers mean nothing." if results["is_quick"] else "")
    )


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes"


# Speed


def describe_work(model: Mapping[str, Any], n_texts: Mapping[str, int]) -> str:
    counts, characters, best = model["counts"], model["characters"], model["batch_sizes"]
    return (
        f"Read: {counts['sentences']} of {n_texts['sentences']} sentences ({characters['sentences']:,} characters), "
        f"{counts['documents']} of {n_texts['documents']} documents ({characters['documents']:,} characters), and "
        f"{max(map(len, model['latencies'].values()), default=0)} sentences one at a time. luke_ner computes in "
        f"{model['precision']}; the HF pipeline's best batch size was {best['sentences']}, for documents "
        f"{best['documents']}."
    )


def speed_table(model: Mapping[str, Any]) -> str:
    """ "×": how many times as fast luke_ner is, by the pairs of one repeat."""
    head = [
        "", "sentences/s", "characters/s", "luke_ner is ×", "documents: characters/s", "luke_ner is ×",
        "one sentence: p50 ms", "p95 ms", "entities",
    ]  # fmt: skip
    runs = model["runs"]
    rows = []
    for title in runs["sentences"]:
        own = {work: seconds_of(runs[work].get(title)) for work in runs}
        ours = {work: seconds_of(runs[work].get(OURS)) for work in runs}
        latencies = model["latencies"].get(title)
        entities = [run["entities"] for run in runs["sentences"][title]]
        rows.append(
            [
                title,
                spread([model["counts"]["sentences"] / s for s in own["sentences"]]),
                spread([model["characters"]["sentences"] / s for s in own["sentences"]]),
                ratio(own["sentences"], ours["sentences"], title),
                spread([model["characters"]["documents"] / s for s in own["documents"]]),
                ratio(own["documents"], ours["documents"], title),
                f"{np.percentile(latencies, 50):.1f}" if latencies else "–",
                f"{np.percentile(latencies, 95):.1f}" if latencies else "–",
                f"{entities[-1]}" if entities and title != LIMIT else "–",
            ]
        )
    return table(head, rows)


def seconds_of(runs: Optional[Sequence[Mapping[str, float]]]) -> List[float]:
    return [run["seconds"] for run in runs or []]


def ratio(seconds: Sequence[float], our_seconds: Sequence[float], title: str) -> str:
    return "" if title == OURS else spread([own / ours for own, ours in zip(seconds, our_seconds)])


def spread(values: Sequence[float]) -> str:
    """Median and range, with three digits that say something."""
    if not values:
        return "–"
    middle = number(median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))}–{number(max(values))})"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


# Stages and limits


def each_work(models: Mapping[str, Any], fill: Callable[[Dict[str, Any], Dict[str, Any], str], Any]) -> Dict[str, Any]:
    """ "model, work" → what fill makes of the model, its extras and the work."""
    return {
        f"{name}, {work}": fill(model, extras, work)
        for name, model in models.items()
        for work, extras in model["extras"].items()
    }


def stage_table(models: Mapping[str, Any]) -> str:
    stages = {key: own for key, own in each_work(models, lambda model, extras, work: extras["stages"]).items() if own}
    rows = [
        [stage, *(f"{100 * own[stage] / sum(own.values()):.0f} %" for own in stages.values())]
        for stage in next(iter(stages.values()), {})
    ]
    text = "Share of the seconds in a run of its own, with clocks around the functions of each stage."
    return f"{text}\n\n{table(['', *stages], rows)}" if stages else ""


def limit_table(models: Mapping[str, Any]) -> str:
    head = [
        "", "subwords", "padding", "if it padded", "HF pipeline's padding", "bare forward takes of luke_ner's time",
        "operations, 10¹²", "they would take at a layer's rate", "at the squares' rate",
    ]  # fmt: skip
    rows = [[key, *cells] for key, cells in each_work(models, limit_cells).items()]
    text = (
        "Padding: share of the positions computed that hold none of the text's subwords. Bare forward: the network "
        "alone on the same windows, perfectly sorted. Operations: of matrix products alone, at the rate measured for "
        "them below, as a share of luke_ner's time."
    )
    return f"{text}\n\n{table(head, rows)}"


def limit_cells(model: Mapping[str, Any], extras: Mapping[str, Any], work: str) -> List[str]:
    padding, flops = extras["padding"], extras["flops"]
    ours, bare = (seconds_of(model["runs"][work].get(title)) for title in (OURS, LIMIT))
    rates = (model["products"] or {}).get(model["precision"])
    shares = ["–", "–"]
    if flops and rates and ours:
        shares = [f"{100 * flops['flops'] / rates[kind] / median(ours):.0f} %" for kind in ("layer", "squares")]
    return [
        f"{padding['subwords']:,}" if padding else "–",
        share_of_padding(padding, "positions"),
        share_of_padding(padding, "padded"),
        share_of_padding(extras["batches_padding"], "positions"),
        f"{100 * median(bare) / median(ours):.0f} %" if bare and ours else "–",
        f"{flops['flops'] / 1e12:.3g}" if flops else "–",
        *shares,
    ]


def share_of_padding(padding: Optional[Mapping[str, int]], key: str) -> str:
    return f"{100 * (1 - padding['subwords'] / padding[key]):.0f} %" if padding and padding[key] else "–"


def product_table(models: Mapping[str, Any]) -> str:
    rows = [
        [name, precision, f"{rates['layer'] / 1e9:.0f}", f"{rates['squares'] / 1e9:.0f}"]
        for name, model in models.items()
        for precision, rates in (model["products"] or {}).items()
    ]
    return table(["matrix products", "type", "shapes of a layer, 10⁹ operations/s", "2048 × 2048 squares"], rows)


# Loading and memory


def load_table(models: Mapping[str, Any]) -> str:
    head = ["model", "", "imports, s", "load, s", "imports, MB", "load, MB at most", "MB kept", "process, MB at most"]
    rows = []
    for name, model in models.items():
        for title, answers in model["loads"].items():
            peak = model.get("peaks", {}).get(title)
            rows.append(
                [
                    name,
                    title,
                    spread([answer["imports"]["seconds"] for answer in answers]),
                    spread([answer["load"]["seconds"] for answer in answers]),
                    spread([answer["imports"]["resident_mb"] for answer in answers]),
                    spread([answer["load"]["peak_mb"] for answer in answers]),
                    spread([answer["load"]["kept_mb"] for answer in answers]),
                    f"{peak:,.0f}" if peak else "–",
                ]
            )
    text = (
        "Each in fresh processes, the files in the system's cache. Load: from the imports to the first sentence read; "
        "its memory is what was resident beyond what the imports took, at most and at the end, files mapped into "
        "memory included; pipelines of spaCy have Sudachi's dictionary in it. Process: the most at any time, imports "
        "and all texts above included."
    )
    return f"{text}\n\n{table(head, rows)}"


def stream_table(stream: Mapping[str, Any]) -> str:
    kinds = {key: points for key, points in stream.items() if key not in ("model", "n")}
    found = {key: dict(map(tuple, points)) for key, points in kinds.items() if not isinstance(points, str)}
    counts = list(next(iter(found.values()), {}))
    rows = [[key, *(f"{mb:,.0f}" for mb in points.values())] for key, points in found.items()]
    broken = [f"{key}: {points}" for key, points in kinds.items() if isinstance(points, str)]
    text = (
        f"luke_ner with the model {stream['model']}: MB resident after so many short texts, each with a name that none "
        "before it had; no Doc is kept, one thread, zones of at most 1,000 texts."
    )
    return "\n\n".join([text, table(["", *(f"{n:,}" for n in counts)], rows), *broken])


# Who ran, and how


def notes(models: Mapping[str, Any]) -> str:
    """A line per rival, with the reason where one could not run, and a line per environment."""
    lines = []
    environments: Dict[str, List[str]] = {}
    for title, rival in RIVALS.items():
        answers = [answer for model in models.values() for answer in answers_of(model, title)]
        failed = [f"{name}: {model['failed'][title]}" for name, model in models.items() if title in model["failed"]]
        if answers or failed:
            said = dict.fromkeys([rival.note, *(answer["load"]["note"] for answer in answers)])
            text = "; ".join(part for part in said if part)
            lines.append(f"- {title}: {text}." + (f" **Not measured**, {'; '.join(failed)}." if failed else ""))
        for answer in answers[:1]:
            versions = ", ".join(f"{key} {value}" for key, value in answer["imports"]["versions"].items())
            environments.setdefault(versions, []).append(title)
    lines += [f"- Environment of {', '.join(titles)}: {versions}." for versions, titles in environments.items()]
    return "\n".join(lines)


def answers_of(model: Mapping[str, Any], title: str) -> List[Any]:
    """What a rival said each time it was loaded."""
    once = [model["loaded"][title]] if title in model.get("loaded", {}) else []
    return model["loads"].get(title) or once


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)
