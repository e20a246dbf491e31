"""What users may import, and that the pages import nothing else."""

import ast
import re
from pathlib import Path

import pytest

import spacy_luke_ja

ROOT = Path(__file__).parents[1]
CODE = [path for part in ("tests", "benchmarks", "scripts") for path in sorted((ROOT / part).rglob("*.py"))]
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", spacy_luke_ja.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name):
    assert getattr(spacy_luke_ja, name).__doc__ and name in dir(spacy_luke_ja)


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(spacy_luke_ja.__file__).read_text(encoding="utf8"))
    own = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level]
    assert {alias.asname: node.module for node in own for alias in node.names} == spacy_luke_ja._MODULES


def test_all_public_names_come_with_a_star():
    namespace = {}
    exec("from spacy_luke_ja import *", namespace)
    assert set(spacy_luke_ja.__all__) <= namespace.keys()


def test_other_names_are_an_error():
    with pytest.raises(AttributeError, match="has no attribute make_examples"):
        spacy_luke_ja.make_examples  # noqa: B018
    with pytest.raises(ImportError):
        from spacy_luke_ja import find_component  # noqa: F401


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_imports_public_names_alone(page):
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf8"), re.DOTALL | re.MULTILINE):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "spacy_luke_ja":
                assert node.module == "spacy_luke_ja" and {own.name for own in node.names} <= {*spacy_luke_ja.__all__}
            elif isinstance(node, ast.Import):
                assert not any(own.name.startswith("spacy_luke_ja.") for own in node.names)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert node.value.id != "spacy_luke_ja" or node.attr in (*spacy_luke_ja.__all__, "__version__")


def imported_names(path):
    """(module, name) of the package's own that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "spacy_luke_ja":
            yield from ((node.module, own.name) for own in node.names)
        elif isinstance(node, ast.Import):
            yield from ((own.name, "") for own in node.names if own.name.startswith("spacy_luke_ja."))


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_names_are_imported_as_users_import_them(path):
    found = set(imported_names(path))
    assert not {(module, name) for module, name in found if name in spacy_luke_ja.__all__ and module != "spacy_luke_ja"}
    if path.parent == ROOT / "tests" / "interop":  # what other components and tools see of ours
        assert {module for module, _ in found} <= {"spacy_luke_ja"}
