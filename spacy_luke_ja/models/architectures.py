"""The registered models: Docs in, logits per subword out; and the filling of them from a checkpoint."""

from typing import Any, Mapping, Optional, cast

from thinc.api import Model, chain

from ..text.windows import check_window
from .checkpoint_shim import CheckpointShim
from .encode_pairs import encode_pairs
from .encode_subwords import encode_subwords
from .hf_checkpoint import Checkpoint
from .hf_classifier import hf_classifier
from .hf_loader import QUESTION_ANSWERER, max_window
from .hf_shim import HFShim
from .hf_tokenizer import open_encoder, settle_tokenizer
from .types import LukeNerModel, LukeQaModel
from .with_pair_windows import longest_question, with_pair_windows
from .with_windows import overlap_for, with_windows

# What a checkpoint says of the decoding of its logits.
DECODING = ("score_temperature", "cut_cost", "line_break_cost", "longest_entity")


def HFTokenClassifier(
    *,
    name: str,
    revision: Optional[str],
    window: Optional[int],
    overlap: Optional[int],
    max_batch_subwords: int,
    precision: str,
    training_precision: str,
    frozen_layers: int,
    freeze_embeddings: bool,
    device: str = "auto",
) -> LukeNerModel:
    """A Hugging Face token classifier over texts of any length (spacy-luke-ja.HFTokenClassifier.v1).

    name: the checkpoint: ja_luke_ner_sm or ja_luke_sm (embedded), a local directory, or a name on the Hugging Face hub.
    revision: the hub's branch, tag or commit; None for its main branch.
    window: subwords that a window of several sentences may have, special ones not counted; the checkpoint's own
        (window in its config.json, else 126) when None.
    overlap: subwords that the windows of one sentence share, where it is too long for one; None for 64, or as many
        as a small encoder can.
    max_batch_subwords: the most subwords in a batch, padding and special ones included.
    precision: "float32", "bfloat16", "float16", or "auto" for bfloat16 where the hardware has it.
    training_precision, frozen_layers, freeze_embeddings, device: as in HFShim.

    Nothing is read before fill_model is called.
    """
    shim = HFShim(
        precision=precision,
        training_precision=training_precision,
        frozen_layers=frozen_layers,
        freeze_embeddings=freeze_embeddings,
        device=device,
    )
    return windowed_classifier(
        shim, name=name, revision=revision, window=window, overlap=overlap, max_batch_subwords=max_batch_subwords
    )


def HFQuestionAnswerer(
    *,
    name: str,
    revision: Optional[str],
    window: Optional[int],
    overlap: Optional[int],
    max_batch_subwords: int,
    precision: str,
    training_precision: str,
    frozen_layers: int,
    freeze_embeddings: bool,
    device: str = "auto",
) -> LukeQaModel:
    """A Hugging Face model for extractive question answering over texts of any length
    (spacy-luke-ja.HFQuestionAnswerer.v1).

    name: the checkpoint: ja_luke_sm (embedded; to be trained), a local directory, or a name on the Hugging Face hub.
    window: subwords of the text in a window; as many as the question leaves of what the encoder takes when None.
    overlap: subwords that neighbouring windows share; None for 128, or as many as a small encoder can.
    The others as in spacy-luke-ja.HFTokenClassifier.v1.

    Nothing is read before fill_answerer is called.
    """
    shim = HFShim(
        head=QUESTION_ANSWERER,
        precision=precision,
        training_precision=training_precision,
        frozen_layers=frozen_layers,
        freeze_embeddings=freeze_embeddings,
        device=device,
    )
    return windowed_answerer(
        shim, name=name, revision=revision, window=window, overlap=overlap, max_batch_subwords=max_batch_subwords
    )


def windowed_classifier(
    shim: CheckpointShim, *, name: str, revision: Optional[str], **window_settings: Any
) -> LukeNerModel:
    """A classifier, however it is run, over texts of any length. The settings are those of HFTokenClassifier."""
    classifier = hf_classifier(shim)
    model = chain_layers(encode_subwords(), with_windows(classifier, **window_settings), classifier)
    model.attrs.update(name=name, revision=revision, **dict.fromkeys(DECODING))
    return model


def windowed_answerer(
    shim: CheckpointShim, *, name: str, revision: Optional[str], **window_settings: Any
) -> LukeQaModel:
    """A question answerer, however it is run, over texts of any length, with the settings of HFQuestionAnswerer."""
    classifier = hf_classifier(shim)
    model = chain_layers(encode_pairs(), with_pair_windows(classifier, **window_settings), classifier)
    model.attrs.update(name=name, revision=revision)
    return model


