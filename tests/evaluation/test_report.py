"""The report: what is on the page, and that it opens and filters in a real browser."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
import warnings
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.cli import app
from typer.testing import CliRunner

import spacy_luke_ja.cli.report  # noqa: F401
from spacy_luke_ja import CharSpan
from spacy_luke_ja.colors import DISPLACY_COLORS
from spacy_luke_ja.evaluation.measures import (
    EvaluatedText,
    bootstrap_intervals,
    calibration,
    confusion,
    count_errors,
    labels_of,
    score_table,
)
from spacy_luke_ja.evaluation.ner import COUNTED
from spacy_luke_ja.evaluation.plots import mean_losses, shorten, text_width
from spacy_luke_ja.evaluation.report import TEMPLATE, cut, label_colors, render_report
from spacy_luke_ja.evaluation.texts import write_texts

pytest.importorskip("matplotlib", reason="plots need matplotlib: pip install matplotlib")

HOSTILE = "<script>alert(1)</script>\n  </script>'\"&amp;{{ 1 }}\u2028😊 "
# All right, missed, spurious, wrong label, wrong edge, empty, hostile, wrong label and edge; 1 to 8 on the page.
TEXTS = [
    EvaluatedText("東京都の山田", (CharSpan(0, 3, "地名"), CharSpan(4, 6, "人名")), (CharSpan(0, 3, "地名", 0.9), CharSpan(4, 6, "人名", 0.75)), True),
    EvaluatedText("大阪へ行く", (CharSpan(0, 2, "地名"),), (), False),
    EvaluatedText("東京は晴れ", (), (CharSpan(0, 2, "地名", 0.4),), True),
    EvaluatedText("東京大学で", (CharSpan(0, 4, "施設名"),), (CharSpan(0, 4, "その他の組織名", 0.6),), True),
    EvaluatedText("ＮＨＫ京都で", (CharSpan(0, 3, "法人名"),), (CharSpan(0, 5, "法人名", 0.5),), True),
    EvaluatedText("何もない。", (), (), False),
    EvaluatedText(HOSTILE, (), (), False),
    EvaluatedText("GPE<b>", (CharSpan(0, 3, "$x$ <b>&"),), (CharSpan(0, 6, "人名", 0.2),), True),
]  # fmt: skip
HISTORY = [
    {"epoch": 0, "step": 0, "score": 0.1, "losses": {"luke_ner": 90.0}, "scores": {}},
    {"epoch": 1, "step": 200, "score": 0.6, "losses": {"luke_ner": 40.0}, "scores": {}},
    {"epoch": 2, "step": 400, "score": 0.6, "losses": {"luke_ner": 30.0}, "scores": {}},
]


def make_metrics(texts, **others):
    labels = labels_of(texts, list(DISPLACY_COLORS))
    scores = score_table(texts, labels)
    return {
        "pipeline": {"name": "ja_test", "version": "1.2.3", "components": ["luke_ner"]},
        "n_texts": len(texts),
        "n_entities": sum(len(text.gold) for text in texts),
        "counted": COUNTED,
        "characters": {**scores, "intervals": bootstrap_intervals(texts, labels, n_samples=50)},
        "tokens": {"micro": {"p": 0.5, "r": None, "f": 0.25}, "labels": {}},
        "seqeval": scores,
        "seqeval_prefixless": {"f": 0.719, "skipped": 3},
        "calibration": calibration(texts),
        "errors": count_errors(texts),
        "confusion": confusion(texts, labels),
        "texts_per_second": 12.3,
        **others,
    }


@pytest.fixture(scope="module")
def page():
    return render_report(make_metrics(TEXTS), TEXTS, title="<A report> & more", history=HISTORY)


class Cards(HTMLParser):
    """The cards of a page: their numbers, whether they are hidden, and the text of both sides without the tags."""

    def __init__(self, page):
        super().__init__()
        self.cards, self.side, self.in_text, self.in_tag, self.in_number = [], "", False, False, False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        classes = (attributes.get("class") or "").split()
        if tag == "li" and "card" in classes:
            self.cards.append({"number": "", "hidden": "hidden" in attributes, "gold": "", "found": ""})
        self.side = next((side for side in ("gold", "found") if side in classes and tag == "div"), self.side)
        self.in_number = "number" in classes
        self.in_text |= tag == "p" and attributes.get("lang") == "ja"
        self.in_tag |= self.in_text and tag in ("b", "i")

    def handle_endtag(self, tag):
        self.in_number = False
        self.in_text &= tag != "p"
        self.in_tag &= tag not in ("b", "i")

    def handle_data(self, data):
        if self.in_number:
            self.cards[-1]["number"] += data
        elif self.in_text and not self.in_tag:
            self.cards[-1][self.side] += data


# The page as text


def test_every_text_is_there_once_and_unchanged(page):
    cards = Cards(page).cards
    assert [card["number"] for card in cards] == [str(i + 1) for i in range(len(TEXTS))]
    assert [card["gold"] for card in cards] == [card["found"] for card in cards] == [text.text for text in TEXTS]


def test_what_comes_from_outside_is_escaped(page):
    assert page.count("<script>") == page.count("</script>") == 1
    assert "alert(1)</script>" not in page and "{{ 1 }}" in page
    assert "<title>&lt;A report&gt; &amp; more</title>" in page
    assert "$x$ &lt;b&gt;&amp;" in page and "$x$ <b>" not in page


def test_nothing_is_loaded(page):
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page)
    targets = re.findall(r"""(?:src|href|action|poster|data)=["']([^"']*)""", page)
    assert targets and all(target.startswith("#") for target in targets)


def test_only_its_own_script_may_run(page):
    script = re.search(r"<script>(.*?)</script>", page, flags=re.DOTALL)[1]
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])
    assert "default-src 'none'" in policy and f"script-src '{hash_of(script)}'" in policy
    assert not re.search(r"\son[a-z]+=", page)


