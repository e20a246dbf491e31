"""Extension attributes: ours begin with luke_, and what others registered under any name stays theirs."""

import json
import subprocess
import sys

import pytest

# All components, without their entry points.
IMPORT_ALL = """
import importlib, pkgutil, spacy_luke_ja.pipeline as pipeline
for module in pkgutil.iter_modules(pipeline.__path__, "spacy_luke_ja.pipeline."):
    importlib.import_module(module.name)
"""


def run(code, *flags):
    done = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def ours():
    """{"Doc": names, "Span": names}, as they are registered."""
    code = (
        "import json; from spacy.tokens.underscore import Underscore as U;"
        f"before = [set(x) for x in U.get_state()]\n{IMPORT_ALL}\n"
        "print(json.dumps([sorted(set(x) - y) for x, y in zip(U.get_state(), before)]))"
    )
    tokens, spans, docs = json.loads(run(code).stdout)
    assert not tokens
    return {"Doc": docs, "Span": spans}


def test_all_that_is_registered_begins_with_luke(ours):
    names = [name for of_kind in ours.values() for name in of_kind]
    assert {"luke_score", "luke_entities", "luke_questions"} <= set(names)
    assert [name for name in names if not name.startswith("luke_")] == []


def test_others_keep_theirs(ours):
    theirs = {**ours, "Doc": [*ours["Doc"], "questions"]}
    code = f"""
import spacy
from spacy.tokens import Doc, Span
theirs = {theirs}
kinds = {{"Doc": Doc, "Span": Span}}
for kind, names in theirs.items():
    for name in names:
        kinds[kind].set_extension(name, default="mine")
nlp = spacy.blank("ja")
nlp.add_pipe("luke_ner")
{IMPORT_ALL}
doc = nlp("山田太郎は日本の政治家。")
for kind, names in theirs.items():
    for name in names:
        thing = {{"Doc": doc, "Span": doc.ents[0]}}[kind]
        assert thing._.get(name) == "mine", name
        thing._.set(name, "new")
        assert thing._.get(name) == "new", name
from spacy_luke_ja.pipeline.ner_doc import get_luke_score, get_luke_entities
assert get_luke_score(doc.ents[0]) == get_luke_entities(doc)[0].score > 0
"""
    warned = run(code).stderr
    assert warned.count("was registered by others and stays theirs") == sum(map(len, ours.values()))


def test_a_second_registration_of_ours_says_nothing():
    code = (
        "from spacy_luke_ja.pipeline import ner_doc, qa_doc; ner_doc.register_extensions();"
        "qa_doc.register_extensions(); import importlib; importlib.reload(ner_doc); importlib.reload(qa_doc)"
    )
    assert run(code, "-W", "error::UserWarning:spacy_luke_ja").stderr == ""
