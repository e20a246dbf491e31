"""Patterns of everyday texts: what is filled in is annotated on exact characters, and nothing else is."""

import json
import random
from pathlib import Path

import pytest

pytest.importorskip("japanese_personal_name_dataset")

from scripts.pretraining.names import SLOT_LABELS, Names, read_jmnedict  # noqa: E402
from scripts.pretraining.patterns import SLOT, Patterns, read_patterns, with_broken_name, with_markup, with_run  # noqa: E402
from spacy_luke_ja import CharSpan  # noqa: E402
from spacy_luke_ja.corpora.records import Record  # noqa: E402
from spacy_luke_ja.stockmark_labels import LABELS  # noqa: E402

DATA = Path(__file__).parents[2] / "data" / "patterns"


@pytest.fixture(scope="module")
def names():
    return Names(DATA / "names", mentions={"地名": ["訪", "大和郡山"]})


def fill(names, pattern, seed=0):
    record = Patterns([], names).fill(pattern, random.Random(seed))
    return record.text, [(record.text[s.char_start : s.char_end], s.label) for s in record.char_spans]


@pytest.mark.parametrize(
    "pattern, text, entities",
    [
        ("何もない", "何もない", []),
        ("{製品名=TOEIC}900点", "TOEIC900点", [("TOEIC", "製品名")]),
        ("A{地名=米}{人名=T.K.}", "A米T.K.", [("米", "地名"), ("T.K.", "人名")]),
    ],
)
def test_a_literal_name(names, pattern, text, entities):
    assert fill(names, pattern) == (text, entities)


def test_another_name_of_the_label_in_place_of_a_literal_one(names):
    patterns = Patterns([], names, swap_share=1.0)
    for seed in range(20):
        record = patterns.fill("{人名=佐藤 花子}さんは{地名=米}へ", random.Random(seed))
        assert [span.label for span in record.char_spans] == ["人名", "地名"]
        assert record.text[: record.char_spans[0].char_end] != "佐藤 花子" and "さんは" in record.text


@pytest.mark.parametrize("slot", sorted({*SLOT_LABELS, "姓", "名", "姓名", "姓 名", "会社"}))
def test_every_slot_is_filled_with_names_of_its_label(names, slot):
    for seed in range(20):
        text, entities = fill(names, f"「{{{slot}}}」", seed)
        assert text[0] == "「" and text[-1] == "」" and entities
        assert all(name == name.strip() and name in text for name, _ in entities)
        assert {label for _, label in entities} <= set(LABELS)
        if slot in SLOT_LABELS and slot not in ("支店", "店", "団体"):
            assert [label for _, label in entities] == [SLOT_LABELS[slot]]


def test_a_reading_is_no_name(names):
    text, entities = fill(names, "{姓名}（{よみ}）")
    (name, label), reading = entities[0], text.partition("（")[2]
    assert len(entities) == 1 and label == "人名" and text.startswith(name) and reading.endswith("）")


def test_an_unknown_slot_is_named(names):
    with pytest.raises(ValueError, match="{馬}.*姓名"):
        Patterns(["{馬}が走る"], names)


def test_all_patterns_of_the_project_can_be_filled(names):
    slots, empty = read_patterns(DATA, empty=False), read_patterns(DATA, slots=False)
    assert len(slots) >= 2000 and len(empty) >= 600
    assert all(SLOT.search(text) for text in slots) and not any("{" in text for text in empty)
    records = Patterns(slots + empty, names).draw(400, random.Random(0))
    assert all(0 <= s.char_start < s.char_end <= len(r.text) for r in records for s in r.char_spans)


RECORD = Record("佐藤と横浜へ", (CharSpan(0, 2, "人名"), CharSpan(3, 5, "地名")))


@pytest.mark.parametrize("change", [with_markup, with_run])
def test_noise_leaves_the_names(change):
    for seed in range(50):
        changed = change(RECORD, random.Random(seed))
        assert [changed.text[s.char_start : s.char_end] for s in changed.char_spans] == ["佐藤", "横浜"]


def test_a_broken_name_goes_on_in_the_next_line():
    seen = set()
    for seed in range(20):
        changed = with_broken_name(RECORD, random.Random(seed))
        seen.add(tuple(changed.text[s.char_start : s.char_end] for s in changed.char_spans))
        assert changed.text.replace("\n", "") == RECORD.text
    assert seen == {("佐\n藤", "横浜"), ("佐藤", "横\n浜")}


def test_jmnedict_names_are_read_by_type(tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "jamdict.db") as database:
        database.executescript("""
            CREATE TABLE NEKanji (ID INTEGER, idseq INTEGER, text TEXT);
            CREATE TABLE NEKana (ID INTEGER, idseq INTEGER, text TEXT);
            CREATE TABLE NETranslation (ID INTEGER, idseq INTEGER);
            CREATE TABLE NETransType (tid INTEGER, text TEXT);
            INSERT INTO NEKanji VALUES (1, 1, 'ＩＫＥＡ');
            INSERT INTO NEKana VALUES (1, 1, 'イケア'), (2, 2, 'コメダ');
            INSERT INTO NETranslation VALUES (1, 1), (2, 2);
            INSERT INTO NETransType VALUES (1, 'company'), (2, 'company');
        """)
    assert read_jmnedict(tmp_path / "jamdict.db")["会社名"] == ["IKEA", "コメダ"]


def test_lists_have_names_and_weights():
    for path in sorted((DATA / "names").glob("*.tsv")):
        rows = [line.split("\t") for line in path.read_text(encoding="utf8").splitlines()]
        assert all(len(row) == 2 and row[0] == row[0].strip() and float(row[1]) > 0 for row in rows), path.name
        assert len({row[0] for row in rows}) == len(rows), path.name


def test_patterns_are_json_with_a_kind():
    for path in DATA.glob("*.jsonl"):
        for line in path.read_text(encoding="utf8").splitlines():
            assert set(json.loads(line)) == {"kind", "text"}
