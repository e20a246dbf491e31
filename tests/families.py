"""Checkpoints of each family of tokenizers, built in code, to the byte the same with every version of every library.

Nothing is trained: a sentencepiece model is written as the protocol buffer that it is, with the normalisation of the
embedded LUKE's. Files and settings are those of the published checkpoints.
"""

import base64
import json
import struct
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

EMBEDDED = Path(__file__).parents[1] / "spacy_luke_ja" / "pretrained" / "ja_luke_ner_sm"

WORDS = [
    "東京", "大阪", "京都", "山田", "花子", "日立", "製作所", "株式会社", "社長", "会った", "オリンピック", "トヨタ", "自動車", "ドコモ",
    "パナソニック", "です", "ます", "した", "から", "コンピューター", "tokyo", "Tokyo", "apple", "Apple", "phone", "20", "18", "in", "the",
]  # fmt: skip
CHARACTERS = (
    "東京都大阪山田花子は日本の首相独伊訪国会社立製作所長株式自動車人家野葛城市全角半空白改行復帰前後年月日時分はがのをにでともへやばぱあいうえおかきくけこ"
    "ぎぐげごさしすせそたちつてとなにぬねのっゃゅょんるれろりらよゆめむみまほふひアイウエオカキクケコドモトヨタニッパソナビルゴガギグゲハプロョンピクリータュフ"
    "abcdefghijklmnoprstuvwxyz" "ABCDEFIJKLMNOPRST" "0123456789" "。、・「」()（）!！?？-,.:;'\"&%~〜\u3099\u309a高橋"
)  # fmt: skip
# What a tokenizer that is read wrongly gets wrong: width, composition, planes, blanks, case, accents, commas.
TEXTS = [
    "山田花子は東京都で日立製作所の社長に会った。",
    "髙橋さんは𠮷野家にいた。",
    "ﾄﾖﾀ自動車とﾊﾟﾅｿﾆｯｸ㈱、ＮＴＴﾄﾞｺﾓ",
    "２０２０年東京オリンピック（ＴＯＫＹＯ）",
    "か\u3099き\u3099く\u3099とは\u309aひ\u309a",
    "👨‍👩‍👧‍👦と👍🏽❤️",
    "  全角　空白と 半角  空白 ",
    "改行\n復帰\r\nタブ\t終",
    "Tokyo in the APPLE iPhone, café Ünïcode İstanbul ΣΑΣ",
    "18,000円と20,と1,2,3",
    "㍻㈱①㌔½℃ﬁ",
    "``引用''と'単'、「鍵」",
    "コンピューター・ソフトウェア",
    "龘靐齉",
    "▁東京 ▁",
    "",
    " ",
    "。",
]

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
Piece = Tuple[str, float, int]


def varint(value: int) -> bytes:
    low = bytearray()
    while value > 127:
        low.append(value & 127 | 128)
        value >>= 7
    return bytes([*low, value])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


@cache
def nfkc_table() -> bytes:
    """The normalisation of the embedded model: NormalizerSpec.precompiled_charsmap in its ModelProto."""
    spec = fields((EMBEDDED / "sentencepiece.bpe.model").read_bytes())[3]
    return fields(spec)[2]


