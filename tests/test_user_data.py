"""What a Doc costs on its way between processes, counted: no test here looks at a clock."""

import pickle
import subprocess
import sys

import srsly
from spacy.tokens import Doc

from spacy_luke_ja.user_data import pack_quickly, text_length

TEXT = "山田花子は東京都で日立製作所の社長に会い、訪日した独伊の首相と話した。"


def test_srsly_looks_for_its_extensions_once(make_nlp, monkeypatch):
    """catalogue goes through all entry points and all registered functions; Doc.to_bytes calls it three times."""
    doc = make_nlp()(TEXT)
    doc = Doc(doc.vocab).from_bytes(doc.to_bytes())
    looked = []
    search = type(srsly.msgpack_encoders).get_entry_points
    monkeypatch.setattr(
        type(srsly.msgpack_encoders), "get_entry_points", lambda self: (looked.append(self), search(self))[1]
    )
    for _ in range(3):
        doc = Doc(doc.vocab).from_bytes(doc.to_bytes())
    assert not {srsly.msgpack_encoders, srsly.msgpack_decoders} & set(looked)


def test_what_is_registered_later_is_used():
    """In a process of its own, for it stays registered."""
    code = """
import srsly
from spacy_luke_ja.user_data import pack_quickly
pack_quickly()
pack_quickly()
class Own:
    pass
def encode(obj, chain=None):
    return {"own": 1} if isinstance(obj, Own) else obj if chain is None else chain(obj)
def decode(obj, chain=None):
    return "own" if obj == {"own": 1} else obj if chain is None else chain(obj)
try:
    srsly.msgpack_dumps(Own())
except TypeError:
    pass
srsly.msgpack_encoders("own", func=encode)
srsly.msgpack_decoders("own", func=decode)
assert srsly.msgpack_loads(srsly.msgpack_dumps([Own()])) == ["own"]
srsly.msgpack_decoders("own", func=lambda obj, chain: "other" if obj == {"own": 1} else chain(obj))
assert srsly.msgpack_loads(srsly.msgpack_dumps([Own()])) == ["other"]
import numpy
assert srsly.msgpack_loads(srsly.msgpack_dumps(numpy.arange(3))).tolist() == [0, 1, 2]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_is_not_done_for_those_who_only_have_the_package():
    code = "import spacy, srsly; spacy.blank('en').factory_names; assert 'get_all' not in vars(srsly.msgpack_encoders)"
    subprocess.run([sys.executable, "-c", code], check=True)
    pack_quickly()


def test_lengths_of_texts(make_nlp):
    nlp = make_nlp()
    for text in ["", " ", "東京 ", " 東京", TEXT, "東京\n\n", "a b "]:
        assert text_length(nlp.make_doc(text)) == len(text)


def test_a_spawned_process_is_prepared_before_it_reads_docs(make_nlp, tmp_path):
    """It gets components as pickles, and calls no __init__."""
    (tmp_path / "component").write_bytes(pickle.dumps(make_nlp().get_pipe("luke_ner")))
    (tmp_path / "doc").write_bytes(make_nlp(spans_key="before")(TEXT).to_bytes())
    code = """
import pickle, sys
from pathlib import Path
import srsly
from spacy.tokens import Doc
component, stored = (Path(sys.argv[1], name).read_bytes() for name in ("component", "doc"))
component = pickle.loads(component)
assert "get_all" not in vars(srsly.msgpack_encoders)
def read():
    yield Doc(component.vocab).from_bytes(stored)
group = next(component.pipe(read())).spans["before"]
assert "get_all" in vars(srsly.msgpack_encoders)
print(type(group).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert done.stdout.strip() == "LastingSpanGroup", done.stderr
