"""Tiny checkpoints, built in code, in the exact file layout of the published ones.

A lexicon checkpoint has weights that give each piece a fixed tag, whatever stands around it: what it must find in a
text can be read off the text. A random one computes like the real thing, and means nothing.
"""

import io
import json
from functools import cache
from pathlib import Path
from typing import Dict, Optional, Sequence

import sentencepiece
import torch
from safetensors.torch import save_file

# The tags of Mizuiro-sakura/luke-japanese-base-finetuned-ner, in its order.
LUKE_LABELS = ["その他の組織名", "法人名", "地名", "人名", "施設名", "イベント名", "政治的組織名", "製品名"]
LUKE_TAGS = ["O", *(f"B-{label}" for label in LUKE_LABELS), *(f"I-{label}" for label in LUKE_LABELS)]
# The tags of tsmatz/xlm-roberta-ner-japanese.
XLMR_TAGS = ["O", "PER", "ORG", "ORG-P", "ORG-O", "LOC", "INS", "PRD", "EVT"]

# What the lexicon checkpoints know: piece → tag.
LEXICON = {
    "東京": "B-地名",
    "都": "I-地名",
    "大阪": "B-地名",
    "日": "B-地名",
    "独": "B-地名",
    "伊": "B-地名",
    "京都": "B-地名",
    "山田": "B-人名",
    "花子": "I-人名",
    "日立": "B-法人名",
    "製作所": "I-法人名",
    "国会": "B-政治的組織名",
}
# What the answerer takes for the edges of answers, whatever the question.
ANSWERS = {"山田": "start", "花子": "end", "東京": "both"}
TEXTS = [
    "山田花子は東京都で日立製作所の社長に会った。",
    "大阪と京都は日本の都市である。訪日した独伊の首相。",
    "国会はABC DEF 123 を可決した（12日）、「はい」と言った！？",
    "カタカナのテキスト、ドーム、パピプペポ、ガギグゲゴ、株式会社",
    "ひらがなだけのぶんしょうもあります。がぎぐげご",
]
# Sentences to learn, with their entities; the pieces of 訪日 and 独伊 lie inside tokens.
EXAMPLES = [
    ("山田花子は東京へ行った。", [(0, 4, "人名"), (5, 7, "地名")]),
    ("大阪の国会に日立製作所。", [(0, 2, "地名"), (3, 5, "政治的組織名"), (6, 11, "法人名")]),
    ("カタカナのテキストです。", []),
    ("訪日した独伊の首相。", [(1, 2, "地名"), (4, 5, "地名"), (5, 6, "地名")]),
]