def fields(content: bytes) -> Dict[int, bytes]:
    """The last value of each field of a protocol buffer that has a length."""
    found: Dict[int, bytes] = {}
    at = 0

    def read() -> int:
        nonlocal at
        value = shift = 0
        while True:
            value |= (content[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if content[at - 1] < 128:
                return value

    while at < len(content):
        key = read()
        if key & 7 == 2:
            length = read()
            found[key >> 3] = content[at : at + length]
            at += length
        elif key & 7 == 0:
            read()
        else:
            at += 4
    return found


def vocabulary(first: Sequence[Piece], *, words: Sequence[str] = tuple(WORDS), with_bytes: bool = False) -> list:
    """first: special pieces. No two scores are equal: versions break ties differently."""
    pieces = [*first]
    if with_bytes:
        pieces += [(f"<0x{i:02X}>", 0.0, BYTE) for i in range(256)]
    known = {piece for piece, _, _ in pieces}
    texts = ["▁", *words, *(f"▁{word}" for word in words[:8]), *dict.fromkeys(CHARACTERS), "▁18", "18,", "は東京"]
    for i, text in enumerate(text for text in dict.fromkeys(texts) if text not in known):
        score = -(9.0 if len(text) == 1 else 6.0) - i / 128
        pieces.append((text, score, NORMAL))
    return pieces


def sentencepiece_model(
    pieces: Sequence[Piece], *, nfkc: bool = True, dummy_prefix: bool = True, squeeze: bool = True
) -> bytes:
    """A unigram model as SentencePieceTrainer writes it."""
    unk_id = next(i for i, (_, _, kind) in enumerate(pieces) if kind == UNKNOWN)
    with_bytes = any(kind == BYTE for _, _, kind in pieces)
    content = b""
    for piece, score, kind in pieces:
        content += message(
            1, message(1, piece.encode()) + varint(2 << 3 | 5) + struct.pack("<f", score) + integer(3, kind)
        )
    trainer = integer(3, 1) + integer(4, len(pieces)) + integer(35, int(with_bytes)) + integer(40, unk_id)
    trainer += message(45, pieces[unk_id][0].encode())
    normalizer = message(1, b"nmt_nfkc") + message(2, nfkc_table()) if nfkc else message(1, b"identity")
    normalizer += integer(3, int(dummy_prefix)) + integer(4, int(squeeze)) + integer(5, 1)
    return content + message(2, trainer) + message(3, normalizer)


def unigram_json(
    pieces: Sequence[Piece], specials: Sequence[str], *, template: Any, normalizer: Any, pre_tokenizer: Any
) -> bytes:
    unk_id = next(i for i, (_, _, kind) in enumerate(pieces) if kind == UNKNOWN)
    model = {
        "type": "Unigram",
        "unk_id": unk_id,
        "vocab": [[piece, score] for piece, score, _ in pieces],
        "byte_fallback": any(kind == BYTE for _, _, kind in pieces),
    }
    numbers = {piece: i for i, (piece, _, _) in enumerate(pieces)}
    return tokenizer_json(model, {token: numbers[token] for token in specials}, template, normalizer, pre_tokenizer)


def tokenizer_json(model: Any, specials: Dict[str, int], template: Any, normalizer: Any, pre_tokenizer: Any) -> bytes:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    content = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 12, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [{"id": i, "content": token, **flags} for token, i in specials.items()],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": template and make_template(*template, specials),
        "decoder": None,
        "model": model,
    }
    return dumps(content)


def make_template(first: str, last: str, specials: Dict[str, int]) -> Any:
    special = lambda token, kind: {"SpecialToken": {"id": token, "type_id": kind}}
    text = lambda name, kind: {"Sequence": {"id": name, "type_id": kind}}
    single = [special(first, 0), text("A", 0), special(last, 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, text("B", 1), special(last, 1)],
        "special_tokens": {t: {"id": t, "ids": [specials[t]], "tokens": [t]} for t in (first, last)},
    }


def dumps(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}


def precompiled(*more: Any) -> Any:
    table = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(nfkc_table()).decode()}
    spaces = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
    return {"type": "Sequence", "normalizers": [*more, table, spaces]}


