"""What the components have in common: a checkpoint behind a model, settings, streams of Docs, updates, saving."""

import contextlib
import copy
import json
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from spacy import util
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from spacy.util import load_config, logger
from spacy.vocab import Vocab
from thinc.api import Model, Optimizer, set_dropout_rate

from ..models.architectures import fill_model
from ..models.hf_checkpoint import Checkpoint, open_checkpoint, read_checkpoint
from ..models.hf_loader import NoClassifier
from ..models.hf_tokenizer import open_encoder
from ..models.task import Task
from ..text.messages import show
from ..text.subwords import SubwordEncoder
from ..user_data import pack_quickly
from .settings import Origins, Owner, Setting, WindowSetting, whole_number
from .span_groups import follow_in_loaded_docs

Self = TypeVar("Self", bound="CheckpointPipe")

# Threads of one process share a component; its weights load once.
_loading = threading.RLock()


class CheckpointPipe(TrainablePipe, ABC):
    """A component whose weights are a Hugging Face checkpoint, read at the first use.

    Subclasses define their task, what the model finds (predict), where that goes (set_annotations), what is learned
    from (_summed_loss), and further settings.
    """

    factory: str  # its name
    task: Task
    default_checkpoint: str

    window = WindowSetting(whole_number("window", least=1, optional=True))
    overlap = WindowSetting(whole_number("overlap", least=0, optional=True))
    max_batch_subwords = WindowSetting(whole_number("max_batch_subwords", least=1))

    def __init__(
        self, vocab: Vocab, model: Model, name: str = "", *, scorer: Optional[Callable] = None, **settings: Any
    ):
        """
        scorer: what Language.evaluate calls.
        settings: those of the class, by their names; their defaults for the others.
        """
        self.vocab = vocab
        self.model = model
        self.name = name or self.factory
        self.scorer = scorer
        self.cfg: Dict[str, Any] = {}
        self._owner = Owner()
        self._origins = Origins()
        for setting in self._settings().values():
            if isinstance(setting, WindowSetting):
                self._origins.note(setting.name, setting.read(self))
        self.task.check_settings(model.attrs["settings"])
        own = self._own_settings()
        strange = settings.keys() - own.keys()
        if strange:
            raise TypeError(f"{self.factory} has no setting {', '.join(sorted(strange))}; it has {', '.join(own)}")
        for setting in own.values():
            setattr(self, setting.name, settings.get(setting.name, setting.default))
        self._prepare_process()

    # Settings

    @classmethod
    def _settings(cls) -> Dict[str, Setting]:
        """All settings by name."""
        parts = [part for base in reversed(cls.__mro__) for part in vars(base).values()]
        return {part.name: part for part in parts if isinstance(part, Setting)}

    @classmethod
    def _own_settings(cls) -> Dict[str, Setting]:
        """Those that are not the model's."""
        return {name: own for name, own in cls._settings().items() if not isinstance(own, WindowSetting)}

    def belongs_to(self: Self, nlp: Language) -> Self:
        """Say which pipeline the component is made for: its config shows what settings are changed to."""
        self._owner = Owner(nlp)
        return self

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        """Change settings together, or none of them.

        changes: setting → value, as its check returns it.
        Raises a ValueError for what does not fit the loaded checkpoint.
        """
        settings = self._settings()
        with self._unchanged_on_error():
            for name, value in changes.items():
                settings[name].write(self, value)
            self._check_changed(changes)
        self._show_in_config(changes)

    def _show_in_config(self, changes: Mapping[str, Any]) -> None:
        settings, config = self._settings(), self._owner.config_of(self)
        for name, value in changes.items():
            part = settings[name].in_config(config)
            is_shown = name in part
            if is_shown:
                part[name] = copy.deepcopy(value)
            self._origins.note(name, value, is_shown=is_shown)

    def _check_changed(self, changes: Mapping[str, Any]) -> None:
        """Raise a ValueError where settings, which have changed, do not fit each other or the loaded checkpoint."""
        if changes.keys() & {"window", "overlap", "max_batch_subwords"}:
            attrs = self.model.attrs
            self.task.check_settings(attrs["settings"])
            if self._is_loaded:
                self.task.check_fit(attrs["settings"], attrs["frame"], self._shim.checkpoint.name)

    @contextlib.contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        """Put settings and labels back when something fails. (Weights are assigned last of all.)"""
        attrs = self.model.attrs
        before = dict(self.__dict__), copy.deepcopy(self.cfg), dict(attrs)
        try:
            yield
        except BaseException:
            self.__dict__.update(before[0])
            self.cfg = before[1]
            attrs.update(before[2])
            raise

    # Loading

    @property
    def _shim(self) -> Any:
        return self.model.get_ref("classifier").shims[0]

    @property
    def _is_loaded(self) -> bool:
        return self.model.attrs["encoder"] is not None

    def _open(self, *, allow_download: bool = True) -> Checkpoint:
        settings = self.model.attrs["settings"]
        name = settings.name or self.default_checkpoint
        with_entities = self.task.needs_entities
        return open_checkpoint(
            name, revision=settings.revision, allow_download=allow_download, with_entities=with_entities
        )

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

    def _fill(self, checkpoint: Checkpoint) -> None:
        """Fill the model from a checkpoint, be it that of the settings or a saved one."""
        fill_model(self.model, self.task, checkpoint)

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
            return self.model.attrs["encoder"]
        return open_encoder(self._open())

    # Prediction

    def __call__(self, doc: Doc) -> Doc:
        docs = list(self.pipe([doc]))
        return docs[0] if docs else None  # type: ignore[return-value]  # as spaCy's own, when an error was handled

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Annotate a stream. A Doc that fails goes to the error handler alone; all others come out, in order.

        batch_size: Docs to look at together; the model's batches are cut from them by max_batch_subwords.
        """
        self._prepare_process()
        for docs in util.minibatch(stream, size=batch_size):
            yield from self._annotate_batch(list(docs))

    @staticmethod
    def _prepare_process() -> None:
        """Before Docs come: what was spawned to run a component has not called its __init__."""
        follow_in_loaded_docs()
        pack_quickly()

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

    def _start(self, checkpoint: Checkpoint, names: Sequence[str], renew: Callable[[Checkpoint], Checkpoint]) -> None:
        """Load a checkpoint for training; one whose head does not know all names gets a new one.

        renew: gives a checkpoint what its new head needs.
        """
        try:
            if not names or self._knows(checkpoint, names):
                self._fill(checkpoint)
                return
        except NoClassifier:
            if not names:
                raise
        renewed = renew(checkpoint)
        logger.info("the checkpoint %s gets a new head for %s", checkpoint.name, show(", ".join(names)))
        fill_model(self.model, self.task, renewed, new_head=True)

    def _knows(self, checkpoint: Checkpoint, names: Sequence[str]) -> bool:
        return {*names} <= {*checkpoint.tags}

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
        validate_examples(examples, f"{type(self).__name__}.update")
        examples = [example for example in examples if len(example.predicted)]
        if examples:
            self.load()
        inputs = self._inputs(examples)
        loss_of = lambda outputs: self._loss_to_learn(examples, outputs)
        return self._learn(inputs, loss_of, drop=drop, sgd=sgd, losses=losses)

    def _learn(
        self,
        inputs: List[Any],
        loss_of: Callable[[List[Any]], Tuple[float, List[Any], int]],
        *,
        drop: float,
        sgd: Optional[Optimizer],
        losses: Optional[Dict[str, float]],
    ) -> Dict[str, float]:
        """loss_of: what the model gives for the inputs → as _summed_loss. The rest as in update."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        if not inputs:
            return losses
        set_dropout_rate(self.model, drop)
        outputs, backprop = self.model.begin_update(inputs)
        loss, gradients, n_terms = loss_of(outputs)
        backprop(gradients)
        self._shim.n_loss_terms += n_terms
        if sgd not in (None, False):
            self.finish_update(sgd)
        losses[self.name] += loss / max(1, n_terms)
        return losses

    def _inputs(self, examples: Sequence[Example]) -> List[Any]:
        """What the model is given to learn from examples."""
        return [example.predicted for example in examples]

    def score(self, examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
        """kwargs: of the scorer, which gets the component's name, too."""
        return super().score(examples, **{**kwargs, "component": self.name})

    def get_loss(self, examples: Iterable[Example], scores: List[Any]) -> Tuple[float, List[Any]]:
        """
        scores: what the model gave for the examples' inputs.
        RETURNS: the mean of the loss over its terms, and its gradient per output.
        """
        loss, gradients, n_terms = self._summed_loss(examples, scores)
        return loss / max(1, n_terms), [divide(gradient, max(1, n_terms)) for gradient in gradients]

    def _loss_to_learn(self, examples: Sequence[Example], outputs: List[Any]) -> Tuple[float, List[Any], int]:
        """As _summed_loss; a subclass gives their gradients here to weights that the outputs do not depend on."""
        return self._summed_loss(examples, outputs)

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
            "cfg": lambda p: p.write_text(dump_json(self._saved_cfg(saved_config(Path(path)))), encoding="utf8"),
            "vocab": lambda p: self.vocab.to_disk(p, exclude=exclude),
            "model": lambda p: self._shim.save_checkpoint(p),
        }
        util.to_disk(path, serializers, exclude)

    def from_disk(self: Self, path: Union[str, Path], *, exclude: Iterable[str] = ()) -> Self:
        """Read what to_disk wrote. A setting that was changed before it was saved is changed here too, unless this
        component was given another value: in its config, or to spacy.load."""
        saved: Dict[str, Any] = {}
        deserializers: Dict[str, Callable[[Path], Any]] = {
            "cfg": lambda p: saved.update(cfg=json.loads(p.read_bytes())),
            "vocab": lambda p: self.vocab.from_disk(p, exclude=exclude),
            "model": lambda p: saved.update(checkpoint=self._read_directory(p)),
        }
        util.from_disk(path, deserializers, exclude)
        self._restore(**saved, config=saved_config(Path(path)) if "cfg" in saved else None)
        return self

    def _read_directory(self, path: Path) -> Checkpoint:
        find = lambda name: path / name if (path / name).is_file() else None
        return read_checkpoint(str(path), find, with_entities=self.task.needs_entities)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        self.load()
        serializers = {
            "cfg": lambda: dump_json(self._saved_cfg()).encode("utf8"),
            "vocab": lambda: self.vocab.to_bytes(exclude=exclude),
            "model": self._shim.to_bytes,
        }
        return util.to_bytes(serializers, exclude)

    def from_bytes(self: Self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Self:
        """Read what to_bytes wrote, as from_disk does."""
        saved: Dict[str, Any] = {}
        deserializers = {
            "cfg": lambda b: saved.update(cfg=json.loads(b)),
            "vocab": lambda b: self.vocab.from_bytes(b, exclude=exclude),
            "model": lambda b: saved.update(checkpoint=Checkpoint.from_bytes(b)),
        }
        util.from_bytes(bytes_data, deserializers, exclude)
        self._restore(**saved)
        return self

    def _saved_cfg(self, config: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
        """config: of the component, as it is saved with it; of a pipeline that is not its own, say."""
        values = {setting.key: setting.check(setting.read(self)) for setting in self._settings().values()}
        return {**self.cfg, **values, **self._origins.to_cfg(self, config)}

    def _restore(
        self,
        *,
        cfg: Optional[Dict[str, Any]] = None,
        checkpoint: Optional[Checkpoint] = None,
        config: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Become what was saved.

        cfg: of _saved_cfg.
        config: of the component, as it is where cfg was read.
        """
        saved = dict(cfg or {})
        changes = self._origins.take_changes(self, saved, config)
        with self._unchanged_on_error():
            self.cfg.update(saved)
            for name, value in changes.items():
                self._settings()[name].write(self, value)
            if checkpoint is None:
                self._check_changed(changes)
            else:
                self._fill_saved(checkpoint)
        self._show_in_config(changes)


def check_same_text(example: Example) -> None:
    if example.reference.text != example.predicted.text:
        raise ValueError(
            f"the texts of an example's Docs must be the same, got {example.predicted.text[:40]!r} and "
            f"{example.reference.text[:40]!r}"
        )


def divide(gradient: Any, n: int) -> Any:
    """gradient: an array, or a list of them."""
    return [own / n for own in gradient] if isinstance(gradient, list) else gradient / n


def dump_json(values: Mapping[str, Any]) -> str:
    """srsly's JSON may change the last digit of a number."""
    return json.dumps(values, ensure_ascii=False, indent=2)


def saved_config(path: Path) -> Mapping[str, Any]:
    """What the config of a saved pipeline says of the component in this directory of it; {} where there is none."""
    config_path = path.parent / "config.cfg"
    return load_config(config_path).get("components", {}).get(path.name, {}) if config_path.is_file() else {}
