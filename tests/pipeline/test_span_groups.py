"""The groups of spans that luke_ner and luke_qa write by default, and what others do to the tokens below them."""

import itertools
import pickle
import subprocess
import sys
import threading

import pytest
import srsly
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy import displacy
from spacy.scorer import Scorer
from spacy.tokens import Doc, DocBin, Span, SpanGroup
from spacy.training import Example

import spacy_luke_ja
from spacy_luke_ja.pipeline import span_groups
from spacy_luke_ja.pipeline.span_groups import LastingSpanGroup
from spacy_luke_ja.token_splitting import split_tokens

TEXT = "山田花子は東京都で日立製作所の社長に会い、訪日した独伊の首相と話した。"
WHO, WHERE = "誰が会いましたか。", "どこですか。"


def retokenize(doc, merge=(), split=()):
    """merge: texts, each to be one token; split: (text, how many characters its first part has)."""
    with doc.retokenize() as retokenizer:
        for text in merge:
            start = doc.text.index(text)
            retokenizer.merge(doc.char_span(start, start + len(text)))
        for text, n in split:
            token = next(token for token in doc if token.text == text)
            retokenizer.split(token, [text[:n], text[n:]], [token, token])


def nothing(doc):
    pass


def merge_entities(doc):
    with doc.retokenize() as retokenizer:
        for ent in doc.ents:
            retokenizer.merge(ent)


def merge_in_front(doc):
    retokenize(doc, merge=["花子は"])


def merge_across_edges(doc):
    retokenize(doc, merge=["花子は", "都で", "作所の"] if doc.char_span(12, 15) else ["花子は", "都で"])


def merge_all(doc):
    retokenize(doc, merge=[doc.text])


def split_inside(doc):
    retokenize(doc, split=[("山田", 1)])


def merge_and_split(doc):
    """As many tokens as before, other ones."""
    n = len(doc)
    retokenize(doc, merge=["花子は"])
    retokenize(doc, split=[("社長", 1)])
    assert len(doc) == n


def split_as_ours(doc):
    split_tokens(doc, [1, len("山田花子は東京都で日立製作所の社")])


CHANGES = [
    nothing, merge_entities, merge_in_front, merge_across_edges, merge_all, split_inside, merge_and_split, split_as_ours,
]  # fmt: skip


def from_bin(doc, store):
    (copy,) = DocBin().from_bytes(DocBin(docs=[doc], store_user_data=store).to_bytes()).get_docs(doc.vocab)
    return copy


WAYS = {
    "itself": lambda doc: doc,
    "bytes": lambda doc: Doc(doc.vocab).from_bytes(doc.to_bytes()),
    "copy": lambda doc: doc.copy(),
    "pickle": lambda doc: pickle.loads(pickle.dumps(doc)),
    "DocBin": lambda doc: from_bin(doc, False),
    "DocBin with user data": lambda doc: from_bin(doc, True),
}


@pytest.fixture(params=["luke_ner", "luke_qa"])
def make(request, make_nlp, answerers):
    def make(**config):
        if request.param == "luke_ner":
            return make_nlp(**config)
        nlp = spacy_luke_ja.blank()
        model = {"name": str(answerers["luke"]), "overlap": 8}
        settings = {"questions": [WHO, WHERE], "alignment_mode": "split", **config}
        nlp.add_pipe("luke_qa", config={"model": model, **settings})
        return nlp

    make.name = request.param
    return make


def rows(group):
    """Each span as characters and label, with what attrs say of it, in the order of the group."""
    others = [group.attrs[key] for key in ("scores", "questions") if key in group.attrs]
    assert all(len(values) == len(group) for values in others)
    spans = list(group)
    assert spans == [group[i] for i in range(len(group))]
    for span in spans:
        assert span.text == span.doc.text[span.start_char : span.end_char]
    return list(zip([(span.start_char, span.end_char, span.label_) for span in spans], *others))


def on_tokens(doc, before):
    return [row for row in before if doc.char_span(*row[0]) is not None]


@pytest.mark.parametrize("change", CHANGES)
def test_spans_keep_their_characters_and_scores(make, change):
    """Merged after all ways to carry a Doc, carried on in all ways, and merged again."""
    original = make()(TEXT)
    before = rows(original.spans[make.name])
    assert before
    for first in WAYS.values():
        for way in WAYS.values():
            doc = first(original.copy())
            change(doc)
            copy = way(doc)
            assert rows(copy.spans[make.name]) == on_tokens(doc, before)
            if copy.char_span(2, 5):
                merge_in_front(copy)
            assert rows(copy.spans[make.name]) == on_tokens(copy, before)
            copy.to_bytes()


