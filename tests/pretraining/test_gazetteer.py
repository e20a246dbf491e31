"""Which names are found in a text, and of which class they are."""

import pytest

import toy_corpora
from scripts.pretraining.gazetteer import Gazetteer

TITLES = [
    ("jawiki_gocon", "12", "東京"),
    ("jawiki_gocon", "13", "東京国際空港"),
    ("jawiki_gocon", "14", "時間"),
    ("jawiki_gocon", "15", "時間旅行"),
    ("jawiki_gocon", "16", "任天堂 (企業)"),
    ("jawiki_gocon", "17", "京都駅"),
    ("kyoto_wiki", "BLD00012", "京都駅"),
    ("kyoto_wiki", "XYZ00001", "嵐山"),
    ("jawiki_gocon", "18", "京"),
    ("jawiki_gocon", "19", "あ" * 25),
]
NAMES = [
    ("東京", "人名", "姓", "トウキョウ"),
    ("花子", "人名", "名", "ハナコ"),
    ("任天堂", "組織", "*", "ニンテンドウ"),
]


@pytest.fixture(scope="module")
def gazetteer(tmp_path_factory):
    corpora = toy_corpora.write_corpora(tmp_path_factory.mktemp("data"), titles=TITLES, names=NAMES, n_sentences=5)
    return Gazetteer(corpora / "linked")


@pytest.mark.parametrize("name, class_", [
    ("京都駅", "BLD"),  # the code of the articles on Kyoto before "title", wherever it stands
    ("嵐山", "title"),  # no code that is known
    ("東京", "title"),  # titles before IPADIC
    ("任天堂", "title"),  # without what tells it from others
    ("花子", "given name"),
    ("京", None),  # too short
    ("あ" * 25, None),  # too long
])  # fmt: skip
def test_the_first_list_that_has_a_name_gives_its_class(gazetteer, name, class_):
    assert gazetteer.classes.get(name) == class_


# "*" stands before a proper noun.
@pytest.mark.parametrize("morphemes, found", [
    ("*東京|の|空港", ["東京"]),
    ("*東京|国際|空港|の|店", ["東京国際空港"]),  # the longest
    ("*東京|国際|空", ["東京"]),  # the longer name is not there to its end
    ("*東京|国際|空港会社", ["東京"]),  # it would end within a morpheme
    ("大東京|国際|空港", []),  # it would start within a morpheme
    ("時間|が|ある", []),  # a common noun of one morpheme
    ("*時間|が|ある", ["時間"]),
    ("時間|旅行|が|ある", ["時間旅行"]),  # two morphemes, however common
    ("*東京|*東京|*花子", ["東京", "東京", "花子"]),
    ("", []),
    ("京", []),
])  # fmt: skip
def test_names_in_a_text(gazetteer, morphemes, found):
    parts = morphemes.split("|") if morphemes else []
    text, edges = "", [0]
    for part in parts:
        text += part.lstrip("*")
        edges.append(len(text))
    names = gazetteer.find(text, edges, [part.startswith("*") for part in parts])
    assert [text[start:end] for start, end, _ in names] == found
