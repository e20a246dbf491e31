"""Metrics and training log in, plots as inline SVG out: text stays text, and colours follow the page's theme."""

import io
import itertools
import re
import unicodedata
import warnings
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Sequence, Tuple
from xml.etree import ElementTree

from .measures import CORRECT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Matplotlib draws with these; in the SVG each becomes a variable of the page's style sheet, which knows light and dark.
VARIABLES = {
    (INK := "#010101"): "var(--ink)",
    (MUTED := "#010102"): "var(--muted)",
    (LINE := "#010103"): "var(--line)",
    (ACCENT := "#010104"): "var(--accent)",
    (LOSS := "#010105"): "var(--loss)",
    (WHISKER := "#010106"): "var(--whisker)",
    (PRECISION := "#010107"): "var(--precision)",
    (RECALL := "#010108"): "var(--recall)",
}
KIND_COLORS = {
    "wrong label": "#010201",
    "wrong edge": "#010202",
    "wrong label and edge": "#010203",
    "missed": "#010204",
    "spurious": "#010205",
}
VARIABLES.update({color: f"var(--{kind.replace(' ', '-')})" for kind, color in KIND_COLORS.items()})

FEW = 10
DASHES = (0, (4, 4))
WIDTH, FONT_SIZE, WIDEST_NAME = 460, 12, 170  # in units of the SVG, which is as wide as its place on the page
STYLE = {
    "figure.dpi": 72,
    "font.size": FONT_SIZE,
    "font.family": "DejaVu Sans",  # comes with matplotlib and only measures; the page has its own fonts
    "text.color": INK,
    "text.parse_math": False,  # a label may have dollar signs
    "axes.facecolor": "none",
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": FONT_SIZE - 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": FONT_SIZE - 1,
    "ytick.labelsize": FONT_SIZE - 1,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": FONT_SIZE - 1,
    "svg.fonttype": "none",
}


# Plots


def plot_labels(characters: Mapping[str, Any], colors: Mapping[str, str]) -> str:
    """F1 of each label as a bar, with its interval, precision and recall.

    characters: the block of the metrics of this name. colors: label → colour.
    """
    labels = list(characters["labels"])
    p, r, f = ([characters["labels"][label][key] for label in labels] for key in "prf")
    intervals = [characters["intervals"]["labels"][label]["f"] for label in labels]
    # A percentile interval need not hold the score itself.
    below = [max(0, score - low) for score, (low, _) in zip(f, intervals)]
    above = [max(0, high - score) for score, (_, high) in zip(f, intervals)]
    level = f"{100 * characters['intervals']['level']:g} % interval"

    def draw(figure: "Figure") -> None:
        axes = add_bars_axes(figure, labels, right=46, top=34)
        places = range(len(labels))
        axes.barh(places, f, height=0.56, color=[colors[label] for label in labels], label="F1")
        axes.errorbar(
            f, places, xerr=[below, above], fmt="none", ecolor=WHISKER, elinewidth=1.2, capsize=3, label=level
        )
        marks: Dict[str, Any] = {"linestyle": "none", "markersize": 5, "clip_on": False, "zorder": 3}
        axes.plot(p, [y - 0.2 for y in places], "v", color=PRECISION, label="precision", **marks)
        axes.plot(r, [y + 0.2 for y in places], "^", color=RECALL, label="recall", **marks)
        for y, score in enumerate(f):
            axes.text(1.03, y, f"{score:.3f}", va="center_baseline")
        axes.set_xlim(0, 1)
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=4, columnspacing=1.2, handletextpad=0.5, handlelength=1.4
        )

    height = 58 + 45 * max(1, len(labels))
    return as_svg("labels", draw, height=height, description="F1, precision and recall per label")


def plot_errors(errors: Mapping[str, int]) -> str:
    """How many errors are of each kind."""
    kinds = [kind for kind in errors if kind != CORRECT]
    counts = [errors[kind] for kind in kinds]

    def draw(figure: "Figure") -> None:
        axes = add_bars_axes(figure, kinds, right=86, top=8)
        axes.barh(range(len(kinds)), counts, height=0.56, color=[KIND_COLORS[kind] for kind in kinds])
        for y, count in enumerate(counts):
            beside: Dict[str, Any] = {"xy": (count, y), "textcoords": "offset points", "va": "center_baseline"}
            share = 100 * count / max(1, sum(counts))
            axes.annotate(f"{count}", xytext=(8, 0), **beside)
            axes.annotate(f"{share:.0f} %", xytext=(18 + 7 * len(str(count)), 0), color=MUTED, **beside)
        axes.set_xlim(0, max([*counts, 1]) * 1.02)
        axes.locator_params(axis="x", integer=True, nbins=5)

    return as_svg("errors", draw, height=40 + 42 * len(kinds), description="Number of errors of each kind")