def test_ids_are_unique_and_what_they_name_is_there(page):
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    named = set(re.findall(r'<use [^>]*?href="#([^"]*)"', page)) | set(re.findall(r"url\(#([^)]*)\)", page))
    assert named and named <= set(ids)


def test_the_same_input_gives_the_same_page(page):
    assert page == render_report(make_metrics(TEXTS), TEXTS, title="<A report> & more", history=HISTORY)


def test_the_users_matplotlib_settings_are_neither_read_nor_changed(page):
    import matplotlib

    with matplotlib.rc_context({"svg.fonttype": "path", "lines.linewidth": 9, "axes.facecolor": "red"}):
        assert page == render_report(make_metrics(TEXTS), TEXTS, title="<A report> & more", history=HISTORY)
        assert matplotlib.rcParams["lines.linewidth"] == 9


def test_plots_are_text_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = render_report(make_metrics(TEXTS), TEXTS, title="", history=HISTORY)
    plots = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert [re.search(r'aria-label="([^"]*)"', plot)[1].split()[0] for plot in plots] == [
        "F1,",
        "Number",
        "Share",
        "Score",
    ]
    assert ">地名</text>" in plots[0] and ">missed</text>" in plots[1]
    assert "best: 0.600 at step 400" in plots[3]
    assert all("#0101" not in plot and "#0102" not in plot and "DejaVu" not in plot for plot in plots)


def test_the_numbers_of_the_page(page):
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    assert "Of the 6 entities that people marked, the pipeline found 2 exactly (33.3 %)." in text
    assert "Of the 6 that it found, 33.3 % are exactly right." in text
    assert all(counted in text for counted in COUNTED.values())
    assert (
        "地名 0.500 0.500 0.500" in text and "micro avg 0.333 0.333 0.333" in text and "micro avg 0.500 – 0.250" in text
    )
    assert "weighted avg" in text and "12 texts per second" in text and "ja_test 1.2.3 · luke_ner" in text
    assert "Micro F1 by tags without prefixes: 0.719 ." in text


