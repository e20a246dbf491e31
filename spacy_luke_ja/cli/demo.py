"""A text or the sample sentences in; a table of entities and a displaCy page out."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional

from typer import Argument, Exit, Option

from . import app
from .tables import pad

if TYPE_CHECKING:
    from spacy.tokens import Doc

# An encyclopedia, news, half width, an entity inside a token (訪日), an emoji, a business mail.
SAMPLES = [
    "夏目漱石は東京帝国大学で英文学を教え、のちに朝日新聞社に入社して『こころ』を発表した。",
    "国土交通省は、台風21号で損傷した関西国際空港の連絡橋を来春までに復旧させると発表した。",
    "ﾄﾖﾀ自動車は２０２０年東京オリンピックのスポンサーだった。",
    "首相は訪日したフランスのマクロン大統領と会談した。",
    "任天堂のNintendo Switchは、NHKの番組でも紹介された😊。",
    "お世話になっております。株式会社日立製作所の山田花子です。来週の横浜での打ち合わせには、弊社の佐藤一郎も伺います。",
]


@app.command("demo")
def demo(
    text: Optional[str] = Argument(None, help="The text to look at; the sample sentences when there is none"),
    output: Path = Option(Path("luke_ner_demo.html"), "--output", "-o", help="Where to write the displaCy page"),
    model: str = Option("ja_luke_ner_sm", "--model", "-m", help="Checkpoint: embedded, a directory, or on the hub"),
    split_mode: str = Option("A", "--split-mode", help="Sudachi's units: A (short), B or C (long)"),
) -> None:
    """Find the entities of a Japanese text, print them, and draw them on a page."""
    from spacy import displacy

    import spacy_luke_ja

    nlp = spacy_luke_ja.blank(split_mode=split_mode)
    component: Any = nlp.add_pipe("luke_ner", config={"model": {"name": model}})
    try:
        docs = list(nlp.pipe([text] if text else SAMPLES))
    except (OSError, ValueError) as error:  # what is wrong with the checkpoint, in one line instead of a traceback
        print(error)
        raise Exit(1) from None
    for doc in docs:
        print_entities(doc)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\[W006\]")  # a text without entities is drawn as it is
        output.write_text(displacy.render(docs, style="ent", page=True, jupyter=False), encoding="utf8")
    n_ents = sum(len(doc.ents) for doc in docs)
    print(f"{n_ents} entities in {len(docs)} texts, found by {model} in {component.precision}")
    print(f"a page with their colours: {output}")


def print_entities(doc: "Doc") -> None:
    print(doc.text if doc.ents else f"{doc.text}\n    no entities")
    rows: List[List[str]] = [
        [ent.label_, f"{ent.start_char}–{ent.end_char}", f"{ent._.luke_score:.2f}", ent.text] for ent in doc.ents
    ]
    for label, chars, score, text in rows:
        print(f"    {pad(label, 14)} {chars:>9}  {score}  {text}")
    print()
