"""The registered model: Docs in, logits per subword out; and the filling of it from a checkpoint."""

from typing import Optional, cast

from thinc.api import chain

from ..text.windows import check_window
from .checkpoint_shim import CheckpointShim
from .encode_subwords import encode_subwords
from .hf_checkpoint import Checkpoint
from .hf_classifier import hf_classifier
from .hf_loader import max_window
from .hf_shim import HFShim
from .hf_tokenizer import open_encoder
from .types import LukeNerModel
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
    window: subwords in a window, special ones not counted; the most that the encoder takes when None.
    overlap: subwords that neighbouring windows of a long text share.
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


def windowed_classifier(
    shim: CheckpointShim,
    *,
    name: str,
    revision: Optional[str],
    window: Optional[int],
    overlap: int,
    max_batch_subwords: int,
) -> LukeNerModel:
    """A classifier, however it is run, over texts of any length. The settings are those of HFTokenClassifier."""
    encoder = encode_subwords()
    classifier = hf_classifier(shim)
    windows = with_windows(classifier, window=window, overlap=overlap, max_batch_subwords=max_batch_subwords)
    model: LukeNerModel = chain(encoder, windows)
    model.attrs.update(name=name, revision=revision, score_temperature=None, cut_cost=None)
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
    classifier, windows = model.get_ref("classifier"), model.get_ref("windows")
    shim = cast(CheckpointShim, classifier.shims[0])
    shim.load(checkpoint, new_head=new_head)
    n_special = len(encoder.prefix_ids) + len(encoder.suffix_ids)
    window, overlap = windows.attrs["window"], windows.attrs["overlap"]
    limit = max_window(shim.max_subwords, checkpoint, n_special=n_special, window=window)
    check_window(window or limit, overlap)
    windows.attrs.update(
        max_window=limit, prefix_ids=encoder.prefix_ids, suffix_ids=encoder.suffix_ids, pad_id=encoder.pad_id
    )
    classifier.attrs["n_tags"] = len(checkpoint.tags)
    model.attrs.update(decoding)
    model.get_ref("encoder").attrs["encoder"] = encoder
