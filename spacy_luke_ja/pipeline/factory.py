"""A component's class in, what makes it in a pipeline out: a factory whose config has the settings of the class."""

from inspect import Parameter, Signature
from typing import Any, Callable, Mapping, Optional, Type, get_type_hints

from spacy.language import Language
from thinc.api import Model

from .checkpoint_pipe import CheckpointPipe


def make_factory(component: Type[CheckpointPipe], *, functions: Mapping[str, Any], **options: Any) -> Callable:
    """Register what makes a component in a pipeline; its config has the settings of the class, and a model.

    functions: what the config has besides, and what it names there by default.
    options: Language.factory's.
    """
    own, types = component._own_settings(), get_type_hints(component)
    model = {"@architectures": "spacy-luke-ja.HFModel.v1", "name": component.default_checkpoint}
    defaults = {"model": model, **{name: setting.default for name, setting in own.items()}, **functions}
    types.update(nlp=Language, name=str, model=Model, **dict.fromkeys(functions, Optional[Callable]))

    def make(nlp: Language, name: str, model: Model, **settings: Any) -> CheckpointPipe:
        return component(nlp.vocab, model, name, **settings).belongs_to(nlp)

    kind = Parameter.POSITIONAL_OR_KEYWORD
    parameters = [Parameter(name, kind, annotation=types[name]) for name in ("nlp", "name", *defaults)]
    make.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    make.__doc__ = component.__doc__
    return Language.factory(component.factory, func=make, default_config=defaults, **options)