BERT_FIRST = [("[PAD]", 0.0, CONTROL), ("[CLS]", 0.0, CONTROL), ("[SEP]", 0.0, CONTROL), ("[UNK]", 0.0, UNKNOWN)]
SP_FIRST = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)]
ALBERT_FIRST = [
    ("<pad>", 0.0, CONTROL), ("<unk>", 0.0, UNKNOWN), ("[CLS]", 0.0, CONTROL), ("[SEP]", 0.0, CONTROL),
    ("[MASK]", 0.0, CONTROL),
]  # fmt: skip
BERT_NAMES = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
}  # fmt: skip
ROBERTA_NAMES = {
    "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>",
    "unk_token": "<unk>", "mask_token": "<mask>",
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A checkpoint's files, but for its weights.

    files: those of the tokenizer.
    network: the name of transformers' classes, and what its config gets beyond the sizes.
    vocab_size: rows of the embeddings.
    reference: how transformers 4 opens the tokenizer: its class.
    attributes: what is set on it by hand, as the model's card says; before: text put before each.
    needs: a package without which it cannot be opened.
    """

    files: Dict[str, bytes]
    network: str
    vocab_size: int
    reference: str
    settings: Dict[str, Any] = field(default_factory=dict)
    attributes: Dict[str, Any] = field(default_factory=dict)
    before: str = ""
    needs: Optional[str] = None

    def write_tokenizer(self, path: Path) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        for name, content in self.files.items():
            (path / name).write_bytes(content)
        return path


def deberta_json(*, with_bytes: bool) -> bytes:
    pieces = [*vocabulary(BERT_FIRST, with_bytes=with_bytes), ("[MASK]", 0.0, NORMAL)]
    return unigram_json(
        pieces, ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"], template=("[CLS]", "[SEP]"),
        normalizer=precompiled(), pre_tokenizer=METASPACE,
    )  # fmt: skip


def deberta(*, with_bytes: bool = False, with_json: bool = False, **settings: Any) -> Layout:
    pieces = vocabulary(BERT_FIRST, with_bytes=with_bytes)
    files = {
        "spm.model": sentencepiece_model(pieces),
        "added_tokens.json": dumps({"[MASK]": len(pieces)}),
        "special_tokens_map.json": dumps({"bos_token": "[CLS]", "eos_token": "[SEP]", **BERT_NAMES}),
        "tokenizer_config.json": dumps(
            {"do_lower_case": False, "split_by_punct": False, "sp_model_kwargs": {}, **settings}
        ),
    }
    if with_json:
        files["tokenizer.json"] = deberta_json(with_bytes=with_bytes)
    reference = "DebertaV2TokenizerFast" if with_json else "DebertaV2Tokenizer"
    return Layout(files, "DebertaV2", len(pieces) + 1, reference, DEBERTA)


DEBERTA = {
    "type_vocab_size": 0, "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
    "pad_token_id": 0,
}  # fmt: skip


def modernbert_ja(*, with_json: bool = True, with_model: bool = True, **settings: Any) -> Layout:
    """sbintuitions/modernbert-ja, cl-nagoya/ruri-v3: Llama's class around a unigram model with bytes."""
    first = [*SP_FIRST, ("<pad>", 0.0, CONTROL), ("<mask>", 0.0, USER_DEFINED)]
    pieces = vocabulary(first, with_bytes=True)
    names = {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "mask_token": "<mask>",
    }
    config = {
        "tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True, "add_prefix_space": False,
        "legacy": True, **names, **settings,
    }  # fmt: skip
    files = {"tokenizer_config.json": dumps(config), "special_tokens_map.json": dumps(names)}
    if with_model:
        files["tokenizer.model"] = sentencepiece_model(pieces, nfkc=False, dummy_prefix=False, squeeze=False)
    if with_json:
        files["tokenizer.json"] = unigram_json(
            pieces, ["<unk>", "<s>", "</s>", "<pad>", "<mask>"], template=None, pre_tokenizer=None,
            normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        )  # fmt: skip
    reference = "PreTrainedTokenizerFast" if with_json else "LlamaTokenizer"
    special = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2, "pad_token_id": 3}
    return Layout(files, "ModernBert", len(pieces), reference, {**MODERNBERT, **special})


MODERNBERT = {
    "global_attn_every_n_layers": 3, "local_attention": 8, "num_hidden_layers": 4, "max_position_embeddings": 256,
    "layer_types": None, "norm_eps": 1e-5,
}  # fmt: skip


def albert(
    kind: str, network: str, *, first: Sequence[Piece] = ALBERT_FIRST, name: str = "spiece.model", **settings: Any
):
    pieces = vocabulary(first)
    files = {
        name: sentencepiece_model(pieces),
        "tokenizer_config.json": dumps({"tokenizer_class": kind, **settings}),
    }
    extra: Dict[str, Any] = {"pad_token_id": [piece for piece, _, _ in pieces].index(first[0][0])}
    return Layout(files, network, len(pieces), kind, extra)


def xlnet() -> Layout:
    first = [*SP_FIRST, *((token, 0.0, CONTROL) for token in ("<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"))]
    layout = albert("XLNetTokenizer", "XLNet", first=first)
    return Layout(layout.files, "XLNet", layout.vocab_size, "XLNetTokenizer", {"pad_token_id": 5, "d_head": 16})


def big_bird() -> Layout:
    first = [("<pad>", 0.0, CONTROL), ("</s>", 0.0, CONTROL), ("<s>", 0.0, CONTROL), ("<unk>", 0.0, UNKNOWN)]
    first += [("[CLS]", 0.0, CONTROL), ("[SEP]", 0.0, CONTROL), ("[MASK]", 0.0, USER_DEFINED)]
    return albert("BigBirdTokenizer", "BigBird", first=first)


def rinna() -> Layout:
    first = [
        *SP_FIRST,
        ("[PAD]", 0.0, CONTROL),
        ("[CLS]", 0.0, CONTROL),
        ("[SEP]", 0.0, CONTROL),
        ("[MASK]", 0.0, CONTROL),
    ]
    pieces = vocabulary(first)
    names = {**BERT_NAMES, "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    config = {
        "tokenizer_class": "T5Tokenizer",
        "do_lower_case": True,
        "extra_ids": 0,
        "additional_special_tokens": [],
        **names,
    }
    files = {"spiece.model": sentencepiece_model(pieces), "tokenizer_config.json": dumps(config)}
    files["special_tokens_map.json"] = dumps(names)
    special = {
        "pad_token_id": 3,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "type_vocab_size": 2,
        "max_position_embeddings": 66,
    }
    return Layout(
        files, "Roberta", len(pieces), "T5Tokenizer", special, attributes={"do_lower_case": True}, before="[CLS]"
    )