@pytest.mark.parametrize("change", CHANGES)
def test_what_spacy_makes_anew(make, change):
    doc = make()(TEXT)
    change(doc)
    expected = [row[0] for row in rows(doc.spans[make.name])]
    read = lambda group: [(span.start_char, span.end_char, span.label_) for span in group]
    from_json = Doc(doc.vocab).from_json(doc.to_json())
    assert read(from_json.spans[make.name]) == expected
    joined = Doc.from_docs([doc, doc], ensure_whitespace=False, exclude=["user_data"])
    shifted = [(start + len(TEXT), end + len(TEXT), label) for start, end, label in expected]
    assert read(joined.spans[make.name]) == expected + shifted
    assert doc[:].as_doc().text == TEXT
    assert read(SpanGroup(doc, spans=list(doc.spans[make.name]))) == expected
    plain = SpanGroup(doc)
    plain += doc.spans[make.name]
    assert read(plain) == expected


# What reads a group without the others, as the first thing after tokens were merged; EXPECTED of the two places that
# are left when 山田花子 lost its tokens.
READERS = {
    "len": (lambda group: len(group), 2),
    "list": (lambda group: [span.text for span in group], ["東京都", "大阪"]),
    "last": (lambda group: (group[-1].text, group[1].text), ("大阪", "大阪")),
    "first": (lambda group: group[0].text, "東京都"),
    "scores": (lambda group: group.attrs["scores"], [0.5, 0.25]),
    "zip": (
        lambda group: [(s, span.text) for s, span in zip(group.attrs["scores"], group)],
        [(0.5, "東京都"), (0.25, "大阪")],
    ),
    "overlap": (lambda group: group.has_overlap, False),
    "repr": (repr, "[東京都, 大阪]"),
    "bytes": (lambda group: len(SpanGroup(group.doc).from_bytes(group.to_bytes())), 2),
    "copy": (lambda group: [span.text for span in group.copy()], ["東京都", "大阪"]),
    "plus": (lambda group: [span.text for span in group + group], ["東京都", "大阪"] * 2),
    "plus a list": (lambda group: [span.text for span in group + SpanGroup(group.doc)], ["東京都", "大阪"]),
    "contains": (lambda group: group.doc.char_span(5, 8, label="地名") in group, True),
    "bool": (bool, True),
}


def three_spans():
    doc = spacy_luke_ja.blank().make_doc("山田花子は東京都で大阪へ")
    spans = [doc.char_span(0, 4, label="人名"), doc.char_span(5, 8, label="地名"), doc.char_span(9, 11, label="地名")]
    doc.spans["x"] = LastingSpanGroup(doc, name="x", attrs={"scores": [0.75, 0.5, 0.25], "by": "me"}, spans=spans)
    return doc


@pytest.mark.parametrize("keeps_length", [True, False])
@pytest.mark.parametrize("name", READERS)
def test_every_reader_sees_the_present_tokens(name, keeps_length):
    doc = three_spans()
    group = doc.spans["x"]
    assert len(group) == 3 and len(group.attrs["scores"]) == 3
    retokenize(doc, merge=["花子は"], split=[("山田", 1)] if keeps_length else [])
    read, expected = READERS[name]
    assert read(group) == expected


@pytest.mark.parametrize("is_read_between", [True, False])
def test_spans_come_back_with_their_tokens(is_read_between):
    doc = three_spans()
    group, before = doc.spans["x"], rows(doc.spans["x"])
    for text in ["花子は", "都で", "山田花子は東京都で大阪へ"]:
        retokenize(doc, merge=[text])
        if is_read_between:
            assert rows(group) == on_tokens(doc, before)
            copy = doc.copy()
            assert rows(copy.spans["x"]) == rows(group)
    split_tokens(doc, [0, 4, 5, 8, 9, 11])
    copy = doc.copy()
    assert rows(group) == before == rows(copy.spans["x"]) and group.attrs["by"] == "me"


