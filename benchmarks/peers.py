"""What luke_ner and its peers return or raise on telling texts, with the same tiny checkpoints, as a table.

    make peers

The checkpoints are the lexicon ones of tests/toys.py, a LUKE with BIO tags and an XLM-R without prefixes, in the
file layout of the published models: which entities a text has can be read off it. The peers are
transformers' pipeline("token-classification", aggregation_strategy="simple") and spacy-huggingface-pipelines, as it
comes (aggregation "average") and with "simple".
"""

import io
import logging
import sys
import tempfile
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import spacy  # noqa: E402
import transformers  # noqa: E402

import spacy_luke_ja  # noqa: E402
import toys  # noqa: E402

# text → the entities that the lexicon gives it, as (characters, label)
LONG = "カタカナのテキスト。" * 300
TEXTS: Dict[str, Tuple[str, List[Tuple[str, str]]]] = {
    "plain": ("山田花子は東京都へ", [("山田花子", "人名"), ("東京都", "地名")]),
    "entity inside a token": ("訪日した", [("日", "地名")]),
    "prefix-less ORG-P": ("国会で", [("国会", "政治的組織名")]),
    "squared form": ("㈱日立製作所", [("日立製作所", "法人名")]),
    "wide and leading spaces": ("　東京 と　大阪", [("東京", "地名"), ("大阪", "地名")]),
    "NFD before": ("か\u3099き\u3099の大阪", [("大阪", "地名")]),
    "emoji with joiners": ("👨‍👩‍👧‍👦と東京", [("東京", "地名")]),
    "literal <s> and <mask>": ("<s>東京<mask>", [("東京", "地名")]),
    "3,000 characters before": (LONG + "東京", [("東京", "地名")]),
    "nothing": ("", []),
}
SHORT = {"地名": "LOC", "人名": "PER", "法人名": "ORG", "政治的組織名": "ORG-P"}

Found = List[Tuple[str, str]]


def luke_ner(path: Path) -> Callable[[str], Found]:
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner", config={"model": {"name": str(path), "overlap": 16}})
    return lambda text: [(ent.text, ent.label_) for ent in nlp(text).ents]


def hf_pipeline(path: Path) -> Callable[[str], Found]:
    pipe = transformers.pipeline("token-classification", model=str(path), aggregation_strategy="simple")

    def find(text: str) -> Found:
        entities: List[Dict[str, Any]] = pipe(text)
        if any(e["start"] is None for e in entities):
            raise ValueError(f"{len(entities)} entities, all with start = end = None")
        return [(text[e["start"] : e["end"]], e["entity_group"]) for e in entities]

    return find


def spacy_huggingface_pipelines(path: Path, aggregation_strategy: str = "average") -> Callable[[str], Found]:
    nlp = spacy.blank("ja")
    nlp.add_pipe("hf_token_pipe", config={"model": str(path), "aggregation_strategy": aggregation_strategy})
    return lambda text: [(ent.text, ent.label_) for ent in nlp(text).ents]


PEERS = {
    "luke_ner": luke_ner,
    "HF pipeline": hf_pipeline,
    "spacy-huggingface-pipelines": spacy_huggingface_pipelines,
    "the same, aggregation simple": lambda path: spacy_huggingface_pipelines(path, "simple"),
}


def outcome(run: Callable[[], Found], expected: Found) -> str:
    """One table cell: "right", what was returned instead, or what was raised."""
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            found = run()
    except Exception as error:
        return f"{type(error).__name__}: {first_line(error)}"
    # The peers keep the checkpoint's own label names: those are right too.
    renamed = {short: label for label, short in SHORT.items()}
    if [(text, renamed.get(label, label)) for text, label in found] == expected:
        return "right"
    return ", ".join(f"{show(text)} {label}" for text, label in found) or "no entity"


def first_line(error: Any) -> str:
    line = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return line if len(line) <= 50 else line[:47] + "…"


def show(text: str) -> str:
    return "“" + (text if len(text) <= 20 else text[:8] + f"…({len(text)} characters)") + "”"


def main() -> None:
    logging.disable(logging.ERROR)
    print(f"transformers {transformers.__version__}, spaCy {spacy.__version__}\n")
    with tempfile.TemporaryDirectory() as directory:
        short = {piece: SHORT[tag[2:]] for piece, tag in toys.LEXICON.items()}
        checkpoints = {
            "LUKE": toys.write_luke(Path(directory) / "luke", lexicon=toys.LEXICON),
            "XLM-R": toys.write_xlmr(Path(directory) / "xlmr", lexicon=short),
        }
        for name, path in checkpoints.items():
            print(f"**{name}**\n\n| text | {' | '.join(PEERS)} |\n|---|{'---|' * len(PEERS)}")
            rows: Dict[str, List[str]] = {title: [] for title in TEXTS}
            for make in PEERS.values():
                try:
                    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                        find = make(path)
                except Exception as error:
                    for cells in rows.values():
                        cells.append(f"cannot load: {type(error).__name__}: {first_line(error)}")
                    continue
                for title, (text, expected) in TEXTS.items():
                    rows[title].append(outcome(lambda find=find, text=text: find(text), expected))  # type: ignore[misc]
            for title, cells in rows.items():
                print(f"| {title} | {' | '.join(cells)} |")
            print()


if __name__ == "__main__":
    main()
