"""Small corpora in the layout that scripts/pretraining reads: corpus/*.txt.xz, ner/*.jsonl.xz, linked/*.xz, qa/*.xz.

Whatever is not given has made-up sentences in it, which name people, places and companies. A sentencepiece model of it
has room for 100 pieces. And a file of questions, for toy checkpoints.
"""

import json
import lzma
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from spacy.tokens import DocBin

from spacy_luke_ja import blank, make_example
from toys import EXAMPLES, TEXTS

PLAIN = (
    "kyoto_wiki", "jawiki_gocon", "jaquad_train_contexts", "gsd_train", "wikinews", "ntrex_news", "ict_white_paper",
    "aozora_expository", "real_persona_chat", "multi_party_chat", "news_chat",
    "tanaka_sentences",
)  # fmt: skip
LINKED = ("jawiki_country_linked", "jawiki_wp2txt_linked")
PEOPLE = ("山田花子", "田中一郎", "佐藤次郎", "鈴木三郎", "高橋美咲", "伊藤健太")
PLACES = ("東京", "大阪", "京都", "札幌", "福岡", "名古屋", "横浜")
COMPANIES = ("日立製作所", "東京電力", "任天堂", "トヨタ自動車", "ソニー")
VERBS = ("で働いた", "の社長に会った", "の歴史を調べた", "へ手紙を書いた")
# What words begin with becomes a piece of a sentencepiece model only where they go on differently.
WORDS = [start + end for start in ("inter", "pro", "con", "trans", "star", "mono", "super", "auto", "data", "micro")
         for end in ("", "net", "ner", "gram", "gramme", "duct", "duce", "form", "format", "t", "test", "text")]  # fmt: skip
TITLES = [("jawiki_gocon", "", "任天堂"), ("kyoto_wiki", "RLW00001", "京都駅 (京都市)"), ("jawiki_country", "", "時間")]
# Title → a text, and what is asked of it: question → the answer, "" where the text has none.
QUESTIONS = {
    "山田花子": ("山田花子は東京へ行った。", {"誰が行きましたか。": "山田花子", "どこへ行きましたか。": "東京"}),
    "国会": ("大阪の国会に日立製作所。", {"どこの国会ですか。": "大阪", "会社はどれですか。": "日立製作所"}),
    "首相": ("訪日した独伊の首相。", {"誰ですか。": "首相", "山はどれですか。": ""}),
    "京都": ("京都と大阪は日本の都市である。", {"どこの都市ですか。": "日本"}),
}
NAMES = [("花子", "人名", "名", "ハナコ"), ("田中", "人名", "姓", "タナカ"), ("ソニー", "組織", "*", "ソニー")]


def entity_items(n: int) -> List[Dict]:
    """n sentences with entities: {"text": …, "entities": [{"name": …, "span": …, "type": PERSON …}, …]}."""
    items = []
    for i in range(n):
        parts = (
            (PEOPLE, "PERSON"),
            ("は", ""),
            (PLACES, "LOCATION"),
            ("の", ""),
            (COMPANIES, "ORGANIZATION"),
            ("の", ""),
        )
        text, entities = "", []
        for choices, label in parts:
            part = choices[i % len(choices)]
            if label:
                entities.append({"name": part, "span": [len(text), len(text) + len(part)], "type": label})
            text += part
        items.append({"text": f"{text}{WORDS[i % len(WORDS)]}{VERBS[i // 3 % len(VERBS)]}。", "entities": entities})
    return items


def squad_articles() -> List[Dict]:
    """QUESTIONS, as files in SQuAD's format have them."""
    articles = []
    for title, (context, asked) in QUESTIONS.items():
        qas = [
            {
                "id": f"{title}{n}",
                "question": question,
                "answers": [{"text": answer, "answer_start": context.index(answer)}] if answer else [],
                "is_impossible": not answer,
            }
            for n, (question, answer) in enumerate(asked.items())
        ]
        articles.append({"title": title, "paragraphs": [{"context": context, "qas": qas}]})
    return articles


def write_squad(path: Path) -> Path:
    path.write_text(json.dumps({"data": squad_articles()}, ensure_ascii=False), encoding="utf8")
    return path