def fairseq(kind: str, network: str, shift: int) -> Layout:
    pieces = vocabulary(SP_FIRST)
    files = {
        "sentencepiece.bpe.model": sentencepiece_model(pieces),
        "tokenizer_config.json": dumps({"tokenizer_class": kind, **ROBERTA_NAMES}),
    }
    settings = {"pad_token_id": 1, "max_position_embeddings": 66, "type_vocab_size": 1}
    if kind == "CamembertTokenizer":
        settings.update(bos_token_id=5, eos_token_id=6)
    return Layout(files, network, len(pieces) + shift + 1, kind, settings)


def wordpiece(
    kind: str, *, reference: str = "", needs: Optional[str] = None, lower: bool = False, **settings: Any
) -> Layout:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    words += [piece for char in dict.fromkeys(CHARACTERS) for piece in (char, f"##{char}")]
    words += ["##所", "##会社", "平成", "##成", "平", "成", "株", "##株"]
    words = list(dict.fromkeys(words))
    config = {"tokenizer_class": kind, "do_lower_case": lower, **BERT_NAMES, **settings}
    files = {"vocab.txt": "\n".join(words).encode(), "tokenizer_config.json": dumps(config)}
    return Layout(files, "Bert", len(words), reference or kind, {"pad_token_id": 0}, needs=needs)


def wordpiece_json() -> Layout:
    """A tokenizer.json that says other than tokenizer_config.json; transformers goes by the latter."""
    layout = wordpiece("BertTokenizer", reference="BertTokenizerFast")
    vocab = {word: i for i, word in enumerate(layout.files["vocab.txt"].decode().split("\n"))}
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    }
    model = {
        "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": vocab,
    }  # fmt: skip
    specials = {token: i for token, i in vocab.items() if token.startswith("[")}
    content = tokenizer_json(model, specials, ("[CLS]", "[SEP]"), normalizer, {"type": "BertPreTokenizer"})
    return Layout({**layout.files, "tokenizer.json": content}, "Bert", len(vocab), "BertTokenizerFast", layout.settings)


def japanese_pieces() -> Layout:
    """izumi-lab's and others: words by a morphological analyser, pieces by sentencepiece."""
    pieces = vocabulary(BERT_FIRST + [("[MASK]", 0.0, CONTROL)])
    config = {
        "tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "sudachi", "do_lower_case": False,
        "subword_tokenizer_type": "sentencepiece", **BERT_NAMES,
    }  # fmt: skip
    files = {"spiece.model": sentencepiece_model(pieces), "tokenizer_config.json": dumps(config)}
    return Layout(files, "Bert", len(pieces), "BertJapaneseTokenizer", {"pad_token_id": 0})