def plot_calibration(calibration: Mapping[str, Any]) -> str:
    """Share of correct entities over score, and below it how many entities have such a score.

    The curve leaves out scores that fewer than FEW entities have, which are drawn as rings.
    """
    bins = [b for b in calibration["bins"] if b["n"]]
    known = [b for b in bins if b["n"] >= FEW]
    most = max(b["n"] for b in bins)

    def draw(figure: "Figure") -> None:
        above, below = add_two_axes(figure)
        above.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=DASHES)
        along: Dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
        above.text(0.2, 0.235, "as sure as it is right", color=MUTED, fontsize=FONT_SIZE - 1, **along)
        scores, correct = [b["score"] for b in known], [b["correct"] for b in known]
        above.vlines(scores, scores, correct, color=ACCENT, linewidth=1, alpha=0.45)
        above.plot(scores, correct, color=ACCENT, linewidth=2)
        for b in bins:
            fill = ACCENT if b["n"] >= FEW else "none"
            size = 18 + 90 * b["n"] / most
            above.scatter(b["score"], b["correct"], s=size, facecolor=fill, edgecolor=ACCENT, clip_on=False, zorder=3)
        above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that is correct")

        middles, counts = [(b["low"] + b["high"]) / 2 for b in bins], [b["n"] for b in bins]
        below.bar(middles, counts, width=0.86 / len(calibration["bins"]), color=ACCENT, alpha=0.55)
        over: Dict[str, Any] = {
            "textcoords": "offset points",
            "ha": "center",
            "fontsize": FONT_SIZE - 2,
            "color": MUTED,
        }
        for middle, n in zip(middles, counts):
            below.annotate(f"{n}", (middle, n), (0, 3), **over)
        below.set(ylim=(0, most * 1.3), yticks=[], xlabel="score", ylabel="entities")
        below.grid(visible=False)

    return as_svg("calibration", draw, height=318, description="Share of correct entities over their score")


def plot_training(history: Sequence[Mapping[str, Any]]) -> str:
    """Score and mean losses by step, with the best step marked. history: the lines of training-log.jsonl."""
    steps = [line["step"] for line in history]
    scores = as_shares([line["score"] for line in history])
    best = len(scores) - 1 - scores[::-1].index(max(scores))  # of equal ones the last was saved as model-best
    pipes = list(dict.fromkeys(pipe for line in history for pipe in line["losses"]))

    def draw(figure: "Figure") -> None:
        above, below = add_two_axes(figure)
        few = len(steps) < 40
        above.axvline(steps[best], color=MUTED, linewidth=1, linestyle=DASHES)
        above.plot(steps, scores, color=ACCENT, linewidth=2, marker="o" if few else "", markersize=3.5)
        above.plot(steps[best], scores[best], "o", color=ACCENT, markersize=9, clip_on=False)
        is_late = 2 * steps[best] > steps[0] + steps[-1]
        beside: Dict[str, Any] = {
            "xytext": (-6 if is_late else 6, -4),
            "ha": "right" if is_late else "left",
            "va": "top",
        }
        bottom: Dict[str, Any] = {"xy": (steps[best], 0.14), "xycoords": above.get_xaxis_transform()}
        text = f"best: {scores[best]:.3f} at step {steps[best]:,}"
        above.annotate(text, textcoords="offset points", **bottom, **beside)
        above.set(ylabel="score")
        above.margins(y=0.12)

        for pipe, style in zip(pipes, itertools.cycle(("-", "--", ":", "-."))):
            below.plot(
                *zip(*mean_losses(history, pipe)),
                color=LOSS,
                linewidth=1.6,
                linestyle=style,
                marker="o" if few else "",
                markersize=2.5,
                label=pipe,
            )
        below.set(xlabel="step", ylabel="mean loss")
        below.set_ylim(bottom=0)
        below.locator_params(axis="x", integer=True, nbins=6)
        below.locator_params(axis="y", nbins=3)
        if len(pipes) > 1:
            below.legend(loc="upper right", ncols=len(pipes))

    return as_svg("training", draw, height=318, description="Score and mean loss by training step")