def test_as_a_list_of_spacy():
    """append, extend, del and assignment, before and after tokens are merged."""
    doc = three_spans()
    group, attrs = doc.spans["x"], doc.spans["x"].attrs
    assert group.attrs is attrs and group.name == "x" and isinstance(group, SpanGroup)
    group.append(doc.char_span(4, 5, label="助詞"))
    group.extend([doc.char_span(8, 9, label="助詞")])
    retokenize(doc, merge=["花子は"])
    group += [doc.char_span(11, 12, label="助詞")]
    assert [span.text for span in group] == ["東京都", "大阪", "で", "へ"] and group.attrs is attrs
    group[0] = doc.char_span(0, 5) or doc[0:1]
    del group[1], group.attrs["scores"][1]
    assert [span.text for span in group] == ["山田花子は", "で", "へ"]
    for wrong in (3, -4):
        with pytest.raises(IndexError):
            del group[wrong]
    del group[-1]
    retokenize(doc, merge=[doc.text])
    assert len(group) == 0 and not group.has_overlap and group.attrs["scores"] == []
    group.attrs = {"mine": {1, 2}}
    assert group.attrs == {"mine": {1, 2}}
    with pytest.raises(ValueError):
        group.append(doc.copy()[0:1])


def test_attrs_that_are_no_list_per_span():
    doc = three_spans()
    group = doc.spans["x"]
    group.attrs.update(scores=[0.75], questions=("a", "b", "c"), of=print)
    retokenize(doc, merge=["花子は"])
    assert group.attrs == {"scores": [], "questions": ("a", "b", "c"), "of": print, "by": "me"}


def test_empty_spans_and_identifiers():
    doc = three_spans()
    group = LastingSpanGroup(doc, spans=[doc[5:5], Span(doc, 3, 5, label="L", kb_id="K", span_id="I")])
    places = [(span.start_char, span.end_char) for span in group]
    retokenize(doc, merge=["花子は"])
    assert [(span.start_char, span.end_char) for span in group] == places
    assert (group[1].label_, group[1].kb_id_, group[1].id_) == ("L", "K", "I")


@settings(max_examples=30)
@given(data=st.data())
def test_any_merges_and_splits(data):
    doc = three_spans()
    spans = [doc[a : a + n] for a in range(len(doc)) for n in (1, 2, 3) if a + n <= len(doc)]
    spans = [Span(doc, span.start, span.end, label=str(i)) for i, span in enumerate(spans)]
    doc.spans["x"] = LastingSpanGroup(doc, attrs={"scores": list(range(len(spans)))}, spans=spans)
    before = rows(doc.spans["x"])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(doc) - 1))
        if data.draw(st.booleans()):
            with doc.retokenize() as retokenizer:
                retokenizer.merge(doc[start : start + data.draw(st.integers(1, 3))])
        else:
            split_tokens(doc, [data.draw(st.integers(0, len(doc.text)))])
        if data.draw(st.booleans()):
            assert rows(doc.spans["x"]) == on_tokens(doc, before)
    loaded = WAYS["bytes"](doc)
    assert rows(loaded.spans["x"]) == on_tokens(doc, before)


def test_those_who_read_groups(make):
    nlp = make()
    doc = nlp(TEXT)
    merge_entities(doc)
    options = {"spans_key": make.name}
    assert displacy.render(doc, style="span", options=options, page=True, jupyter=False)
    gold = doc.copy()
    score = lambda doc, key: doc.spans.get(key, [])
    scores = Scorer.score_spans(
        [Example(doc, gold)], make.name, getter=score, allow_overlap=True, has_annotation=lambda doc: True
    )
    assert scores[f"{make.name}_f"] == (1.0 if len(doc.spans[make.name]) else None)
    assert Example(doc, gold).to_dict()["doc_annotation"]["spans"][make.name] is not None


@pytest.mark.parametrize("n_process", [1, 2])
def test_merge_entities_in_the_pipeline(make, n_process):
    nlp = make()
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "OLD", "pattern": "で日立製作所の"}])
    nlp.add_pipe("merge_entities")
    for doc in nlp.pipe([TEXT] * 3, n_process=n_process):
        merge_all(Doc(doc.vocab).from_bytes(doc.to_bytes()))
        assert all(span.text in TEXT for span in doc.spans[make.name])
        before = rows(doc.spans[make.name])
        merge_all(doc)
        assert rows(doc.spans[make.name]) == on_tokens(doc, before)
        doc.to_bytes()