def byte_alphabet() -> list:
    """The characters that byte-level BPE writes the 256 bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    names = {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + i) for i, byte in enumerate(others)}}
    return [names[byte] for byte in range(256)]


def byte_merges(words: Sequence[str]) -> Tuple[Dict[str, int], list]:
    alphabet = byte_alphabet()
    merges: list = []
    known = set(alphabet)
    for word in words:
        parts = [alphabet[byte] for byte in word.encode()]
        while len(parts) > 1:
            if (parts[0], parts[1]) not in merges:
                merges.append((parts[0], parts[1]))
            known.add(parts[0] + parts[1])
            parts[:2] = [parts[0] + parts[1]]
    return {}, merges


def bytes_bpe(
    kind: str, network: str, names: Dict[str, str], *, with_json: bool = True, vocab_only: bool = False, **settings: Any
) -> Layout:
    _, merges = byte_merges([*WORDS, *dict.fromkeys(CHARACTERS)])
    tokens = [*dict.fromkeys(names.values()), *byte_alphabet(), *dict.fromkeys(a + b for a, b in merges)]
    vocab = {token: i for i, token in enumerate(tokens)}
    specials = {token: vocab[token] for token in dict.fromkeys(names.values())}
    config = {"tokenizer_class": kind, **names, **settings}
    files = {"tokenizer_config.json": dumps(config)}
    if with_json:
        model = {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
            "fuse_unk": False, "byte_fallback": False, "vocab": vocab, "merges": [f"{a} {b}" for a, b in merges],
        }  # fmt: skip
        bytes_ = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        files["tokenizer.json"] = tokenizer_json(
            model, specials, (names["cls_token"], names["sep_token"]), None, bytes_
        )
    else:
        files["vocab.json"] = dumps(vocab)
        files["merges.txt"] = ("#version: 0.2\n" + "\n".join(f"{a} {b}" for a, b in merges)).encode()
    extra: Dict[str, Any] = {"pad_token_id": vocab[names["pad_token"]]}
    if network == "Roberta":
        extra.update(max_position_embeddings=66, type_vocab_size=1)
    if network == "ModernBert":
        extra = {**MODERNBERT, **extra, **{f"{key}_token_id": vocab[names[f"{key}_token"]] for key in ("cls", "sep")}}
        extra.update(bos_token_id=extra["cls_token_id"], eos_token_id=extra["sep_token_id"])
    return Layout(
        files,
        network,
        len(vocab),
        f"{kind.removesuffix('Fast')}Fast" if kind != "PreTrainedTokenizerFast" else kind,
        extra,
    )


@cache
def layouts() -> Dict[str, Layout]:
    """name → layout; the names are those of published checkpoints where there is one."""
    japanese = "BertJapaneseTokenizer"
    return {
        "deberta-v3-base-japanese": deberta(with_bytes=True, with_json=True, tokenizer_class="DebertaV2Tokenizer"),
        "deberta-v2-base-japanese": deberta(with_json=True, tokenizer_class="DebertaV2Tokenizer"),
        "mdeberta-v3-base": deberta(vocab_type="spm"),
        "deberta spm.model with bytes": deberta(with_bytes=True),
        "deberta lower, punctuation": deberta(do_lower_case=True, split_by_punct=True),
        "modernbert-ja": modernbert_ja(),
        "modernbert-ja tokenizer.json": modernbert_ja(with_model=False),
        "modernbert-ja tokenizer.model": modernbert_ja(with_json=False),
        "llama not legacy": modernbert_ja(with_json=False, legacy=False, add_prefix_space=True),
        "llama not legacy, no prefix": modernbert_ja(with_json=False, legacy=False, add_prefix_space=False),
        "waseda roberta": albert(
            "AlbertTokenizer", "Roberta", do_lower_case=False, keep_accents=True, remove_space=True
        ),
        "albert": albert("AlbertTokenizer", "Albert"),
        "xlnet": xlnet(),
        "bigbird": big_bird(),
        "rembert": albert(
            "RemBertTokenizer", "RemBert", first=[*BERT_FIRST, ("[MASK]", 0.0, CONTROL)], name="sentencepiece.model",
            do_lower_case=False,
        ),
        "rinna": rinna(),
        "xlm-roberta": fairseq("XLMRobertaTokenizer", "XLMRoberta", 1),
        "e5, a bert with xlm-roberta's tokenizer": fairseq("XLMRobertaTokenizer", "Bert", 1),
        "camembert": fairseq("CamembertTokenizer", "Camembert", 4),
        "roberta tokenizer.json": bytes_bpe("RobertaTokenizer", "Roberta", ROBERTA_NAMES),
        "roberta vocab.json": bytes_bpe("RobertaTokenizer", "Roberta", ROBERTA_NAMES, with_json=False),
        "modernbert, eurobert": bytes_bpe("PreTrainedTokenizerFast", "ModernBert", BERT_NAMES),
        "bert vocab.txt": wordpiece("BertTokenizer", reference="BertTokenizerFast"),
        "bert vocab.txt, lower": wordpiece("BertTokenizer", reference="BertTokenizerFast", lower=True),
        "bert tokenizer.json": wordpiece_json(),
        "bert-base-japanese": wordpiece(
            japanese, word_tokenizer_type="mecab", subword_tokenizer_type="wordpiece", needs="fugashi",
            mecab_kwargs={"mecab_dic": "unidic_lite"},
        ),
        "bert-base-japanese-char": wordpiece(
            japanese, word_tokenizer_type="mecab", subword_tokenizer_type="character", needs="fugashi",
            mecab_kwargs={"mecab_dic": "unidic_lite"},
        ),
        "japanese words by sudachi": wordpiece(japanese, word_tokenizer_type="sudachi", subword_tokenizer_type="wordpiece"),
        "japanese characters": wordpiece(japanese, word_tokenizer_type="basic", subword_tokenizer_type="character"),
        "japanese words, sentencepiece": japanese_pieces(),
    }  # fmt: skip