@pytest.mark.parametrize(
    "others, history, there, not_there",
    [
        ({}, HISTORY, ['id="training"', "Reliability", "weighted avg"], ["There is no"]),
        ({}, [], ["Reliability"], ['id="training"', "#training", "Learning curve"]),
        ({"calibration": None}, HISTORY, ["There is no reliability curve", "Learning curve"], [">Reliability<"]),
        ({"seqeval": None, "seqeval_prefixless": None}, [], ["There are no such numbers"], ["BIO tags", "0.719"]),
    ],
)
def test_sections_that_may_be_missing(others, history, there, not_there):
    page = render_report(make_metrics(TEXTS, **others), TEXTS, title="t", history=history)
    assert all(part in page for part in there) and not any(part in page for part in not_there)


@pytest.mark.parametrize(
    "texts",
    [
        [EvaluatedText("何もない。", (), ())],
        [EvaluatedText("東京", (CharSpan(0, 2, "地名"),), ())],
        [EvaluatedText("東京", (), (CharSpan(0, 2, "地名"),))],
        [EvaluatedText("東京", (CharSpan(0, 2, "とても長い" * 20),), (CharSpan(0, 2, "\x0b\x00", 0.3),), True)],
    ],
    ids=["no entities", "nothing found", "nothing gold", "odd labels"],
)
@pytest.mark.parametrize("history", [[], HISTORY[:1], [{"step": 0, "score": 62.0, "losses": {}}]])
def test_little_data(texts, history):
    assert len(Cards(render_report(make_metrics(texts), texts, title="t", history=history)).cards) == 1


def test_losses_are_those_of_one_step():
    """A log has their sum since the line before; its first step is 0."""
    history = [
        {"step": 0, "losses": {"luke_ner": 40.0, "tagger": 1.0}},
        {"step": 200, "losses": {"luke_ner": 4000.0}},
        {"step": 400, "losses": {"luke_ner": 2000.0, "tagger": 100.0}},
        {"step": 400, "losses": {"luke_ner": 5.0}},
    ]
    assert mean_losses(history, "luke_ner") == [(0, 40.0), (200, 20.0), (400, 10.0), (400, 5.0)]
    assert mean_losses(history, "tagger") == [(0, 1.0), (400, 0.5)]


def test_scores_times_100_are_drawn_as_shares():
    percent = [{**line, "score": 100 * line["score"]} for line in HISTORY]
    assert "best: 0.600 at step 400" in render_report(make_metrics(TEXTS), TEXTS, title="t", history=percent)


def test_metrics_of_another_run():
    with pytest.raises(ValueError, match="8 texts with 6 gold entities, and there are 7 with 6"):
        render_report(make_metrics(TEXTS), [*TEXTS[:5], *TEXTS[6:]], title="t")


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        render_report(make_metrics(TEXTS), TEXTS, title="t")


@given(st.text(max_size=30), st.lists(st.integers(0, 30), max_size=8))
def test_the_pieces_of_a_text_are_the_text(text, edges):
    edges = sorted({min(edge, len(text)) for edge in edges})
    spans = [CharSpan(start, end, "地名") for start, end in zip(edges[::2], edges[1::2])]
    pieces = cut(text, spans, dict.fromkeys(spans, "missed"), has_scores=False)
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.text for piece in pieces if piece.kind] == [text[span.char_start : span.char_end] for span in spans]


def test_colors():
    colors = label_colors(["GPE", "地名", "ORG"])
    assert colors["地名"] == DISPLACY_COLORS["地名"] and len(set(colors.values())) == 3
    assert colors == label_colors(["ORG", "GPE", "地名"])


@pytest.mark.parametrize(
    "name, shown", [("地名", "地名"), ("a\nb\x00", "a\ufffdb\ufffd"), ("長" * 40, "長" * 13 + "…")]
)
def test_names_of_bars(name, shown):
    assert shorten(name) == shown and text_width(shown) <= 170


# The command


