"""The registered model: inputs of a task in, what a checkpoint says of each out; and the filling of it."""

from typing import Any, List, cast

from thinc.api import Model

from .checkpoint_shim import CheckpointShim
from .hf_checkpoint import Checkpoint
from .hf_classifier import hf_classifier
from .hf_shim import HFShim
from .hf_tokenizer import open_encoder, settle_tokenizer
from .settings import ModelSettings, takes_settings
from .task import Frame, Task
from .with_windows import with_windows


@takes_settings
def HFModel(settings: ModelSettings) -> Model[List[Any], List[Any]]:
    """A Hugging Face model over texts of any length, run by PyTorch (spacy-luke-ja.HFModel.v1).

    The component that has it says for which task. The settings are those of ModelSettings. Nothing is read before
    fill_model is called.
    """
    return windowed_model(HFShim(settings), settings)


def windowed_model(shim: CheckpointShim, settings: ModelSettings) -> Model[List[Any], List[Any]]:
    """A model for any task, however it is run."""
    classifier = hf_classifier(shim)
    model = with_windows(classifier, settings)
    model.set_ref("classifier", classifier)
    return model


def fill_model(model: Model, task: Task, checkpoint: Checkpoint, *, new_head: bool = False) -> None:
    """Load a checkpoint's tokenizer and weights into a model, for a task; if anything fails, neither.

    new_head: the layer behind the encoder starts at random, for training on the checkpoint's tags.
    """
    checkpoint = task.prepare(checkpoint)
    attrs = task.read_checkpoint(checkpoint)
    checkpoint = settle_tokenizer(checkpoint)
    encoder = open_encoder(checkpoint)
    shim, frame = shim_of(model), task.frame(encoder, checkpoint)
    if task.needs_entities and not shim.takes_entities:
        raise ValueError("the OpenVINO model takes no entities, which this task has; use spacy-luke-ja.HFModel.v1")
    if frame.special.text_type_id and not shim.takes_type_ids:
        raise ValueError(
            f"the encoder of {checkpoint.name} is told which text is the question and which the context, and the "
            "OpenVINO model cannot tell it; use spacy-luke-ja.HFModel.v1"
        )
    frames: List[Frame] = []

    def check(max_subwords: int) -> None:
        frames.append(frame.within(max_subwords))
        task.check_fit(model.attrs["settings"], frames[0], checkpoint.name)

    shim.load(checkpoint, head=task.head, new_head=new_head, check=check)
    model.get_ref("classifier").attrs["n_tags"] = len(checkpoint.tags)
    model.attrs.update(attrs, task=task, encoder=encoder, frame=frames[0])


def shim_of(model: Model) -> CheckpointShim:
    return cast(CheckpointShim, model.get_ref("classifier").shims[0])
