"""What the components have in common: a checkpoint behind a model, streams of Docs, updates, saving."""

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, TypeVar, Union

import srsly
from spacy import util
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from ..models.hf_checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from ..models.hf_tokenizer import open_encoder
from ..text.subwords import SubwordEncoder

Self = TypeVar("Self", bound="CheckpointPipe")

# Threads of one process share a component; its weights load once.
_loading = threading.RLock()


class CheckpointPipe(TrainablePipe, ABC):
    """A component whose weights are a Hugging Face checkpoint, read at the first use.

    Its heirs say what is in a checkpoint (_fill), what the model finds (predict), where that goes (set_annotations),
    and what is learned from (_summed_loss).
    """

    def __init__(self, vocab: Vocab, model: Model, name: str, scorer: Optional[Callable] = None):
        self.vocab = vocab
        self.model = model
        self.name = name
        self.scorer = scorer
        self.cfg: Dict[str, Any] = {}

    # Loading

    @property
    def _shim(self) -> Any:
        return self.model.get_ref("classifier").shims[0]

    @property
    def _is_loaded(self) -> bool:
        return self.model.get_ref("encoder").attrs["encoder"] is not None

    def _open(self) -> Checkpoint:
        return open_checkpoint(self.model.attrs["name"], revision=self.model.attrs["revision"])

    def load(self) -> None:
        """Read the checkpoint that the settings name, once. The first use does this by itself."""
        if self._is_loaded:
            return
        with _loading:
            if not self._is_loaded:
                self._fill_first(self._open())

    def _fill_first(self, checkpoint: Checkpoint) -> None:
        """Fill the model from the checkpoint of the settings."""
        self._fill(checkpoint)

    @abstractmethod
    def _fill(self, checkpoint: Checkpoint) -> None:
        """Fill the model from a checkpoint, be it that of the settings or a saved one."""

    def _fill_saved(self, checkpoint: Checkpoint) -> None:
        """Fill the model from what to_disk or to_bytes wrote."""
        self._fill(checkpoint)

    @property
    def precision(self) -> Optional[str]:
        """What the weights run in, "float32", "bfloat16" or "float16"; None before they are loaded."""
        return self._shim.precision_in_use if self._is_loaded else None

    @property
    def subword_encoder(self) -> SubwordEncoder:
        """What cuts texts into the checkpoint's subwords; also that of a bare encoder, which cannot be used yet."""
        if self._is_loaded:
            return self.model.get_ref("encoder").attrs["encoder"]
        return open_encoder(self._open())

    # Prediction

    def __call__(self, doc: Doc) -> Doc:
        docs = list(self.pipe([doc]))
        return docs[0] if docs else None  # type: ignore[return-value]  # as spaCy's own, when an error was handled

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream. A Doc that fails goes to the error handler alone; all others come out, in order.

        batch_size: Docs to look at together; the model's batches are cut from them by max_batch_subwords.
        """
        for docs in util.minibatch(stream, size=batch_size):
            yield from self._annotate_batch(list(docs))

    def _annotate_batch(self, docs: List[Doc]) -> Iterator[Doc]:
        handle_error = self.get_error_handler()
        try:
            self.load()
        except Exception as error:  # no Doc is to blame, and none can be annotated
            handle_error(self.name, self, docs, error)
            return
        try:
            predictions: List[Any] = self.predict(docs)
        except Exception:
            predictions = [None] * len(docs)  # one of them failed: each by itself
        for doc, found in zip(docs, predictions):
            try:
                self.set_annotations([doc], self.predict([doc]) if found is None else [found])
            except Exception as error:
                handle_error(self.name, self, [doc], error)
            else:
                yield doc

    # Training

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from a batch of examples.

        drop: dropout in the encoder and before the classifier.
        RETURNS: losses, with the mean loss added under the component's name.
        """
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        validate_examples(examples, f"{type(self).__name__}.update")
        examples = [example for example in examples if len(example.predicted)]
        if not examples:
            return losses
        self.load()
        set_dropout_rate(self.model, drop)
        outputs, backprop = self.model.begin_update(self._inputs(examples))
        loss, gradients, n_terms = self._summed_loss(examples, outputs)
        backprop(gradients)
        self._shim.n_loss_terms += n_terms
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss / max(1, n_terms)
        return losses

    def _inputs(self, examples: Sequence[Example]) -> List[Any]:
        """What the model is given to learn from examples."""
        return [example.predicted for example in examples]

    @abstractmethod
    def _summed_loss(self, examples: Iterable[Example], outputs: List[Any]) -> Tuple[float, List[Any], int]:
        """RETURNS: the sum of the loss over its terms, its gradient per output, and the number of terms."""

    def _not_finite(self) -> str:
        """What to say when the model gives logits that are not finite."""
        if self._shim.n_updates:
            return (
                f"[{self.name}] training has diverged: the logits are not finite. Lower the learning rate "
                "(training.optimizer.learn_rate), or clip the gradient (training.optimizer.grad_clip)"
            )
        return (
            f"[{self.name}] the checkpoint {self._shim.checkpoint.name} gives logits that are not finite; its "
            'weights are damaged, or need precision = "float32"'
        )

    # Saving

    def to_disk(self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> None:
        """Write cfg and model/, a checkpoint in the Hugging Face layout with all that the component needs."""
        self.load()
        serializers = {
            "cfg": lambda p: srsly.write_json(p, self.cfg),
            "vocab": lambda p: self.vocab.to_disk(p, exclude=exclude),
            "model": lambda p: self._shim.save_checkpoint(p),
        }
        util.to_disk(path, serializers, exclude)

    def from_disk(self: Self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> Self:
        deserializers: Dict[str, Callable[[Path], Any]] = {
            "cfg": lambda p: self.cfg.update(srsly.read_json(p)),
            "vocab": lambda p: self.vocab.from_disk(p, exclude=exclude),
            "model": lambda p: self._fill_saved(read_directory(p)),
        }
        util.from_disk(path, deserializers, exclude)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        self.load()
        serializers = {
            "cfg": lambda: srsly.json_dumps(self.cfg),
            "vocab": lambda: self.vocab.to_bytes(exclude=exclude),
            "model": self._shim.to_bytes,
        }
        return util.to_bytes(serializers, exclude)

    def from_bytes(self: Self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Self:
        deserializers = {
            "cfg": lambda b: self.cfg.update(srsly.json_loads(b)),
            "vocab": lambda b: self.vocab.from_bytes(b, exclude=exclude),
            "model": lambda b: self._fill_saved(Checkpoint.from_bytes(b)),
        }
        util.from_bytes(bytes_data, deserializers, exclude)
        return self


def read_directory(path: Path) -> Checkpoint:
    return read_checkpoint(str(path), lambda name: path / name if (path / name).is_file() else None)
