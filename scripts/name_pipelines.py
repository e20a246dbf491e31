"""The embedded checkpoints in; a small distribution for each out, so that spacy.load knows its name.

A bare encoder finds nothing and gets none.

python -m scripts.name_pipelines packages: after a checkpoint has come, or a default setting or the version has changed.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Dict, List

import spacy_luke_ja
from spacy_luke_ja.evaluation.pipelines import factory_for
from spacy_luke_ja.models.hf_checkpoint import EMBEDDED, open_checkpoint
from spacy_luke_ja.models.qa import QUESTION_ANSWERER
from spacy_luke_ja.models.task import TOKEN_CLASSIFIER

DESCRIPTIONS = {
    "luke_ner": "Named entities in Japanese texts, on exact characters",
    "luke_qa": "Answers to questions about Japanese texts, on exact characters",
}

SETUP = """\
# Written by python -m scripts.name_pipelines packages
[metadata]
name = {dashed}
version = {version}
description = {description}
long_description = file: README.md
long_description_content_type = text/markdown
license = CC-BY-SA-4.0
keywords = spacy, japanese
classifiers =
    Natural Language :: Japanese
    Programming Language :: Python :: 3

[options]
packages = {name}
python_requires = >=3.10,<3.14
install_requires =
    spacy-luke-ja=={version}

[options.package_data]
{name} =
    meta.json
    config.cfg

[options.entry_points]
spacy_models =
    {name} = {name}
"""
PYPROJECT = """\
[build-system]
requires = ["setuptools>=64"]
build-backend = "setuptools.build_meta"
"""
INIT = '''\
"""The pipeline {name}: spacy.load("{name}")."""

from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.util import get_model_meta

__version__ = get_model_meta(Path(__file__).parent)["version"]


def load(**overrides: Any) -> Language:
    from spacy_luke_ja.named_pipelines import load_named

    return load_named(Path(__file__).parent, **overrides)
'''
README = """\
# {name}

{description}.

```python
import spacy

nlp = spacy.load("{name}")
```

The package holds a config alone. The weights come with spacy-luke-ja {version}, which it needs; there it says how good
they are, and on what texts they were trained.
"""


def names() -> List[str]:
    """Of the embedded checkpoints that find something; a bare encoder does not."""
    return sorted(path.name for path in EMBEDDED.iterdir() if (path / "config.json").is_file() and has_head(path.name))


def has_head(name: str) -> bool:
    architectures = open_checkpoint(name).config.get("architectures") or [""]
    return architectures[0].endswith(tuple(f"For{head.task}" for head in (TOKEN_CLASSIFIER, QUESTION_ANSWERER)))


def make_package(name: str) -> Dict[str, str]:
    """RETURNS: path in the distribution's directory → content."""
    factory = factory_for(name)
    nlp = spacy_luke_ja.blank()
    nlp.add_pipe(factory, config={"model": {"name": name}})
    version = spacy_luke_ja.__version__
    words = {"name": name, "dashed": name.replace("_", "-"), "version": version, "description": DESCRIPTIONS[factory]}
    return {
        "setup.cfg": SETUP.format(**words),
        "pyproject.toml": PYPROJECT,
        "README.md": README.format(**words),
        f"{name}/__init__.py": INIT.format(**words),
        f"{name}/config.cfg": nlp.config.to_str() + "\n",
        f"{name}/meta.json": json.dumps(make_meta(nlp, name, words), ensure_ascii=False, indent=2) + "\n",
    }


def make_meta(nlp: Any, name: str, words: Dict[str, str]) -> Dict[str, Any]:
    lang, _, own_name = name.partition("_")
    kept = ("vectors", "labels", "pipeline", "components", "disabled")
    return {
        "lang": lang,
        "name": own_name,
        "version": words["version"],
        "description": words["description"],
        "author": "spacy_luke_ja",
        "license": "CC BY-SA 4.0",
        "spacy_version": ">=3.8.0,<3.9.0",
        "requirements": [f"spacy-luke-ja=={words['version']}"],
        **{key: nlp.meta[key] for key in kept},
    }


def main(directory: Path) -> None:
    for name in names():
        for path, content in make_package(name).items():
            (directory / name / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / name / path).write_text(content, encoding="utf8", newline="\n")
        print(directory / name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    main(parser.parse_args().directory)
