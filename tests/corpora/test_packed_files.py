"""Every reader of the corpora takes files packed with gzip, zstd, bzip2 or xz, whatever they are called."""

import bz2
import gzip
import json
import lzma
import sys

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab

import spacy_luke_ja
from spacy_luke_ja import set_gold_answers
from spacy_luke_ja.corpora.files import ending_of, pack_for, packing_of, read_bytes

zstandard = pytest.importorskip("zstandard")

TEXT = "山田は東京へ"
PACK = {
    "gzip": (".gz", gzip.compress),
    "zstd": (".zst", lambda content: zstandard.ZstdCompressor().compress(content)),
    "bzip2": (".bz2", bz2.compress),
    "xz": (".xz", lzma.compress),
}
MENTIONS = [{"start": 0, "end": 2, "label": "人名"}, {"start": 3, "end": 5, "label": "地名"}]
ANSWERS = {"text": ["東京"], "answer_start": [3]}
RECORDS = {
    "EntityCorpus": {"text": TEXT, "entities": [[0, 2, "人名"]]},
    "TextcatCorpus": {"text": TEXT, "label": "移動"},
    "SpansCorpus": {"text": TEXT, "spans": MENTIONS},
    "TypingCorpus": {"text": TEXT, "spans": [{"start": 0, "end": 2, "types": ["人"]}]},
    "LinkingCorpus": {"text": TEXT, "links": [{"span": [3, 5], "title": "東京都"}]},
    "RelationsCorpus": {"text": TEXT, "entities": MENTIONS, "relations": [{"head": 0, "tail": 1, "label": "行先"}]},
    "SquadCorpus": {"context": TEXT, "question": "どこへ", "answers": ANSWERS},
}


def read(path, reader):
    create = spacy.registry.readers.get(f"spacy-luke-ja.{reader}.v1")
    return list(create(path)(spacy_luke_ja.blank()))


def docbin():
    doc = Doc(Vocab(), list(TEXT), spaces=[False] * len(TEXT))
    doc.set_ents([doc.char_span(0, 2, "人名")])
    doc.cats = {"移動": 1.0}
    set_gold_answers(doc, "どこへ", [(3, 5)])
    return DocBin(docs=[doc], store_user_data=True).to_bytes()


def contents(reader):
    record = json.dumps(RECORDS[reader], ensure_ascii=False).encode()
    own = {".jsonl": record + b"\n", ".json": b"[\n" + record + b"\n]\n"}
    return {**own, ".spacy": docbin()} if reader in ("EntityCorpus", "TextcatCorpus", "SquadCorpus") else own


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("reader", RECORDS)
def test_each_reader_unpacks_by_the_content(tmp_path, reader, packing):
    packed, pack = PACK[packing]
    for ending, content in contents(reader).items():
        for name in (f"a{ending}{packed}", f"A{ending}{packed}".upper(), f"b{ending}"):
            (tmp_path / name).write_bytes(pack(content))
            assert [example.text for example in read(tmp_path / name, reader)] == [TEXT], name
            (tmp_path / name).write_bytes(content)
            assert [example.text for example in read(tmp_path / name, reader)] == [TEXT], name
            (tmp_path / name).write_bytes(pack(content)[:-9])
            with pytest.raises(ValueError, match=f"{name} is packed with {packing}, and damaged"):
                read(tmp_path / name, reader)


@pytest.mark.parametrize("reader", RECORDS)
def test_without_zstandard_the_package_is_named(tmp_path, monkeypatch, reader):
    (tmp_path / "a.jsonl").write_bytes(PACK["zstd"][1](contents(reader)[".jsonl"]))
    for module in [module for module in sys.modules if module.partition(".")[0] == "zstandard"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=r'package zstandard: pip install "spacy_luke_ja\[annotate\]"'):
        read(tmp_path / "a.jsonl", reader)


@pytest.mark.parametrize("reader", [reader for reader in RECORDS if reader != "SquadCorpus"])  # that is one value
def test_bad_utf_8_in_an_array_is_skipped_alone(tmp_path, reader):
    record = json.dumps(RECORDS[reader], ensure_ascii=False).encode()
    (tmp_path / "a.json").write_bytes(
        b"[\n" + record + b",\n" + record.replace(b"\xe5", b"\xff") + b",\n" + record + b"]"
    )
    create = spacy.registry.readers.get(f"spacy-luke-ja.{reader}.v1")
    with pytest.warns(UserWarning, match="line 3: this is not UTF-8: the byte 0xff"):
        assert len(list(create(tmp_path / "a.json", on_bad_record="skip")(spacy_luke_ja.blank()))) == 2


@pytest.mark.parametrize("content", [b"", b"x", TEXT.encode() * 9])
@pytest.mark.parametrize("packing", ["", *PACK])
def test_what_was_packed_comes_back(tmp_path, packing, content):
    path = tmp_path / ("a.txt" + PACK.get(packing, ("",))[0])
    packed = pack_for(path, content)
    path.write_bytes(packed)
    assert (packing_of(packed[:10]), read_bytes(path), ending_of(path)) == (packing, content, ".txt")
    assert pack_for(path, content) == packed


@pytest.mark.parametrize("start", [b"BZh", b"BZh9 B-x", b"", b"{", b"\x1f", b"\xfd7zXZ"])
def test_other_files_are_not_packed(start):
    assert packing_of(start) == ""