def run(*arguments):
    result = CliRunner().invoke(app, ["luke", "report", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def files(tmp_path):
    texts = [text for text in TEXTS if text.text != HOSTILE]
    (tmp_path / "metrics.json").write_text(json.dumps(make_metrics(texts)), encoding="utf8")
    write_texts(tmp_path / "texts.jsonl", texts)
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in HISTORY), encoding="utf8")
    return tmp_path


def test_command(files):
    output = files / "report.html"
    inputs = files / "metrics.json", files / "texts.jsonl"
    code, printed = run(*inputs, output, "--title", "江戸", "--log", files / "log.jsonl")
    assert code == 0 and "7 texts, micro F1 0.333" in printed, printed
    page = output.read_text(encoding="utf8")
    assert "<h1>江戸</h1>" in page and "Learning curve" in page and len(Cards(page).cards) == 7


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("metrics.json", None, "No such file or directory: '{path}'"),
        ("metrics.json", "{", "{path} is not the metrics.json of an evaluation: "),
        ("metrics.json", '{"ents_f": 0.5}', "there is no calibration, characters, confusion"),
        ("texts.jsonl", '{"text": "東京"}\n', "{path} is not the texts.jsonl of an evaluation: "),
        ("texts.jsonl", "", "metrics and texts must be of one run"),
        ("log.jsonl", '{"step": 1}\n', "{path} is not a training-log.jsonl: "),
    ],
)
def test_command_with_a_wrong_file(files, name, content, message):
    path = files / name
    path.unlink() if content is None else path.write_text(content, encoding="utf8")
    code, printed = run(
        files / "metrics.json", files / "texts.jsonl", files / "page.html", "--log", files / "log.jsonl"
    )
    assert code == 1 and message.format(path=path) in " ".join(printed.split()), printed
    assert "Traceback" not in printed and not (files / "page.html").exists()


# The page in a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium, chromium-browser or google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--dump-dom"),
]
# Before the page's own script: whatever goes wrong from then on.
WATCH = """
window.problems = [];
window.addEventListener("error", (event) => problems.push("error: " + event.message));
window.addEventListener("unhandledrejection", (event) => problems.push("rejection: " + event.reason));
document.addEventListener("securitypolicyviolation", (event) => problems.push("policy: " + event.blockedURI));
"""
# After it: a user, who notes down what is to be seen after each step.
USER = """
const notes = {};
const pause = () => new Promise((done) => setTimeout(done, 50));
const button = (selector) => document.querySelector(selector);
function note(name) {
  const seen = [...document.querySelectorAll(".card")].filter((card) => card.offsetHeight > 0);
  notes[name] = {
    cards: seen.map((card) => Number(card.querySelector(".number").textContent)),
    pressed: [...document.querySelectorAll("[aria-pressed=true]")].map((b) => b.dataset.kind || b.dataset.label || "all"),
    address: decodeURIComponent(location.hash),
    shown: document.getElementById("shown").textContent,
    nothing: document.getElementById("none").offsetHeight > 0,
  };
}
function type(text) {
  const search = document.getElementById("q");
  search.value = text;
  search.dispatchEvent(new Event("input", { bubbles: true }));
}
(async () => {
  note("start");
  button("[data-kind=missed]").click(); note("missed");
  button("[data-kind=missed]").click(); note("missed again");
  button("[data-kind=errors]").click(); note("errors");
  button("[data-label=地名]").click(); note("errors, 地名");
  button("[data-kind=no-errors]").click(); note("no errors, 地名");
  button("#clear").click(); note("clear");
  button("[data-kind=no-errors]").click(); note("no errors");
  button("[data-kind='']").click(); type("nhk"); note("nhk");
  type("&amp;{{ 1 }}"); note("as it is");
  type("nowhere"); note("nowhere");
  type(""); note("empty");
  button("a[title='gold 施設名, found その他の組織名: 1 of 1']").click(); await pause(); note("cell");
  button("nav a[href='#labels']").click(); await pause(); note("section");
  button("#pair").click(); note("pair away");
  location.hash = "kind=spurious&q=東京"; await pause(); note("address");
  const back = new Promise((done) => addEventListener("popstate", done, { once: true }));
  history.back(); await back; await pause(); note("back");
  const result = document.createElement("pre");
  result.id = "result";
  const loads = performance.getEntriesByType("resource").map((entry) => entry.name);
  result.textContent = JSON.stringify({ notes, problems, loads, counts: [...document.querySelectorAll("[data-kind]")].map((b) => b.textContent) });
  document.body.append(result);
})();
"""