def write_lines(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf8", preset=0) as file_:
        file_.writelines(line + "\n" for line in lines)


def write_corpora(
    path: Path,
    *,
    texts: Optional[Dict[str, str]] = None,
    wac: Optional[List[Dict]] = None,
    linked: Optional[Dict[str, List[Dict]]] = None,
    titles: Sequence[Sequence[str]] = TITLES,
    names: Sequence[Sequence[str]] = NAMES,
    questions: Optional[Dict[str, Dict[str, str]]] = None,
    n_sentences: int = 100,
) -> Path:
    """
    texts: source → what stands in its file. wac, linked: the lines of these files.
    questions: set → title → context.
    n_sentences: of every file that is not given.
    """
    items = entity_items(n_sentences)
    sentences = [item["text"] for item in items]
    documents = [TEXTS[i // 5 % len(TEXTS)] + "".join(sentences[i : i + 5]) + "\n" for i in range(0, n_sentences, 5)]
    for i, source in enumerate(PLAIN):
        turned = documents[i:] + documents[:i]
        write_lines(path / "corpus" / f"{source}.txt.xz", [(texts or {}).get(source, "\n".join(turned))])
    if wac is None:
        wac = [{"id": f"wiki{90000 + i // 3:08}-00-{i % 3:02}", **item} for i, item in enumerate(items)]
    gsd = [{"id": f"train-{i}", **item} for i, item in enumerate(items)]
    for name, lines in (("wac", wac), ("gsd", gsd)):
        write_lines(path / "ner" / f"{name}_train.jsonl.xz", [json.dumps(line, ensure_ascii=False) for line in lines])
    for source in LINKED:
        paragraphs = [
            {
                "article": item["entities"][0]["name"],
                "text": item["text"],
                "links": [{"span": entity["span"], "title": entity["name"]} for entity in item["entities"][1:]],
            }
            for item in items
        ]
        lines = [json.dumps(line, ensure_ascii=False) for line in (linked or {}).get(source, paragraphs)]
        write_lines(path / "linked" / f"{source}.jsonl.xz", lines)
    n_jaquad = len(documents) if "jaquad_train_contexts" not in (texts or {}) else 1
    jaquad = [("jaquad_train", "", f"第{i}記事") for i in range(n_jaquad)]
    write_lines(path / "linked" / "titles.tsv.xz", ["\t".join(title) for title in [*titles, *jaquad]])
    for name in ("jaquad_train", "jaquad_dev", "jsquad_valid-v1.3"):
        articles = [
            {"title": title, "paragraphs": [{"context": context, "qas": []}]}
            for title, context in (questions or {}).get(name, {}).items()
        ]
        write_lines(path / "qa" / f"{name}.json.xz", [json.dumps({"data": articles}, ensure_ascii=False)])
    write_lines(path / "linked" / "ipadic_names.tsv.xz", ["\t".join(name) for name in names])
    return path


def write_entities(path: Path) -> Path:
    """toys.EXAMPLES, for spacy-luke-ja.EntityCorpus.v1."""
    records = [{"text": text, "entities": spans} for text, spans in EXAMPLES]
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf8")
    return path


def write_docs(path: Path) -> Path:
    """toys.EXAMPLES, for spacy.Corpus.v1."""
    nlp = blank()
    DocBin(docs=[make_example(nlp, text, spans).reference for text, spans in EXAMPLES]).to_disk(path)
    return path


def write_classified(path: Path) -> Path:
    """Two texts with a label each, for spacy-luke-ja.TextcatCorpus.v1."""
    path.write_text('{"text": "山田花子。", "label": "人"}\n{"text": "東京都。", "label": "地"}', encoding="utf8")
    return path


def write_typed(path: Path) -> Path:
    """The entities of toys.EXAMPLES as mentions with types, for spacy-luke-ja.TypingCorpus.v1."""
    records = [
        {"text": text, "spans": [{"start": a, "end": b, "types": [label, "名"]} for a, b, label in spans]}
        for text, spans in EXAMPLES
    ]
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf8")
    return path


def write_linked(path: Path) -> Path:
    """The entities of toys.EXAMPLES as mentions with titles, for spacy-luke-ja.LinkingCorpus.v1."""
    records = [
        {"text": text, "links": [{"span": [a, b], "title": f"{text[a:b]} ({label})"} for a, b, label in spans]}
        for text, spans in EXAMPLES
    ]
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf8")
    return path


def write_related(path: Path) -> Path:
    """The entities of toys.EXAMPLES, the first in a relation with the last, for spacy-luke-ja.RelationsCorpus.v1."""
    records = [
        {
            "text": text,
            "entities": [{"start": a, "end": b, "label": label} for a, b, label in spans],
            "relations": [{"head": 0, "tail": len(spans) - 1, "label": "関係"}] if len(spans) > 1 else [],
        }
        for text, spans in EXAMPLES
    ]
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf8")
    return path
