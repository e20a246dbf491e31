"""Logits become the best allowed spans, and gold spans become tags and back."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_luke_ja import CharSpan
from spacy_luke_ja.text import ner
from spacy_luke_ja.text.decoding import check_share, check_temperature, log_softmax, sigmoid
from spacy_luke_ja.text.label_schemes import make_scheme, make_tags
from spacy_luke_ja.text.ner import best_tags, encode_tags, entity_runs, find_entities, score_entities
from spacy_luke_ja.text.subwords import Subwords
from spacy_luke_ja.text.token_subwords import count_line_breaks

BIO = ["O", "B-地名", "I-地名", "B-人名", "I-人名"]


def subwords_of(pieces):
    """ "東京|都" → subwords of these characters; "▁" alone is empty, as the first of a text is."""
    text, offsets = "", []
    for piece in pieces.split("|") if pieces else []:
        start = len(text)
        text += "" if piece == "▁" else piece
        offsets.append((start, len(text)))
    return Subwords(text, np.zeros(len(offsets), dtype=int), np.array(offsets, dtype=int).reshape(-1, 2))


def logits_of(tags, all_tags):
    """Logits that put probability 0.9 on each of the tags."""
    n = len(all_tags)
    probabilities = np.full((len(tags.split()), n), 0.1 / (n - 1))
    for i, tag in enumerate(tags.split()):
        probabilities[i, all_tags.index(tag)] = 0.9
    return np.log(probabilities)


def decode_char_spans(subwords, logits, scheme, temperature=1.0):
    entities = find_entities(subwords, logits, scheme)
    scores = score_entities(entities, temperature=temperature)
    return [CharSpan(*entity[:3], score) for entity, score in zip(entities, scores)]


@pytest.mark.parametrize(
    "all_tags, pieces, tags, ents",
    [
        (BIO, "東京|都|知事", "B-地名 I-地名 O", ["東京都"]),
        (BIO, "", "", []),
        (BIO, "独|伊|の", "B-地名 B-地名 O", ["独", "伊"]),
        (BIO, "山田|東京", "B-人名 B-地名", ["山田", "東京"]),
        # "▁" and spaces never begin or end an entity, and are none by themselves.
        (BIO, "▁|東京|都", "B-地名 I-地名 I-地名", ["東京都"]),
        (BIO, "▁|東京", "B-地名 B-地名", ["東京"]),
        (BIO, "東京|　|の", "B-地名 I-地名 O", ["東京"]),
        (BIO, "John| |Smith", "B-人名 I-人名 I-人名", ["John Smith"]),
        (BIO, "\n|東京|\x00", "B-地名 I-地名 I-地名", ["東京"]),
        (["O", "LOC", "ORG-P"], "▁|国会|東京|大阪", "ORG-P ORG-P LOC LOC", ["国会", "東京大阪"]),
        (["O", "B-X", "I-X", "E-X", "S-X"], "東京|都|大阪|京都", "B-X E-X S-X S-X", ["東京都", "大阪", "京都"]),
        (["O", "B-X", "I-X", "L-X", "U-X"], "東京|都|庁|大阪", "B-X I-X L-X U-X", ["東京都庁", "大阪"]),
    ],
)
def test_decoded_entities(all_tags, pieces, tags, ents):
    subwords = subwords_of(pieces)
    spans = decode_char_spans(subwords, logits_of(tags, all_tags), make_scheme(all_tags))
    assert [subwords.text[span.char_start : span.char_end] for span in spans] == ents


def test_an_i_after_o_is_repaired_by_the_next_best_allowed_tags():
    logits = logits_of("O I-地名 I-地名", BIO)
    logits[1, BIO.index("B-地名")] = np.log(0.5)
    (span,) = decode_char_spans(subwords_of("の|東京|都"), logits, make_scheme(BIO))
    assert (span.char_start, span.char_end, span.label) == (1, 4, "地名")


@pytest.mark.parametrize(
    "pieces, tags, cost, ents",
    [
        # Probability 0.9 against 0.025, 3.6 as a logarithm: that much a cut must save.
        ("佐藤|\n|鈴木", "B-人名 I-人名 I-人名", 0.0, ["佐藤\n鈴木"]),
        ("佐藤|\n|鈴木", "B-人名 I-人名 I-人名", 3.5, ["佐藤\n鈴木"]),
        ("佐藤|\n|鈴木", "B-人名 I-人名 I-人名", 3.7, ["佐藤", "鈴木"]),
        ("佐藤|\n|鈴木", "B-人名 O B-人名", 10.0, ["佐藤", "鈴木"]),
        ("佐藤|鈴木", "B-人名 I-人名", 10.0, ["佐藤鈴木"]),
    ],
)
def test_going_on_in_the_next_line_costs(pieces, tags, cost, ents):
    subwords = subwords_of(pieces)
    found = find_entities(
        subwords, logits_of(tags, BIO), make_scheme(BIO), line_costs=cost * count_line_breaks(subwords)
    )
    assert [subwords.text[entity.char_start : entity.char_end] for entity in found] == ents


@pytest.mark.parametrize(
    "pieces, ents",
    [
        ("ー|" * 3000 + "東京", ["東京"]),
        ("東京|" + "ー|" * 10 + "大阪", ["東京", "大阪"]),
        ("東京|" + "ー|" * 9 + "大阪", ["東京" + "ー" * 9 + "大阪"]),
        ("東京|" + "=|-|" * 10 + "大阪", ["東京", "大阪"]),
        ("ーーーーー|" * 2 + "大阪", ["大阪"]),
        ("山田|太郎|" * 99 + "山田|太郎", []),
        ("0|" * 12 + "1", ["0000000000001"]),
    ],
)
def test_what_is_repeated_is_no_part_of_an_entity(pieces, ents):
    subwords = subwords_of(pieces)
    logits = logits_of(" ".join(["B-地名", *["I-地名"] * (len(subwords) - 1)]), BIO)
    logits[1:, BIO.index("B-地名")] += 1.0
    found = find_entities(subwords, logits, make_scheme(BIO))
    assert [subwords.text[entity.char_start : entity.char_end] for entity in found] == ents
    assert all(np.isfinite(entity.logits).all() for entity in found)


@pytest.mark.parametrize("longest, ents", [(None, ["東京都庁", "大阪"]), (4, ["東京都庁", "大阪"]), (3, ["大阪"])])
def test_an_entity_of_more_characters_is_none(longest, ents):
    subwords = subwords_of("東京|都庁|大阪")
    found = find_entities(subwords, logits_of("B-地名 I-地名 B-地名", BIO), make_scheme(BIO), longest=longest)
    assert [subwords.text[entity.char_start : entity.char_end] for entity in found] == ents


def test_the_score_is_the_geometric_mean_over_subwords_with_characters():
    scheme = make_scheme(BIO)
    probabilities = np.array([[0.2, 0.2, 0.2, 0.2, 0.2], [0.1, 0.6, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.05, 0.05]])
    (span,) = decode_char_spans(subwords_of("▁|東京|都"), np.log(probabilities), scheme)
    assert span.score == pytest.approx((0.6 * 0.7) ** 0.5)


def test_the_temperature_divides_the_logits():
    scheme = make_scheme(BIO)
    logits = logits_of("B-地名 I-地名 O", BIO)
    for temperature, probability in [(1.0, 0.9), (2.0, 0.9**0.5 / (0.9**0.5 + 4 * 0.025**0.5)), (1e-300, 1.0)]:
        (span,) = decode_char_spans(subwords_of("東京|都|の"), logits.astype("float32"), scheme, temperature)
        assert span.score == pytest.approx(probability)


def test_scores_of_several_entities_and_of_none():
    subwords = subwords_of("東京|都|花子")
    logits = logits_of("B-地名 I-地名 B-人名", BIO)
    logits[2] *= 2
    both = find_entities(subwords, logits, make_scheme(BIO))
    alone = [score_entities([entity], temperature=1.5)[0] for entity in both]
    assert score_entities(both, temperature=1.5).tolist() == pytest.approx(alone) and alone[0] < alone[1]
    assert score_entities([], temperature=1.5).shape == (0,)


@pytest.mark.parametrize("temperature", [0, -1.0, float("inf"), float("nan"), "1.5", True, None])
def test_what_is_no_temperature(temperature):
    with pytest.raises(ValueError, match=f"temperature must be a finite number above 0, got {temperature}"):
        check_temperature(temperature)


tag_sets = st.sampled_from([BIO, ["O", "X", "Y"], make_tags(["X", "Y"], "BIOES"), make_tags(["X"], "BILOU")])


@given(tags=tag_sets, n=st.integers(1, 4), seed=st.integers(0, 1000), cost=st.sampled_from([None, 0.0, 1.5, 50.0]))
def test_viterbi_finds_the_best_of_all_allowed_sequences(tags, n, seed, cost):
    """With and without costs of edges and of going on at some of the subwords; the entities say where those are."""
    scheme, rng = make_scheme(tags), np.random.default_rng(seed)
    log_probs = log_softmax(rng.normal(size=(n, len(tags))) * 3)
    edge_costs, line_costs = (None if cost is None else cost * rng.integers(0, 2, n) for _ in range(2))

    def total(sequence):
        ok = scheme.allowed_first[sequence[0]] and scheme.allowed_last[sequence[-1]]
        ok = ok and all(scheme.allowed[a, b] for a, b in zip(sequence, sequence[1:]))
        if not ok:
            return -np.inf
        runs = entity_runs(np.array(sequence), scheme)
        edges = {edge for run in runs for edge in run} - {0, n}
        lost = 0.0 if edge_costs is None else sum(edge_costs[edge] for edge in edges)
        lost += 0.0 if line_costs is None else sum(line_costs[start + 1 : end].sum() for start, end in runs)
        return sum(log_probs[i, tag] for i, tag in enumerate(sequence)) - lost

    best = max(itertools.product(range(len(tags)), repeat=n), key=total)
    found = best_tags(log_probs, scheme, edge_costs=edge_costs, line_costs=line_costs)
    assert total(found) == pytest.approx(total(best))


@given(tags=tag_sets, n=st.integers(1, 300), seed=st.integers(0, 1000), scale=st.sampled_from([0.0, 1.0, 5.0, 20.0]))
def test_the_search_leaves_out_nothing_that_matters(tags, n, seed, scale):
    scheme, rng = make_scheme(tags), np.random.default_rng(seed)
    logits = rng.normal(size=(n, len(tags))) * scale
    # In a stretch all but a tag that is always allowed is out of the question, as where a part is repeated.
    start, end = sorted(rng.integers(0, n, 2))
    logits[start:end, 1:] = -np.inf
    costs = {"edge_costs": 3.0 * rng.integers(0, 2, n), "line_costs": 2.0 * rng.integers(0, 2, n)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ner, "may_differ", lambda gains, steps: np.ones(len(gains), dtype=bool))
        everywhere = best_tags(logits, scheme, **costs)
    np.testing.assert_array_equal(best_tags(logits, scheme, **costs), everywhere)


def test_the_search_of_a_long_text_is_no_wider_than_that_of_its_parts(monkeypatch):
    """As every part loses something, all of them together lose much: that must not make the search go everywhere."""
    scheme, n_searched = make_scheme(BIO), []
    search_run = ner.search_run
    monkeypatch.setattr(ner, "search_run", lambda *args: n_searched.append(args[-1] - args[-2]) or search_run(*args))
    part = logits_of("O O O O B-地名 I-地名 O O O O O I-人名 O O O O O", BIO)
    part[2, 1] = part[2, 0] - 1.0
    best_tags(part, scheme)
    in_part = sum(n_searched)
    n_searched.clear()
    tags = best_tags(np.concatenate([part] * 100), scheme)
    assert tags.tolist() == best_tags(part, scheme).tolist() * 100
    assert 0 < in_part < len(part) and sum(n_searched) <= 101 * in_part


@given(tags=tag_sets, n=st.integers(1, 8), seed=st.integers(0, 1000), log_temperature=st.floats(-2.5, 2.5))
def test_the_temperature_changes_scores_but_no_entity(tags, n, seed, log_temperature):
    """Dividing all logits by one number moves no path ahead of another: not even when the decoder sees the divided."""
    scheme, temperature = make_scheme(tags), np.exp(log_temperature)
    subwords = subwords_of("|".join(["東"] * n))
    logits = np.random.default_rng(seed).normal(size=(n, len(tags))) * 3
    found = decode_char_spans(subwords, logits, scheme)
    at_other = decode_char_spans(subwords, logits, scheme, temperature)
    divided = decode_char_spans(subwords, logits / temperature, scheme)
    assert [span[:3] for span in at_other] == [span[:3] for span in divided] == [span[:3] for span in found]
    assert [span.score for span in at_other] == pytest.approx([span.score for span in divided])
    assert all(0 <= span.score <= 1 for span in at_other)


@st.composite
def gold(draw):
    """Subwords of one to three characters, and spans without overlap on their edges."""
    n = draw(st.integers(1, 12))
    subwords = subwords_of("|".join(draw(st.text(alphabet="東京都人", min_size=1, max_size=3)) for _ in range(n)))
    cuts = sorted(draw(st.sets(st.integers(0, n), max_size=8)))
    offsets = subwords.char_offsets
    spans = []
    for a, b in zip(cuts, cuts[1:]):
        label = draw(st.sampled_from(["", "地名", "人名"]))
        if label:
            spans.append(CharSpan(int(offsets[a, 0]), int(offsets[b - 1, 1]), label))
    return subwords, spans


@pytest.mark.parametrize("scheme", ["BIO", "BIOES", "BILOU"])
@given(gold=gold())
def test_tags_turn_back_into_their_spans(scheme, gold):
    subwords, spans = gold
    tag_scheme = make_scheme(make_tags(["地名", "人名"], scheme))
    tags = encode_tags(subwords, spans, tag_scheme)
    logits = np.where(np.eye(len(tag_scheme.tags))[tags] > 0, 50.0, 0.0)
    decoded = decode_char_spans(subwords, logits, tag_scheme)
    assert [span[:3] for span in decoded] == [span[:3] for span in spans]


@pytest.mark.parametrize(
    "pieces, span, tags",
    [
        ("訪日|した", (1, 2), "B-地名 O"),  # gold that cuts a subword still teaches it
        ("▁|東京|都", (0, 3), "O B-地名 I-地名"),
        ("東京| |都|　", (0, 4), "B-地名 I-地名 I-地名 O"),
        ("日米|欧", (0, 1), "B-地名 O"),
    ],
)
def test_tags_of_gold(pieces, span, tags):
    scheme = make_scheme(BIO)
    found = encode_tags(subwords_of(pieces), [CharSpan(*span, "地名")], scheme)
    assert [scheme.tags[i] for i in found] == tags.split()


def test_a_subword_of_two_entities_goes_to_the_one_with_more_of_it():
    scheme = make_scheme(BIO)
    spans = [CharSpan(0, 1, "地名"), CharSpan(1, 3, "人名")]
    assert [scheme.tags[i] for i in encode_tags(subwords_of("日花子"), spans, scheme)] == ["B-人名"]


def test_a_character_that_two_entities_share_stays_with_the_first():
    subwords = Subwords("東京㈱大阪", np.zeros(5, dtype=int), np.array([[0, 2], [2, 3], [2, 3], [2, 3], [3, 5]]))
    logits = logits_of("B-地名 I-地名 B-人名 I-人名 I-人名", BIO)
    assert [span[:3] for span in decode_char_spans(subwords, logits, make_scheme(BIO))] == [
        (0, 3, "地名"),
        (3, 5, "人名"),
    ]


costs = st.sampled_from([0.0, 1.0, 2.5])


@given(tags=tag_sets, seed=st.integers(0, 1000), edge_cost=costs, line_cost=costs)
def test_both_steps_of_the_search_are_one(tags, seed, edge_cost, line_cost):
    """Ties too: of two tags before the next one, the first is taken."""
    scheme, rng = make_scheme(tags), np.random.default_rng(seed)
    score = np.where(rng.random(len(tags)) < 0.2, -np.inf, rng.integers(0, 4, len(tags)).astype("float64"))
    (from_pairs, pair_scores), (from_labels, label_scores) = (
        step(score, edge_cost, line_cost, scheme) for step in (ner.step_over_pairs, ner.step_over_labels)
    )
    np.testing.assert_array_equal(pair_scores, label_scores)
    np.testing.assert_array_equal(from_pairs[np.isfinite(pair_scores)], from_labels[np.isfinite(pair_scores)])


@pytest.mark.parametrize("scheme_name", ["IO", "BIO", "BIOES", "BILOU"])
def test_a_thousand_labels_need_no_table_of_pairs(scheme_name):
    scheme = make_scheme(make_tags([f"ラベル{i}" for i in range(1000)], scheme_name), scheme=scheme_name)
    subwords = subwords_of("|".join(["東"] * 50))
    logits = np.random.default_rng(0).normal(size=(50, len(scheme.tags)))
    found = find_entities(subwords, logits, scheme, edge_costs=np.ones(50), line_costs=np.ones(50))
    spans = [CharSpan(*entity[:3]) for entity in found]
    assert spans and encode_tags(subwords, spans, scheme)[[span.char_start for span in spans]].all()
    assert not {"allowed", "edges", "forbidden"} & scheme.__dict__.keys()


def test_small_probabilities_are_exact():
    logits = np.array([-700.0, -50.0, -1.0, 0.0, 1.0, 50.0, 900.0], dtype="float32")
    expected = [math.exp(-700), math.exp(-50), 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 1.0, 1.0]
    assert sigmoid(logits) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("share", [0, 1, 0.5])
def test_a_share(share):
    check_share(share, "the threshold")


@pytest.mark.parametrize("share", [-0.1, 1.1, True, "0.5", None, float("nan"), 10**400])
def test_what_is_no_share_is_named(share):
    with pytest.raises(ValueError, match="the threshold must be between 0 and 1, got"):
        check_share(share, "the threshold")
