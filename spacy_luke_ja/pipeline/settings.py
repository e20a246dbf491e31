"""Settings of a component as its attributes: checked when they are set, saved with it, and shown by the config."""

import weakref
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from spacy.language import DEFAULT_CONFIG, Language

from ..annotated_labels import check_annotated_labels
from ..text.decoding import check_share


class Setting:
    """An attribute of a CheckpointPipe. Its value is kept in cfg, where spaCy's own components keep theirs.

    A list reads as a tuple, a dict as a mapping that cannot be changed: what is not assigned is not checked.
    """

    def __init__(self, check: Callable[[Any], Any], *, default: Any = None, key: Optional[str] = None):
        """
        check: takes a value, and returns it as JSON can hold it; raises a ValueError that names the setting.
        default: what a component is made with.
        key: in cfg, where that is not the setting's name.
        """
        self.check = check
        self.default = default
        self.key = key or ""
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.key = self.key or name

    def __get__(self, pipe: Any, owner: Optional[type] = None) -> Any:
        if pipe is None:
            return self
        value = self.read(pipe)
        if isinstance(value, dict):
            return MappingProxyType(value)
        return tuple(value) if isinstance(value, list) else value

    def __set__(self, pipe: Any, value: Any) -> None:
        pipe.change_settings({self.name: self.check(value)})

    def read(self, pipe: Any) -> Any:
        return pipe.cfg[self.key]

    def write(self, pipe: Any, value: Any) -> None:
        pipe.cfg[self.key] = value

    def in_config(self, config: Any) -> Any:
        """The part of a component's config that has the setting."""
        return config


class WindowSetting(Setting):
    """One of the model's settings that may change while it is in use."""

    def read(self, pipe: Any) -> Any:
        return getattr(pipe.model.attrs["settings"], self.key)

    def write(self, pipe: Any, value: Any) -> None:
        pipe.model.attrs["settings"] = replace(pipe.model.attrs["settings"], **{self.key: value})

    def in_config(self, config: Any) -> Any:
        return config.get("model", {})


class SpansKey(Setting):
    """The key in doc.spans for results; None is the name that the component has now."""

    def __init__(self) -> None:
        super().__init__(some_name("spans_key", "a name, or None for the component's", optional=True))

    def __get__(self, pipe: Any, owner: Optional[type] = None) -> Any:
        return self if pipe is None else self.read(pipe) or pipe.name


class Owner:
    """The pipeline that a component was made for. A copy of the component has none."""

    def __init__(self, nlp: Optional[Language] = None):
        self._nlp = (lambda: None) if nlp is None else weakref.ref(nlp)

    def __reduce__(self) -> Any:
        return Owner, ()

    def config_of(self, pipe: Any) -> Dict[str, Any]:
        """What nlp.config says of the component; {} where it is in no pipeline that is known."""
        nlp = self._nlp()
        names = [name for name, component in nlp.components if component is pipe] if nlp is not None else []
        return nlp.get_pipe_config(names[0]) if nlp is not None and names else {}

    def offer_optimizer(self, create: Callable[[], Any]) -> None:
        """Give the pipeline an optimizer where it has none yet, and its config asks for none but spaCy's default."""
        nlp = self._nlp()
        if nlp is not None and nlp._optimizer is None:
            if nlp._config["training"]["optimizer"] == DEFAULT_CONFIG["training"]["optimizer"]:
                nlp._optimizer = create()

    def loaded_config_of(self, pipe: Any) -> Dict[str, Any]:
        """What the config says that the pipeline was loaded from, with what was given when it was loaded."""
        nlp = self._nlp()
        names = [name for name, component in nlp.components if component is pipe] if nlp is not None else []
        # nlp.config would put together anew what the components were made with.
        return nlp._config.get("components", {}).get(names[0], {}) if nlp is not None and names else {}


UNSAVED = object()