def mean_losses(history: Sequence[Mapping[str, Any]], pipe: str) -> List[Tuple[int, float]]:
    """RETURNS: step and loss of one step, on average since the line before; a log has the sum of them."""
    means, before = [], -1
    for line in history:
        if pipe in line["losses"]:
            means.append((line["step"], line["losses"][pipe] / max(1, line["step"] - before)))
        before = line["step"]
    return means


def as_shares(scores: Sequence[float]) -> List[float]:
    """spaCy's ConsoleLogger writes some scores times 100."""
    return [score / 100 for score in scores] if max(scores) > 1 else list(scores)


# Drawing


def add_axes(figure: "Figure", *, left: float, right: float, top: float, bottom: float, **settings: Any) -> "Axes":
    """Axes with margins in units of the SVG."""
    width, height = figure.get_size_inches() * 72
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    return figure.add_axes(box, **settings)


def add_bars_axes(figure: "Figure", names: Sequence[str], *, right: float, top: float) -> "Axes":
    """Axes for horizontal bars with names at their left."""
    shown = [shorten(name) for name in names]
    left = max(map(text_width, shown), default=0) + 14
    axes = add_axes(figure, left=left, right=right, top=top, bottom=24)
    axes.set_yticks(range(len(shown)), shown, color=INK, fontsize=FONT_SIZE)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.spines["bottom"].set_visible(False)
    return axes


def add_two_axes(figure: "Figure") -> Tuple["Axes", "Axes"]:
    """A high one, and a low one below it with the same x axis."""
    above = add_axes(figure, left=46, right=14, top=10, bottom=128)
    below = add_axes(figure, left=46, right=14, top=212, bottom=38, sharex=above)
    above.tick_params(labelbottom=False)
    return above, below


def shorten(name: str) -> str:
    """Printable, and not wider than the names' place at the left of bars."""
    name = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    if text_width(name) <= WIDEST_NAME:
        return name
    while text_width(name) > WIDEST_NAME - FONT_SIZE:
        name = name[:-1]
    return name + "…"


def text_width(text: str) -> float:
    """About how wide the page draws a text: a Japanese character takes the font's size, another less."""
    wide = sum(unicodedata.east_asian_width(char) in "FWA" for char in text)
    return FONT_SIZE * (wide + 0.56 * (len(text) - wide))


def as_svg(name: str, draw: Any, *, height: float, description: str) -> str:
    """Call draw(figure) and turn the figure into an element for an HTML page.

    name: goes before every id, so that several plots of one page do not mix theirs up.
    """
    try:
        import matplotlib.style
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install matplotlib") from error

    file_ = io.BytesIO()
    settings: Dict[str, Any] = {**STYLE, "svg.hashsalt": name}
    with matplotlib.style.context(["default", settings]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the browser has Japanese fonts
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        draw(figure)
        figure.savefig(file_, format="svg", transparent=True, metadata={"Date": None})
    return to_inline(ElementTree.fromstring(file_.getvalue()), name, description)


def to_inline(svg: ElementTree.Element, name: str, description: str) -> str:
    """Without what only a file needs: namespaces, metadata, rules for every element, fonts, a size."""
    view = svg.attrib["viewBox"]
    for parent in list(svg.iter()):
        for child in list(parent):
            if local_name(child.tag) in ("metadata", "style"):
                parent.remove(child)
    for element in svg.iter():
        element.tag = local_name(element.tag)
        attributes = {local_name(key): value for key, value in element.attrib.items()}
        if element.tag == "g":
            attributes.pop("id", None)  # axes_1, which nothing refers to
        for key, value in attributes.items():
            if key == "id":
                attributes[key] = f"{name}-{value}"
            elif key == "href":
                attributes[key] = value.replace("#", f"#{name}-")
            elif key == "clip-path":
                attributes[key] = value.replace("url(#", f"url(#{name}-")
            elif key == "style":
                value = re.sub(r"font-family: [^;]*;?", "", value)
                for color, variable in VARIABLES.items():
                    value = value.replace(color, variable)
                attributes[key] = value
        element.attrib.clear()
        element.attrib.update(attributes)
    svg.attrib.clear()
    svg.attrib.update({"viewBox": view, "role": "img", "aria-label": description})
    return ElementTree.tostring(svg, encoding="unicode")


def local_name(name: str) -> str:
    return name.rpartition("}")[2]
