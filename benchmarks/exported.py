"""How an exported ja_luke_ner_sm differs from the pipeline: subwords of texts in other writings, and F1.

python benchmarks/exported.py NER_JSON EXPORTED
"""

import argparse
import random
import unicodedata
from pathlib import Path
from typing import Any, Callable, Dict, List, Set, Tuple

import spacy_luke_ja
from spacy_luke_ja.corpora.stockmark import read_stockmark, split_records

KANA = {unicodedata.normalize("NFKC", chr(i)): chr(i) for i in range(0xFF61, 0xFFA0)} | {"\u3099": "ﾞ", "\u309a": "ﾟ"}
N_HOSTILE = 20_000
Entities = Set[Tuple[int, int, str]]


def half_width(text: str) -> str:
    return "".join(KANA.get(char, char) for char in unicodedata.normalize("NFD", text))


def full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


FORMS: Dict[str, Callable[[str], str]] = {
    "as they are": str,
    "half width": half_width,
    "full width": full_width,
    "NFD": lambda text: unicodedata.normalize("NFD", text),
    "NFKD": lambda text: unicodedata.normalize("NFKD", text),
}


def hostile_texts(seed: int) -> List[str]:
    """Up to 25 characters each: many scripts, marks, controls, emoji, and what special subwords are made of."""
    choose = random.Random(seed)
    pool = [chr(i) for i in range(1, 0x3000, 3)] + [chr(i) for i in range(0x3000, 0x3100)] * 10
    pool += [chr(i) for i in range(0xFF00, 0xFFF0)] * 10 + list("東京都知事山田株式会社 \n\t<>s/ab1") * 60
    pool += [chr(i) for i in range(0x4E00, 0x9FFF, 7)] + [chr(i) for i in range(0x1F300, 0x1F700)]
    return ["".join(choose.choices(pool, k=choose.randint(1, 25))) for _ in range(N_HOSTILE)]


def print_scores(name: str, gold: List[Entities], found: List[Entities]) -> None:
    n_right = sum(len(ours & theirs) for ours, theirs in zip(gold, found))
    p, r = n_right / max(1, sum(map(len, found))), n_right / sum(map(len, gold))
    print(f"{name}: P {p:.3f}, R {r:.3f}, F1 {2 * p * r / (p + r):.3f}")


def main(ner_json: Path, exported: Path) -> None:
    import sentencepiece
    import transformers

    records = read_stockmark(ner_json)
    nlp = spacy_luke_ja.blank()
    luke_ner: Any = nlp.add_pipe("luke_ner")
    encoder = luke_ner.subword_encoder
    ner: Any = transformers.pipeline("token-classification", model=str(exported), aggregation_strategy="simple")
    print(f"transformers {transformers.__version__}, sentencepiece {sentencepiece.__version__}")
    texts = {name: [form(record.text) for record in records] for name, form in FORMS.items()}
    for name, own in {**texts, "hostile": hostile_texts(0)}.items():
        ids = ner.tokenizer(own, add_special_tokens=False)["input_ids"]
        differ = sum(encoder.encode(text).ids.tolist() != theirs for text, theirs in zip(own, ids))
        print(f"subwords differ, {name}: {differ} of {len(own)} texts")
    test = split_records(records)["test"]
    gold = [set(record.entities) for record in test]
    docs = nlp.pipe([record.text for record in test])
    print_scores("luke_ner", gold, [{(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents} for doc in docs])
    found = [ner(record.text) for record in test]
    print_scores("transformers", gold, [{(e["start"], e["end"], e["entity_group"]) for e in own} for own in found])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ner_json", type=Path)
    parser.add_argument("exported", type=Path)
    arguments = parser.parse_args()
    main(arguments.ner_json, arguments.exported)