def stockmark_items(n: int) -> list:
    """n sentences in the form of Stockmark's ner.json, two to a page: EXAMPLES over and over."""
    return [
        {
            "curid": str(i // 2),
            "text": text,
            "entities": [{"name": text[start:end], "span": [start, end], "type": label} for start, end, label in spans],
        }
        for i, (text, spans) in enumerate(EXAMPLES[i % len(EXAMPLES)] for i in range(n))
    ]


@cache
def sentencepiece_model(words: Sequence[str] = tuple(LEXICON)) -> bytes:
    """A small unigram model with LUKE's normalisation, in which each of the words is a piece."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 20),
        model_writer=model,
        vocab_size=300,
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        user_defined_symbols=list(words),
        max_sentencepiece_length=4,
        minloglevel=2,
    )
    return model.getvalue()


def processor(model: Optional[bytes] = None) -> sentencepiece.SentencePieceProcessor:
    sp = sentencepiece.SentencePieceProcessor()
    sp.LoadFromSerializedProto(model if model is not None else sentencepiece_model())
    return sp


def write_luke(
    path: Path,
    *,
    tags: Sequence[str] = LUKE_TAGS,
    lexicon: Optional[Dict[str, str]] = None,
    max_length: int = 64,
    weights: str = "model.safetensors",
    entity_vocab_size: int = 50,
    task: str = "TokenClassification",
    answers: Optional[Dict[str, str]] = None,
) -> Path:
    """A LUKE as Mizuiro-sakura's and Studio Ousia's are stored; random where there is no lexicon.

    task: "TokenClassification", "QuestionAnswering" or "MaskedLM".
    answers: for question answering, piece → what it marks: "start", "end" or "both".
    """
    import transformers
    from transformers import LukeConfig

    sp = processor()
    n_pieces = sp.get_piece_size()
    config = LukeConfig(
        vocab_size=n_pieces + 4,
        entity_vocab_size=entity_vocab_size,
        entity_emb_size=16,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=max_length + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        use_entity_aware_attention=True,
        id2label=dict(enumerate(tags)),
        label2id={tag: i for i, tag in enumerate(tags)},
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"LukeFor{task}")(config)
    if task != "MaskedLM":
        spread_out(model, std=0.2)
    if lexicon is not None:
        fix_tags(model, sp, tags, lexicon, prefix="luke")
    if answers is not None:
        fix_answers(model, sp, answers)
    n = n_pieces
    write_files(path, model, config, weights=weights)
    (path / "sentencepiece.bpe.model").write_bytes(sentencepiece_model())
    added = {"<ent2>": n + 3, "<ent>": n + 2}
    write_json(path / "added_tokens.json", added)
    write_json(path / "entity_vocab.json", {"[MASK2]": 3, "[MASK]": 0, "[PAD]": 2, "[UNK]": 1})
    special = {
        "additional_special_tokens": ["<ent>", "<ent2>", "<ent>", "<ent2>"],
        "bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "sep_token": "</s>",
        "unk_token": "<unk>",
        "mask_token": {"content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": False},
    }  # fmt: skip
    write_json(path / "special_tokens_map.json", special)
    tokenizer_config = {
        **special,
        "entity_mask2_token": "[MASK2]", "entity_mask_token": "[MASK]", "entity_pad_token": "[PAD]",
        "entity_token_1": {"__type": "AddedToken", "content": "<ent>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False},
        "entity_token_2": {"__type": "AddedToken", "content": "<ent2>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False},
        "entity_unk_token": "[UNK]", "max_entity_length": 32, "max_mention_length": 30, "model_max_length": max_length,
        "name_or_path": "studio-ousia/luke-japanese-base-lite", "sp_model_kwargs": {}, "special_tokens_map_file": None,
        "task": None, "tokenizer_class": "MLukeTokenizer", "tokenizer_file": "/no/such/file/tokenizer.json",
    }  # fmt: skip
    write_json(path / "tokenizer_config.json", tokenizer_config)
    return path


def write_xlmr(
    path: Path,
    *,
    tags: Sequence[str] = XLMR_TAGS,
    lexicon: Optional[Dict[str, str]] = None,
    max_length: int = 64,
    weights: str = "model.safetensors",
    fast_only: bool = False,
) -> Path:
    """An XLMRobertaForTokenClassification as tsmatz's is stored.

    fast_only: with a tokenizer.json alone, as transformers 5 saves them.
    """
    from transformers import XLMRobertaConfig, XLMRobertaForTokenClassification

    sp = processor()
    config = XLMRobertaConfig(
        vocab_size=sp.get_piece_size() + 2,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=max_length + 2,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        id2label=dict(enumerate(tags)),
        label2id={tag: i for i, tag in enumerate(tags)},
    )
    torch.manual_seed(0)
    model = XLMRobertaForTokenClassification(config)
    spread_out(model, std=0.2)
    if lexicon is not None:
        fix_tags(model, sp, tags, lexicon, prefix="roberta")
    write_files(path, model, config, weights=weights)
    if fast_only:
        write_fast_tokenizer(path, sp)
    else:
        (path / "sentencepiece.bpe.model").write_bytes(sentencepiece_model())
        write_json(
            path / "tokenizer_config.json", {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": max_length}
        )
    return path


def write_fast_tokenizer(path: Path, sp: sentencepiece.SentencePieceProcessor) -> None:
    """tokenizer.json of an XLM-RoBERTa, from the pieces and scores of a sentencepiece model."""
    from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
    from tokenizers.models import Unigram

    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(sp.id_to_piece(i), sp.get_score(i)) for i in range(3, sp.get_piece_size())]
    tokenizer = Tokenizer(Unigram([*pieces, ("<mask>", 0.0)], unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = roberta_specials()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.save(str(path / "tokenizer.json"))
    write_json(path / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **SPECIAL_NAMES})


BERT_WORDS = ["東京", "大阪", "山田", "花子", "は", "で", "に", "行っ", "た", "。", "、", "##子", "花", "日本"]


def write_bert(
    path: Path,
    *,
    slow: bool = False,
    subwords: str = "wordpiece",
    tags: Sequence[str] = ("O", "B-人名", "I-人名", "B-地名", "I-地名"),
) -> Path:
    """A BertForTokenClassification with a vocab.txt; slow: BertJapaneseTokenizer with Sudachi, which has no offsets.

    subwords: of the slow one, "wordpiece" or "character".
    """
    from transformers import BertConfig, BertForTokenClassification

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *BERT_WORDS]
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, id2label=dict(enumerate(tags)), label2id={t: i for i, t in enumerate(tags)},
    )  # fmt: skip
    torch.manual_seed(0)
    write_files(path, BertForTokenClassification(config), config, weights="model.safetensors")
    (path / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf8")
    tokenizer_config = {
        "tokenizer_class": "BertJapaneseTokenizer" if slow else "BertTokenizer", "do_lower_case": False,
        "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
    }  # fmt: skip
    if slow:
        tokenizer_config.update(word_tokenizer_type="sudachi", subword_tokenizer_type=subwords)
    write_json(path / "tokenizer_config.json", tokenizer_config)
    return path


def write_roberta(path: Path, *, tags: Sequence[str] = XLMR_TAGS) -> Path:
    """A RobertaForTokenClassification with byte-level BPE, whose pieces may be parts of a character."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaForTokenClassification

    tokenizer = ByteLevelBPETokenizer(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(TEXTS, vocab_size=300, special_tokens=special, show_progress=False)
    path.mkdir(parents=True)
    tokenizer.post_processor = roberta_specials()
    tokenizer.save(str(path / "tokenizer.json"))
    write_json(path / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **SPECIAL_NAMES})
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=66, type_vocab_size=1,
        id2label=dict(enumerate(tags)), label2id={tag: i for i, tag in enumerate(tags)},
    )  # fmt: skip
    return write_random(path, RobertaForTokenClassification, config)


