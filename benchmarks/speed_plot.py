"""What speed.py measured in, bars of how fast each rival reads out."""

from pathlib import Path
from statistics import median
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from speed_rivals import LIMIT, OURS

WIDTH, BAR, FONT_SIZE = 760, 24, 11  # in points
INK, MUTED, LINE, ACCENT, OTHER, BOUND = "#1b2330", "#5a6371", "#e2dfd7", "#2b4590", "#9aa5bd", "#b4532a"
STYLE: Dict[str, Any] = {
    "font.size": FONT_SIZE,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.bottom": False,
    "axes.axisbelow": True,
    "axes.titlesize": FONT_SIZE,
    "axes.titlelocation": "left",
    "grid.color": LINE,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "svg.fonttype": "none",
    "svg.hashsalt": "speed",
}


def speeds_of(model: Mapping[str, Any], work: str) -> Dict[str, List[float]]:
    """Title → characters a second in each repeat, for those who read this work."""
    runs = {title: own for title, own in model["runs"][work].items() if own}
    return {title: [model["characters"][work] / run["seconds"] for run in own] for title, own in runs.items()}


def plot_speeds(results: Mapping[str, Any], paths: Sequence[Path]) -> None:
    """Write the plot in the format of each path's ending: bars for each model, by sentences and by documents."""
    models = {name: model for name, model in results["models"].items() if "runs" in model}
    if not models:
        return
    try:
        import matplotlib.style
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install matplotlib") from error

    heights = [2 + max(1, len(model["runs"]["sentences"])) for model in models.values()]
    with matplotlib.style.context(["default", STYLE]):
        figure = Figure(figsize=(WIDTH / 72, BAR * sum(heights) / 72), layout="constrained")
        axes = figure.subplots(len(models), 2, squeeze=False, height_ratios=heights)
        for row, (name, model) in zip(axes, models.items()):
            titles = list(model["runs"]["sentences"])
            for place, work in zip(row, ("sentences", "documents")):
                draw_bars(place, titles, speeds_of(model, work))
                n = model["counts"][work]
                place.set_title(f"{name}: {n:,} {work if n > 1 else work[:-1]}, characters a second")
            row[1].tick_params(labelleft=False)
        for path in paths:
            metadata = {"Date": None} if path.suffix == ".svg" else {}
            figure.savefig(path, metadata=metadata, dpi=144)


def draw_bars(axes: Any, titles: Sequence[str], speeds: Mapping[str, Sequence[float]]) -> None:
    """A bar to the median, a whisker over the range, the number behind it; no bar for who did not run."""
    for y, title in enumerate(titles):
        values = speeds.get(title)
        if not values:
            axes.text(0, y, "  did not run", va="center_baseline", color=MUTED)
            continue
        middle, ends = median(values), (min(values), max(values))
        axes.barh(y, middle, height=0.6, color=color_of(title))
        axes.plot(ends, (y, y), color=INK, linewidth=1.2)
        beside: Tuple[float, float] = (ends[1], y)
        axes.annotate(f"{middle:,.0f}", beside, (5, 0), textcoords="offset points", va="center_baseline")
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(len(titles) - 0.4, -0.6)
    axes.set_xlim(0, 1.25 * max((max(values) for values in speeds.values()), default=1))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.locator_params(axis="x", nbins=4)
    axes.grid(axis="x")


def color_of(title: str) -> str:
    if title == LIMIT:
        return BOUND
    return ACCENT if title.startswith(OURS) else OTHER
