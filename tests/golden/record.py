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


# Texts and their mentions, in the order in which a head is given them.
MENTIONS = [
    ("山田花子は東京へ行った。", [(5, 7)]),
    ("日本人が訪日した。", [(0, 2), (5, 6)]),
    ("ﾄﾖﾀ自動車は２０２０年東京オリンピックのスポンサーだった。", [(0, 6), (12, 21)]),
    ("Apple Inc.のiPhone 15 Proが発売", [(0, 10), (11, 24)]),
    ("東京 大阪　京都", [(3, 5), (0, 2)]),
    (" 東京 と 大阪 ", [(1, 3), (6, 9)]),
    ("東京都知事", [(0, 5), (0, 2), (0, 3), (2, 5)]),
    ("東京都知事", [(2, 3)]),
    ("㈱日立とﾊﾟﾅｿﾆｯｸ㈱", [(0, 3), (4, 12)]),
    ("か\u3099く\u3099の龘靐", [(0, 4), (5, 7)]),
    ("　。", [(0, 1), (1, 2)]),
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
    mentions = []
    for text, spans in MENTIONS:
        tokenizer.task = "entity_span_classification"
        found = tokenizer(text, entity_spans=list(spans))
        edges = [[start, end + 1] for start, end in zip(found["entity_start_positions"], found["entity_end_positions"])]
        row = {"text": text, "spans": spans, "ids": found["input_ids"], "edges": edges}
        for task, entity_spans in (("entity_classification", spans[:1]), ("entity_pair_classification", spans[:2])):
            if len(entity_spans) == (1 if task == "entity_classification" else 2):
                tokenizer.task = task
                found = tokenizer(text, entity_spans=list(entity_spans))
                positions = [[i for i in own if i >= 0] for own in found["entity_position_ids"]]
                row[task] = {"ids": found["input_ids"], "positions": positions}
        mentions.append(row)
    rows = ",\n".join(json.dumps(row, ensure_ascii=True) for row in mentions)
    head = json.dumps(content["tokenizer"])
    (HERE / "mention_ids.json").write_text(f'{{"tokenizer": {head}, "mentions": [\n{rows}\n]}}', encoding="utf8")


if __name__ == "__main__":
    main()