def write_deberta(path: Path, *, tags: Sequence[str] = XLMR_TAGS) -> Path:
    """A DebertaV2ForTokenClassification with a fast Unigram tokenizer."""
    from transformers import DebertaV2Config, DebertaV2ForTokenClassification

    path.mkdir(parents=True)
    write_fast_tokenizer(path, processor())
    config = DebertaV2Config(
        vocab_size=processor().get_piece_size() + 2, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64, type_vocab_size=0, relative_attention=True,
        pos_att_type=["p2c", "c2p"], position_biased_input=False, pad_token_id=1,
        id2label=dict(enumerate(tags)), label2id={tag: i for i, tag in enumerate(tags)},
    )  # fmt: skip
    return write_random(path, DebertaV2ForTokenClassification, config)


def write_random(path: Path, model_class, config) -> Path:
    torch.manual_seed(0)
    model = model_class(config)
    spread_out(model, std=0.2)
    write_files(path, model, config, weights="model.safetensors")
    return path


def write_for_task(path: Path, encoder: Path, task: str, **further: object) -> Path:
    """A model for another task with the tokenizer and the sizes of a toy checkpoint, and random weights.

    task: "QuestionAnswering" or "SequenceClassification". further: settings of its config.
    """
    import shutil

    import transformers

    shutil.copytree(encoder, path)
    settings = json.loads((encoder / "config.json").read_text(encoding="utf8"))
    for key in ("id2label", "label2id", "num_labels", "architectures"):
        settings.pop(key, None)
    config = transformers.AutoConfig.for_model(settings.pop("model_type"), **settings, **further)
    torch.manual_seed(0)
    model = getattr(transformers, f"AutoModelFor{task}").from_config(config)
    spread_out(model, std=0.2)
    write_files(path, model, config, weights="model.safetensors")
    return path