def hash_of(script):
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf8")).digest()).decode("ascii")


def browse(path, tmp_path, fragment=""):
    """The page as the browser has it in the end, as HTML."""
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri() + fragment]
    return subprocess.run(command, capture_output=True, timeout=300, check=True).stdout.decode("utf8")


@needs_browser
@pytest.mark.parametrize(
    "fragment, numbers",
    [
        ("", "1 2 3 4 5 6 7 8"),
        ("#kind=missed&label=地名", "2"),
        ("#kind=errors&q=東京", "3 4"),
        ("#label=%E4%BA%BA%E5%90%8D", "1 8"),
        ("#gold=O&found=地名", "3"),
        ("#kind=wrong-label-and-edge", "8"),
        ("#kind=none-such&label=%", ""),
    ],
)
def test_an_address_opens_a_filtered_view(page, tmp_path, fragment, numbers):
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf8")
    dom = browse(path, tmp_path, fragment)
    cards = Cards(dom).cards
    assert " ".join(card["number"] for card in cards if not card["hidden"]) == numbers
    assert [card["gold"] for card in cards] == [text.text for text in TEXTS]
    assert f"{len(numbers.split())} of 8 texts" in dom


@needs_browser
def test_clicks_and_typing_filter(page, tmp_path):
    own = re.search(r"script-src '[^']*'", html.unescape(page))[0]
    allowed = f"{own} '{hash_of(WATCH)}' '{hash_of(USER)}'"
    page = (
        html.unescape(page[: page.index("<title>")]).replace(own, allowed)
        + f"<script>{WATCH}</script>"
        + page[page.index("<title>") :]
    )
    path = tmp_path / "page.html"
    path.write_text(page.replace("</body>", f"<script>{USER}</script></body>"), encoding="utf8")
    dom = browse(path, tmp_path)
    result = json.loads(html.unescape(re.search(r'<pre id="result">(.*?)</pre>', dom, flags=re.DOTALL)[1]))
    assert result["problems"] == [] and result["loads"] == []
    assert result["counts"] == [
        "all texts8",
        "with errors5",
        "wrong label1",
        "wrong edge1",
        "wrong label and edge1",
        "missed1",
        "spurious1",
        "without errors3",
    ]
    notes = result["notes"]
    assert {name: seen["cards"] for name, seen in notes.items()} == {
        "start": [1, 2, 3, 4, 5, 6, 7, 8],
        "missed": [2],
        "missed again": [1, 2, 3, 4, 5, 6, 7, 8],
        "errors": [2, 3, 4, 5, 8],
        "errors, 地名": [2, 3],
        "no errors, 地名": [1],
        "clear": [1, 2, 3, 4, 5, 6, 7, 8],
        "no errors": [1, 6, 7],
        "nhk": [5],
        "as it is": [7],
        "nowhere": [],
        "empty": [1, 2, 3, 4, 5, 6, 7, 8],
        "cell": [4],
        "section": [4],
        "pair away": [1, 2, 3, 4, 5, 6, 7, 8],
        "address": [3],
        "back": [1, 2, 3, 4, 5, 6, 7, 8],
    }
    assert notes["errors, 地名"]["pressed"] == ["errors", "地名"] and notes["start"]["pressed"] == ["all"]
    assert notes["errors, 地名"]["address"] == "#kind=errors&label=地名"
    assert notes["errors, 地名"]["shown"] == "2 of 8 texts"
    assert [name for name, seen in notes.items() if seen["nothing"]] == ["nowhere"]


def test_the_template_is_in_the_package():
    assert TEMPLATE.name == "report.html" and TEMPLATE.parent.name == "evaluation"
