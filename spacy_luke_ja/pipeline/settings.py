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
        super().__init__(check_spans_key)

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


def share(name: str) -> Callable[[Any], float]:
    return checked_number(lambda value: check_share(value, name))


def yes_or_no(name: str) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false, got {value}")
        return value

    return check


def check_threshold(value: Any) -> Union[float, Dict[str, float]]:
    check = share("threshold")
    return {label: check(least) for label, least in value.items()} if isinstance(value, Mapping) else check(value)


def check_unknown_labels(value: Any) -> Optional[List[str]]:
    return None if value is None else check_annotated_labels(value, "unknown_labels")


def check_spans_key(value: Any) -> Optional[str]:
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"spans_key must be a name, or None for the component's, got {value!r}")
    return value


def check_mentions_key(value: Any) -> Optional[str]:
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(f"mentions_key must be a key of doc.spans, or None for doc.ents, got {value!r}")
    return value


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
