"""Record tests/golden/*_ids.json with the tokenizer that is the reference: MLukeTokenizer of transformers 4.53.2.

    .venv-compat/bin/python tests/golden/record.py

Run it again when the embedded sentencepiece model changes. The tokenizer gets the embedded checkpoint's own files.
"""

import json
from pathlib import Path

HERE = Path(__file__).parent
CHECKPOINT = HERE.parents[1] / "spacy_luke_ja" / "pretrained" / "ja_luke_ner_sm"
VERSION = "4.53.2"
TEXTS = [
    "東京都知事の小池百合子は、株式会社日立製作所と会談した。",
    "ﾄﾖﾀ自動車は２０２０年東京オリンピックのスポンサーだった。",
    "ﾊﾟﾅｿﾆｯｸ㈱とＮＴＴﾄﾞｺﾓ",
    "か\u3099き\u3099く\u3099け\u3099こ\u3099",
    "㈱①㍿㎏㌔㍻",
    "👨‍👩‍👧‍👦と👍🏽❤️",
    "𠮷野家と葛\U000e0100城市",
    "全角　空白と 半角 空白",
    "改行\n復帰\r\nタブ\t",
    "NUL\x00と\x01制御\x7f",
    "שלום עולם",
    "SPRiNGSと最も仲の良いライバルグループ。",
    "Apple Inc.のiPhone 15 Proが発売",
    "訪日した独伊の首相と日米欧",
    "龘靐齉",
    "",
    " ",
    "　",
    "。",
    "ABC　DEF",
    "〜～−－ー―",
    "「」『』（）！？",
    "１２：３４〜",
    "ﬁﬂ½²",
    "コンピューター・ソフトウェア＝プログラム",
    "  前後の空白  ",
]


PAIRS = [
    ("日本で梅雨がないのは北海道とどこか。", "梅雨\n梅雨（つゆ、ばいう）は、北海道と小笠原諸島を除く日本でみられる。"),
    ("ﾄﾖﾀの社長は誰？", "トヨタ自動車の豊田章男社長。"),
    ("誰", ""),
    ("　何年？ ", " ２０２０年 "),
    ("</s>とは", "<s>と</s>は記号だ。"),
]


def main() -> None:
    import transformers
    from transformers import MLukeTokenizer

    assert transformers.__version__ == VERSION, f"golden ids are those of transformers {VERSION}"
    tokenizer = MLukeTokenizer.from_pretrained(CHECKPOINT)
    ids = {text: tokenizer(text)["input_ids"] for text in TEXTS}
    content = {"tokenizer": f"MLukeTokenizer, transformers {VERSION}", "ids": ids}
    (HERE / "subword_ids.json").write_text(json.dumps(content, ensure_ascii=True, indent=1), encoding="utf8")
    pairs = [[question, text, tokenizer(question, text)["input_ids"]] for question, text in PAIRS]
    content = {"tokenizer": content["tokenizer"], "pairs": pairs}
    (HERE / "pair_ids.json").write_text(json.dumps(content, ensure_ascii=True, indent=1), encoding="utf8")


if __name__ == "__main__":
    main()