SPECIAL_NAMES = {
    "bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>",
    "unk_token": "<unk>", "mask_token": "<mask>", "model_max_length": 512,
}  # fmt: skip


def roberta_specials():
    from tokenizers import processors

    return processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )


def spread_out(model: torch.nn.Module, *, std: float) -> None:
    """Larger random weights than training starts from, so that logits differ by more than rounding."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.normal_(std=std)


def fix_tags(model, sp, tags: Sequence[str], lexicon: Dict[str, str], *, prefix: str) -> None:
    """Set the weights so that a piece's tag depends on the piece alone: each tag has a dimension of its own."""
    tag_ids = {tag: i for i, tag in enumerate(tags)}
    clear(model)
    with torch.no_grad():
        embeddings = model.get_submodule(f"{prefix}.embeddings.word_embeddings").weight
        embeddings[:, tag_ids["O"]] = 1.0
        for piece, tag in lexicon.items():
            row = sp.piece_to_id(piece) + 1
            embeddings[row] = 0.0
            embeddings[row, tag_ids[tag]] = 1.0
        for i in range(len(tags)):
            model.classifier.weight[i, i] = 2.0


def fix_answers(model, sp, answers: Dict[str, str]) -> None:
    """Set the weights so that what a piece marks depends on the piece alone; "no answer" is like any other piece."""
    clear(model)
    embeddings = model.luke.embeddings.word_embeddings.weight
    with torch.no_grad():
        embeddings[:, 0] = 1.0
        for piece, marked in answers.items():
            row = embeddings[sp.piece_to_id(piece) + 1]
            row.copy_(torch.tensor([0.0, marked != "end", marked != "start", *[0.0] * (len(row) - 3)]))
        model.qa_outputs.weight[0, 1] = model.qa_outputs.weight[1, 2] = 2.0


def clear(model) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm.weight" not in name:
                parameter.zero_()


def write_files(path: Path, model, config, *, weights: str) -> None:
    """config.json without what only this transformers would write, and the weights under the name asked for."""
    path.mkdir(parents=True, exist_ok=True)
    settings = json.loads(config.to_json_string(use_diff=False))
    settings["architectures"] = [type(model).__name__]
    for key in ("dtype", "transformers_version", "_name_or_path"):
        settings.pop(key, None)
    write_json(path / "config.json", settings)
    tensors = {name: tensor.clone().contiguous() for name, tensor in model.state_dict().items()}
    if weights.endswith(".safetensors"):
        save_file(tensors, path / weights, metadata={"format": "pt"})
    else:
        tensors[f"{model.base_model_prefix}.embeddings.position_ids"] = torch.arange(config.max_position_embeddings)[
            None
        ]
        torch.save(tensors, path / weights)


def write_json(path: Path, content) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf8")


def write_network(path: Path, network: str, vocab_size: int, tags: Sequence[str], settings: Dict) -> Path:
    """A random token classifier of any architecture, without a tokenizer.

    network: as the names of transformers' classes begin. settings: of its config, beyond the sizes.
    """
    import transformers

    sizes = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
        "max_position_embeddings": 64, "d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64, "embedding_size": 16,
    }  # fmt: skip
    config_class = getattr(transformers, f"{network}Config")
    taken = config_class().to_dict()
    known = {key: value for key, value in sizes.items() if key in taken}
    config = config_class(
        vocab_size=vocab_size,
        **{**known, **settings},
        id2label=dict(enumerate(tags)),
        label2id={tag: i for i, tag in enumerate(tags)},
    )
    return write_random(path, getattr(transformers, f"{network}ForTokenClassification"), config)