def test_under_the_present_name(make, tmp_path):
    nlp = make()
    assert list(nlp(TEXT).spans) == [make.name]
    nlp.rename_pipe(make.name, "mine")
    assert list(nlp(TEXT).spans) == ["mine"] and nlp(TEXT).spans["mine"].name == "mine"
    pipe = nlp.get_pipe("mine")
    pipe.spans_key = "set"
    assert list(nlp(TEXT).spans) == ["set"]
    pipe.spans_key = None
    assert list(nlp(TEXT).spans) == ["mine"] and nlp.config["components"]["mine"]["spans_key"] is None
    both = make()
    both.add_pipe("mine", source=nlp, name="other")
    assert set(both(TEXT).spans) == {make.name, "other"}


def test_texts_without_anything(make):
    nlp = make()
    for text in ["", " ", "何もない。"]:
        doc = nlp(text)
        group = doc.spans[make.name]
        assert len(group) == len(group.attrs["scores"])
        assert len(WAYS["bytes"](doc).spans[make.name]) == len(group)


def test_running_again_replaces_the_group(make):
    nlp = make()
    doc = nlp(TEXT)
    before = rows(doc.spans[make.name])
    retokenize(doc, merge=["に会い、"])
    assert rows(nlp(doc).spans[make.name]) == before


def test_groups_of_others_are_spacys_own(make):
    doc = make()(TEXT)
    doc.spans["others"] = SpanGroup(doc, attrs={"scores": [1.0]}, spans=[doc[0:1]])
    copy = WAYS["bytes"](doc)
    assert type(copy.spans["others"]) is SpanGroup and isinstance(copy.spans[make.name], LastingSpanGroup)


def test_a_group_that_was_saved_when_it_was_wrong_does_not_hinder_loading(make):
    doc = make()(TEXT)
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[:])
    wrong = SpanGroup.to_bytes(doc.spans[make.name])
    copy = Doc(doc.vocab).from_bytes(doc.to_bytes())
    copy.spans.from_bytes(srsly.msgpack_dumps({wrong: [make.name]}))
    assert rows(copy.spans[make.name]) == []


def test_threads_that_read_the_same_doc():
    doc = spacy_luke_ja.blank().make_doc("東京と大阪" * 500)
    spans = [Span(doc, i, i + 1, label=str(i)) for i in range(len(doc))]
    group = doc.spans["x"] = LastingSpanGroup(doc, attrs={"scores": list(range(len(doc)))}, spans=spans)
    retokenize(doc, merge=["東京と"])
    seen = []

    def read():
        for _ in range(20):
            seen.append([(int(span.label_), score) for span, score in zip(group, group.attrs["scores"])])

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 80 and all(pairs == [(i, i) for i in range(2, len(spans))] for pairs in seen)


def test_reading_by_index_is_not_quadratic(monkeypatch):
    """With a microsecond a reading, the tokens are looked at far less often than the group is read."""
    doc = spacy_luke_ja.blank().make_doc("東京と大阪へ" * 1_000)
    spans = [doc[i : i + 1] for i in range(0, len(doc), 2)]
    group = LastingSpanGroup(doc, attrs={"scores": [0.5] * len(spans)}, spans=spans)
    clock, looks = itertools.count(step=1_000), set()
    monkeypatch.setattr(span_groups, "perf_counter_ns", lambda: next(clock))
    for i in range(len(spans)):
        assert group[i].start == 2 * i and group.attrs["scores"][i] == 0.5
        looks.add(group._looked_at)
    assert 1 < len(looks) < len(spans) / 10


def test_groups_are_loaded_as_spacy_does_for_those_who_only_have_the_package():
    code = """
from spacy.tokens._dict_proxies import SpanGroups
before = SpanGroups.from_bytes
import spacy_luke_ja.pipeline.ner, spacy_luke_ja.pipeline.qa
assert SpanGroups.from_bytes is before
spacy_luke_ja.blank().add_pipe("luke_ner")
assert SpanGroups.from_bytes is not before
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_with_a_span_that_is_deleted_goes_its_score():
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner")
    doc = nlp("山田花子は東京都で日立製作所の社長に会った。")
    group = doc.spans["luke_ner"]
    scores = dict(zip([span.text for span in group], group.attrs["scores"]))
    del group[0]
    assert [scores[span.text] for span in group] == group.attrs["scores"]


def test_a_group_under_two_keys_is_moved_once():
    doc = spacy_luke_ja.blank().make_doc("山田花子は東京都で")
    group = SpanGroup(doc, name="a", spans=[doc[0:2]])
    doc.spans["a"] = doc.spans["b"] = group
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:4])
    split_tokens(doc, [1, 2])
    doc.to_bytes()
    assert all(span.end <= len(doc) for span in group)