class Origins:
    """Where the values of a component's settings come from, which decides what a saved one changes in it.

    made_with: setting → what the component was made with. configured: what the config of its pipeline says, as far as
    that is known.
    """

    def __init__(self) -> None:
        self.made_with: Dict[str, Any] = {}
        self.configured: Dict[str, Any] = {}

    def note(self, name: str, value: Any, *, is_shown: bool = False) -> None:
        """A setting has a value, its first or, where it is shown by the config, another."""
        self.made_with.setdefault(name, value)
        if is_shown or name not in self.configured:
            self.configured[name] = value

    def to_cfg(self, pipe: Any, config: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
        """config: of the component, as it is saved with it; of a pipeline that is not its own, say."""
        configured = dict(self.configured)
        if config:
            configured = {name: own.in_config(config).get(name) for name, own in pipe._settings().items()}
        return {"made_with": self.made_with, "configured": configured}

    def take_changes(self, pipe: Any, saved: Dict[str, Any], config: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
        """Take what is of settings out of a saved cfg.

        config: what the config says now that was saved with it; None where there is none.
        RETURNS: setting → value, of those that the component is to take over: all but what it was given since.
        """
        made_with, configured = saved.pop("made_with", {}), saved.pop("configured", {})
        changes = {}
        for name, own in pipe._settings().items():
            value = saved.pop(own.key, UNSAVED)
            if value is not UNSAVED and name in configured and value != own.read(pipe):
                checked = own.check(value)
                if not self._was_given(pipe, own, config, made_with[name], configured[name]):
                    changes[name] = checked
        return changes

    def _was_given(
        self, pipe: Any, own: Setting, config: Optional[Mapping[str, Any]], made_with: Any, configured: Any
    ) -> bool:
        """Whether a setting was given to this component, in the config or when it was loaded, after it was saved.

        made_with, configured: of the saved one.
        """
        mine = self.made_with[own.name]
        if not config:
            return mine not in (made_with, configured)
        in_file = own.in_config(config).get(own.name)
        if mine == in_file:
            return in_file != configured
        return own.in_config(pipe._owner.loaded_config_of(pipe)).get(own.name) != in_file or mine != made_with


def setting(check: Callable[[Any], Any], *, default: Any = None, key: Optional[str] = None) -> Any:
    """A Setting, for an attribute with the type of its values."""
    return Setting(check, default=default, key=key)


# Checks


def one_of(name: str, choices: Sequence[str], *, optional: bool = False) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if (value is None and optional) or (isinstance(value, str) and value in choices):
            return value
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value}")

    return check


def checked_number(check: Callable[[Any], None], *, optional: bool = False) -> Callable[[Any], Any]:
    """check: raises a ValueError for what is no such number."""

    def check_all(value: Any) -> Any:
        if value is None and optional:
            return None
        plain = value.item() if hasattr(value, "item") else value  # numpy's numbers
        check(plain)
        return float(plain)

    return check_all


def whole_number(name: str, *, least: int, optional: bool = False) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value is None and optional:
            return None
        plain = value.item() if hasattr(value, "item") else value
        if not isinstance(plain, int) or isinstance(plain, bool) or plain < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
        return plain

    return check


def share(name: str, *, optional: bool = False) -> Callable[[Any], Any]:
    return checked_number(lambda value: check_share(value, name), optional=optional)


def yes_or_no(name: str, *, optional: bool = False) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if isinstance(value, bool) or (value is None and optional):
            return value
        raise ValueError(f"{name} must be true or false, got {value}")

    return check


def some_name(name: str, what: str, *, optional: bool = False) -> Callable[[Any], Any]:
    """what: the value must be, as a string that is not empty."""

    def check(value: Any) -> Any:
        if (value is None and optional) or (isinstance(value, str) and value):
            return value
        raise ValueError(f"{name} must be {what}, got {value!r}")

    return check


check_mentions_key = some_name("mentions_key", "a key of doc.spans, or None for doc.ents", optional=True)


def check_threshold(value: Any) -> Union[float, Dict[str, float]]:
    check = share("threshold")
    return {label: check(least) for label, least in value.items()} if isinstance(value, Mapping) else check(value)


def check_unknown_labels(value: Any) -> Optional[List[str]]:
    return None if value is None else check_annotated_labels(value, "unknown_labels")


def check_tag_names(value: Any) -> Optional[List[str]]:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(tag, str) for tag in value):
        raise ValueError(f"tags must be a list of the names of tags, got {value!r}")
    return list(value)


def check_label_map(value: Any) -> Optional[Dict[str, str]]:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(label, str) for pair in value.items() for label in pair):
        raise ValueError(f"label_map must give each label of the checkpoint one for the Doc, got {value!r}")
    return dict(value)