def chain_layers(encoder: Model, windows: Model, classifier: Model) -> Any:
    model: Any = chain(encoder, windows)
    model.set_ref("encoder", encoder)
    model.set_ref("windows", windows)
    model.set_ref("classifier", classifier)
    return model


def fill_model(model: LukeNerModel, checkpoint: Checkpoint, *, new_head: bool = False) -> None:
    """Load a checkpoint's tokenizer and weights into a model made by HFTokenClassifier.

    new_head: the classifier starts at random, for training on the checkpoint's tags.
    """
    decoding = {name: getattr(checkpoint, name) for name in DECODING}
    checkpoint = settle_tokenizer(checkpoint)
    encoder = open_encoder(checkpoint)
    special = {
        "prefix_ids": encoder.prefix_ids,
        "suffix_ids": encoder.suffix_ids,
        "start_ids": encoder.start_ids,
        "pad_id": encoder.pad_id,
        "usual_window": checkpoint.window,
    }
    n_special = len(encoder.prefix_ids) + len(encoder.suffix_ids)
    load_weights(model, checkpoint, new_head=new_head, n_special=n_special, attrs=special)
    model.attrs.update(decoding)
    model.get_ref("encoder").attrs["encoder"] = encoder


def fill_answerer(model: LukeQaModel, checkpoint: Checkpoint, *, new_head: bool = False) -> None:
    """Load a checkpoint's tokenizer and weights into a model made by HFQuestionAnswerer.

    new_head: the layer behind the encoder starts at random, for training.
    """
    if len(checkpoint.tags) != 2:
        raise ValueError(
            f"the checkpoint {checkpoint.name} has {len(checkpoint.tags)} outputs; question answering needs 2, for "
            "where an answer starts and where it ends"
        )
    checkpoint = settle_tokenizer(checkpoint)
    encoder = open_encoder(checkpoint)
    pair_ids = encoder.pair_ids()
    if pair_ids.text_type_id >= checkpoint.config.get("type_vocab_size", 2):
        pair_ids = pair_ids._replace(text_type_id=0)  # its tokenizer has types, but its encoder none
    if pair_ids.text_type_id and not shim_of(model).takes_type_ids:
        raise ValueError(
            f"the encoder of {checkpoint.name} is told which text is the question and which the context, and the "
            "OpenVINO model cannot tell it; use spacy-luke-ja.HFQuestionAnswerer.v1"
        )
    n_special = sum(map(len, (pair_ids.before, pair_ids.between, pair_ids.after)))
    special = {"pair_ids": pair_ids, "pad_id": encoder.pad_id}
    load_weights(model, checkpoint, new_head=new_head, n_special=n_special, attrs=special)
    model.get_ref("encoder").attrs["encoder"] = encoder


def load_weights(
    model: Model, checkpoint: Checkpoint, *, new_head: bool, n_special: int, attrs: Mapping[str, Any]
) -> None:
    """Load a checkpoint's weights into a model, and set the attributes of its windows; if anything fails, neither.

    n_special: special subwords around a window.
    """
    windows = {**attrs, "max_window": None}

    def check(max_subwords: int) -> None:
        windows["max_window"] = max_subwords - n_special
        if "usual_window" in windows:
            windows["usual_window"] = min(windows["usual_window"], windows["max_window"])
        check_windows_fit(model, checkpoint, **windows)

    shim_of(model).load(checkpoint, new_head=new_head, check=check)
    model.get_ref("classifier").attrs["n_tags"] = len(checkpoint.tags)
    model.get_ref("windows").attrs.update(windows)


def shim_of(model: Model) -> CheckpointShim:
    return cast(CheckpointShim, model.get_ref("classifier").shims[0])


def check_windows_fit(model: Model, checkpoint: Checkpoint, **attrs: Any) -> None:
    """Raise a ValueError where the settings window and overlap do not fit a checkpoint's encoder.

    attrs: of the windows' layer, as they will be with the checkpoint; those that it has when left out.
    """
    attrs = {**model.get_ref("windows").attrs, **attrs}
    limit, overlap = attrs["max_window"], attrs["overlap"]
    if "pair_ids" not in attrs:
        n_special = len(attrs["prefix_ids"]) + len(attrs["suffix_ids"])
        most = max_window(limit + n_special, checkpoint, n_special=n_special, window=attrs["window"])
        check_window(most, overlap_for(overlap, most))
    elif longest_question(limit, overlap) < 1:
        raise ValueError(
            f"overlap must be at most {(limit - 1) // 2} for the checkpoint {checkpoint.name}, whose encoder takes "
            f"{limit} subwords of question and text, got {overlap}"
        )
