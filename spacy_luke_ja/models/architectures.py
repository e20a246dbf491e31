"""The registered models: Docs in, logits per subword out; and the filling of them from a checkpoint."""

from typing import Any, Optional, cast

from thinc.api import Model, chain

from ..text.windows import check_window
from .checkpoint_shim import CheckpointShim
from .encode_pairs import encode_pairs
from .encode_subwords import encode_subwords
from .hf_checkpoint import Checkpoint
from .hf_classifier import hf_classifier
from .hf_loader import QUESTION_ANSWERER, max_window
from .hf_shim import HFShim
from .hf_tokenizer import open_encoder
from .types import LukeNerModel, LukeQaModel
from .with_pair_windows import longest_question, with_pair_windows
from .with_windows import with_windows


def HFTokenClassifier(
    *,
    name: str,
    revision: Optional[str],
    window: Optional[int],
    overlap: int,
    max_batch_subwords: int,
    precision: str,
    training_precision: str,
    frozen_layers: int,
    freeze_embeddings: bool,
) -> LukeNerModel:
    """A Hugging Face token classifier over texts of any length (spacy-luke-ja.HFTokenClassifier.v1).

    name: the checkpoint: ja_luke_ner_sm or ja_luke_sm (embedded), a local directory, or a name on the Hugging Face hub.
    revision: the hub's branch, tag or commit; None for its main branch.
    window: subwords that a window of several sentences may have, special ones not counted; the checkpoint's own
        (window in its config.json, else 126) when None.
    overlap: subwords that the windows of one sentence share, where it is too long for one.
    max_batch_subwords: the most subwords in a batch, padding and special ones included.
    precision: "float32", "bfloat16", "float16", or "auto" for bfloat16 where the hardware has it.
    training_precision, frozen_layers, freeze_embeddings: as in HFShim.

    Nothing is read before fill_model is called.
    """
    shim = HFShim(
        precision=precision,
        training_precision=training_precision,
        frozen_layers=frozen_layers,
        freeze_embeddings=freeze_embeddings,
    )
    return windowed_classifier(
        shim, name=name, revision=revision, window=window, overlap=overlap, max_batch_subwords=max_batch_subwords
    )


def HFQuestionAnswerer(
    *,
    name: str,
    revision: Optional[str],
    window: Optional[int],
    overlap: int,
    max_batch_subwords: int,
    precision: str,
    training_precision: str,
    frozen_layers: int,
    freeze_embeddings: bool,
) -> LukeQaModel:
    """A Hugging Face model for extractive question answering over texts of any length
    (spacy-luke-ja.HFQuestionAnswerer.v1).

    name: the checkpoint: ja_luke_sm (embedded; to be trained), a local directory, or a name on the Hugging Face hub.
    window: subwords of the text in a window; as many as the question leaves of what the encoder takes when None.
    overlap: subwords that neighbouring windows share.
    The others as in spacy-luke-ja.HFTokenClassifier.v1.

    Nothing is read before fill_answerer is called.
    """
    shim = HFShim(
        head=QUESTION_ANSWERER,
        precision=precision,
        training_precision=training_precision,
        frozen_layers=frozen_layers,
        freeze_embeddings=freeze_embeddings,
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
    model.attrs.update(name=name, revision=revision, score_temperature=None, cut_cost=None)
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
    decoding = {"score_temperature": checkpoint.score_temperature, "cut_cost": checkpoint.cut_cost}
    encoder = open_encoder(checkpoint)
    limit = load_weights(model, checkpoint, new_head=new_head)
    windows = model.get_ref("windows")
    window, overlap = windows.attrs["window"], windows.attrs["overlap"]
    n_special = len(encoder.prefix_ids) + len(encoder.suffix_ids)
    most = max_window(limit, checkpoint, n_special=n_special, window=window)
    check_window(most, overlap)
    windows.attrs.update(
        max_window=most,
        usual_window=min(most, checkpoint.window),
        prefix_ids=encoder.prefix_ids,
        suffix_ids=encoder.suffix_ids,
        pad_id=encoder.pad_id,
    )
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
    encoder = open_encoder(checkpoint)
    pair_ids = encoder.pair_ids()
    if pair_ids.text_type_id >= checkpoint.config.get("type_vocab_size", 2):
        pair_ids = pair_ids._replace(text_type_id=0)  # its tokenizer has types, but its encoder none
    if pair_ids.text_type_id and not cast(CheckpointShim, model.get_ref("classifier").shims[0]).takes_type_ids:
        raise ValueError(
            f"the encoder of {checkpoint.name} is told which text is the question and which the context, and the "
            "OpenVINO model cannot tell it; use spacy-luke-ja.HFQuestionAnswerer.v1"
        )
    limit = load_weights(model, checkpoint, new_head=new_head)
    windows = model.get_ref("windows")
    n_special = sum(map(len, (pair_ids.before, pair_ids.between, pair_ids.after)))
    limit, overlap = limit - n_special, windows.attrs["overlap"]
    if longest_question(limit, overlap) < 1:
        raise ValueError(
            f"overlap must be at most {(limit - 1) // 2} for the checkpoint {checkpoint.name}, whose encoder takes "
            f"{limit} subwords of question and text, got {overlap}"
        )
    windows.attrs.update(max_window=limit, pair_ids=pair_ids, pad_id=encoder.pad_id)
    model.get_ref("encoder").attrs["encoder"] = encoder


def load_weights(model: Model, checkpoint: Checkpoint, *, new_head: bool) -> int:
    """RETURNS: the most subwords, special ones included, that the encoder takes."""
    classifier = model.get_ref("classifier")
    shim = cast(CheckpointShim, classifier.shims[0])
    shim.load(checkpoint, new_head=new_head)
    classifier.attrs["n_tags"] = len(checkpoint.tags)
    return shim.max_subwords
