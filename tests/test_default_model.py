"""What the embedded checkpoints find in clear sentences: an encyclopedia, news, business mails; and answer."""

import pytest

import spacy_luke_ja

SENTENCES = {
    "夏目漱石は東京で生まれた。": [("夏目漱石", "人名"), ("東京", "地名")],
    "トヨタ自動車は愛知県豊田市に本社を置く。": [("トヨタ自動車", "法人名"), ("愛知県豊田市", "地名")],
    "国土交通省は関西国際空港の連絡橋を復旧させると発表した。": [
        ("国土交通省", "政治的組織名"), ("関西国際空港", "施設名"),
    ],
    "1964年に東京オリンピックが開催された。": [("東京オリンピック", "イベント名")],
    "自由民主党の安倍晋三が首相に選ばれた。": [("自由民主党", "政治的組織名"), ("安倍晋三", "人名")],
    "関ヶ原の戦いで徳川家康が石田三成を破った。": [
        ("関ヶ原の戦い", "イベント名"), ("徳川家康", "人名"), ("石田三成", "人名"),
    ],
    "大谷翔平はロサンゼルス・エンゼルスに移籍した。": [
        ("大谷翔平", "人名"), ("ロサンゼルス・エンゼルス", "その他の組織名"),
    ],
    "マイクロソフトはWindows 11を公開した。": [("マイクロソフト", "法人名"), ("Windows 11", "製品名")],
    "第90回選抜高等学校野球大会が阪神甲子園球場で行われた。": [
        ("第90回選抜高等学校野球大会", "イベント名"), ("阪神甲子園球場", "施設名"),
    ],
    "国際連合の本部はニューヨークにある。": [("国際連合", "政治的組織名"), ("ニューヨーク", "地名")],
    "ﾄﾖﾀ自動車は２０２０年東京オリンピックのスポンサーだった。": [
        ("ﾄﾖﾀ自動車", "法人名"), ("２０２０年東京オリンピック", "イベント名"),
    ],
    "お世話になっております。株式会社日立製作所の山田花子です。": [
        ("株式会社日立製作所", "法人名"), ("山田花子", "人名"),
    ],
    "来週、横浜市の本社で佐藤健太と打ち合わせをします。": [("横浜市", "地名"), ("佐藤健太", "人名")],
    "カタカナのテキストです。": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def nlp():
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe("luke_ner")
    return nlp


@pytest.mark.parametrize("text", SENTENCES)
def test_clear_sentences(nlp, text):
    assert [(ent.text, ent.label_) for ent in nlp(text).ents] == SENTENCES[text]


QUESTIONS = {
    "夏目漱石は東京帝国大学で英文学を教え、『こころ』を発表した。": {
        "『こころ』を発表したのは誰ですか。": "夏目漱石", "夏目漱石は何を教えましたか。": "英文学",
    },
    "国土交通省は、台風21号で損傷した関西国際空港の連絡橋を来春までに復旧させると発表した。": {
        "連絡橋はいつまでに復旧しますか。": "来春",
    },
    "アオバ商事の社長は佐藤健一で、本社は横浜市にあります。": {
        "社長は誰ですか": "佐藤健一", "本社はどこにありますか": "横浜市",
    },
    "私はお寿司が大好きです。": {"好きな食べ物は何ですか": "お寿司"},
}  # fmt: skip


def test_clear_questions():
    nlp = spacy_luke_ja.blank()
    qa = nlp.add_pipe("luke_qa")
    pairs = [(nlp(text), question) for text, asked in QUESTIONS.items() for question in asked]
    right = [answer for asked in QUESTIONS.values() for answer in asked.values()]
    assert [answer.text for answer in qa.ask_many(pairs)] == right
