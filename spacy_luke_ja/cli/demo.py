"""A text or the sample sentences in; a table of entities, answers to questions and a displaCy page out."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Tuple

from typer import Argument, Exit, Option

from . import app
from .tables import pad

if TYPE_CHECKING:
    from spacy.language import Language
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

# Which sample is asked, and what.
ANSWERER = "ja_luke_qa_sm"
SAMPLE_QUESTIONS = [(0, "夏目漱石が入社した会社はどこですか。"), (1, "損傷したのはどこの連絡橋ですか。")]


@app.command("demo")
def demo(
    text: Optional[str] = Argument(None, help="The text to look at; the sample sentences when there is none"),
    output: Path = Option(Path("luke_ner_demo.html"), "--output", "-o", help="Where to write the displaCy page"),
    model: str = Option(
        "ja_luke_ner_sm", "--model", "-m", help="A checkpoint (embedded, a directory, or on the hub) or a pipeline"
    ),
    question: Optional[str] = Option(
        None, "--question", "-q", help="What to ask of the text; the sample sentences come with questions"
    ),
    label_map: str = Option(
        "", "--label-map", help="Show other labels: ontonotes, ene, irex, conll, presidio, stockmark"
    ),
    split_mode: Optional[str] = Option(
        None, "--split-mode", help="Sudachi's units: A (short, the default), B or C (long); a pipeline has its own"
    ),
) -> None:
    """Find the entities of a Japanese text, answer questions about it, and draw the entities on a page."""
    from spacy import displacy

    from ..evaluation.pipelines import load_pipeline
    from ..label_maps import get_label_map, rename_entities
    from ..training.directories import replace_file
    from ..training.outputs import CHARSET, GENERATOR, file_for

    try:
        file_for(output, "page", inputs=(model,), needs_parent=True)
        renamed = get_label_map(label_map, setting="--label-map") if label_map else {}
        nlp = load_pipeline(model, split_mode=split_mode)
        docs = list(nlp.pipe(SAMPLES if text is None else [text]))
        for doc in docs:
            print_entities(doc, renamed)
            rename_entities(doc, renamed)
        if question is not None or text is None:
            asked = [(i, question) for i in range(len(docs))] if question is not None else SAMPLE_QUESTIONS
            print_answers([(docs[i], own) for i, own in asked], nlp)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r"\[W006\]")  # a text without entities is drawn as it is
            page = displacy.render(docs, style="ent", page=True, jupyter=False)
        marked = page.replace("<head>", f"<head>\n        {CHARSET}\n        {GENERATOR}", 1)
        replace_file(output, lambda path: path.write_text(marked, encoding="utf8"))
    except (OSError, ValueError, ImportError) as error:  # one line instead of a traceback
        print(" ".join(str(error).split()))
        raise Exit(1) from None
    n_ents = sum(len(doc.ents) for doc in docs)
    precisions = [component.precision for _, component in nlp.pipeline if hasattr(component, "precision")]
    print(f"{n_ents} entities in {len(docs)} texts, found by {model}{' in ' + precisions[0] if precisions else ''}")
    print(f"a page with their colours: {output}")


def print_answers(pairs: Sequence[Tuple["Doc", str]], nlp: "Language") -> None:
    """Ask by the pipeline's luke_qa, or else by the embedded one."""
    from ..evaluation.pipelines import load_pipeline

    names = [name for name in nlp.pipe_names if nlp.get_pipe_meta(name).factory == "luke_qa"]
    answerer: Any = nlp.get_pipe(names[0]) if names else load_pipeline(ANSWERER, factory="luke_qa").get_pipe("luke_qa")
    for (_, question), answer in zip(pairs, answerer.ask_many(pairs)):
        place = f"{answer.char_start}–{answer.char_end}"
        print(question)
        print(f"    {'':14} {place:>9}  {answer.score:.2f}  {answer.text}" if answer else "    no answer")
    print()


def print_entities(doc: "Doc", label_map: Mapping[str, str] = {}) -> None:
    print(doc.text if doc.ents else f"{doc.text}\n    no entities")
    for ent in doc.ents:
        score = ent._.luke_score if ent.has_extension("luke_score") else None
        shown = "    " if score is None else f"{score:.2f}"
        label = label_map.get(ent.label_, ent.label_)
        print(f"    {pad(label, 14)} {f'{ent.start_char}–{ent.end_char}':>9}  {shown}  {ent.text}")
    print()
