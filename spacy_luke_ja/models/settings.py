"""What an architecture may be asked for: one record, whose fields stand flat in configs."""

import functools
import inspect
from dataclasses import dataclass, fields
from typing import Any, Callable, Collection, Optional, TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True)
class ModelSettings:
    """
    name: the checkpoint: ja_luke_ner_sm, ja_luke_qa_sm or ja_luke_sm (embedded), a local directory, or a name on the
        Hugging Face hub; the component's own when None.
    revision: the hub's branch, tag or commit; None for its main branch.
    window: subwords that a window may have, special ones and a question not counted. None: where windows are whole
        sentences, the checkpoint's own (window in its config.json, else 126); behind a question, what it leaves.
    overlap: subwords that windows share where they cut a sentence, and behind a question always; None for the task's,
        or as many as a small encoder can.
    max_batch_subwords: the most subwords in a batch, padding and special ones included.
    precision: what it runs in: "float32", "bfloat16", "float16", or "auto" for bfloat16 where the hardware has it.
    training_precision: what products are computed in while training: "float32", "bfloat16" (mixed precision), or
        "auto" as above. The weights themselves, their gradients and norms stay in float32.
    frozen_layers: how many of the encoder's layers, from the bottom, training leaves as they are.
    freeze_embeddings: whether it leaves the embeddings as they are.
    device: where it runs, as PyTorch names devices ("cpu", "cuda", "cuda:1", "mps"); "auto" for where spaCy
        computes when the model is made, in this thread: spacy.prefer_gpu() comes before.
    """

    name: Optional[str] = None
    revision: Optional[str] = None
    window: Optional[int] = None
    overlap: Optional[int] = None
    max_batch_subwords: int = 4096
    precision: str = "auto"
    training_precision: str = "float32"
    frozen_layers: int = 0
    freeze_embeddings: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        """Raise a ValueError for what no checkpoint could do."""
        for name, least in (("overlap", 0), ("window", 1), ("max_batch_subwords", 1), ("frozen_layers", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")


# What says how a model is trained, and where.
OF_TRAINING = ("training_precision", "frozen_layers", "freeze_embeddings", "device")


def takes_settings(make: Callable[..., Made], *, without: Collection[str] = ()) -> Callable[..., Made]:
    """Let a function of ModelSettings take their fields in its place, so that it can be registered.

    without: fields that it does not take.
    """
    kind = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(make).parameters.values())[1:]
    taken = [field for field in fields(ModelSettings) if field.name not in without]
    of_settings = [inspect.Parameter(f.name, kind, default=f.default, annotation=f.type) for f in taken]
    signature = inspect.Signature([*of_settings, *own])

    @functools.wraps(make)
    def make_from_fields(**given: Any) -> Made:
        given = signature.bind(**given).kwargs
        others = {parameter.name: given.pop(parameter.name) for parameter in own if parameter.name in given}
        return make(ModelSettings(**given), **others)

    make_from_fields.__signature__ = signature  # type: ignore[attr-defined]
    return make_from_fields
