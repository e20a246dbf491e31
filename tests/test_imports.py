"""Imports point one way and cost nothing before they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "spacy_luke_ja"
# What Docs keep of the tasks.
DATA = {path.stem for path in PACKAGE.glob("*_data.py")} - {"user_data", "mention_data"}
# What each part of the package may import of the others.
MAY_IMPORT = {
    "text": set(),
    "characters": set(),
    "models": {"text", "token_splitting"},
    "token_splitting": {"text"},
    "user_data": set(),
    "annotated_labels": set(),
    "mention_data": {"user_data"},
    **dict.fromkeys(DATA, {"text", "user_data", "mention_data"}),
    "corpora": {"text", "token_splitting", "annotated_labels", *DATA},
    "scorers": {"evaluation", "text", "annotated_labels", *DATA},
    "tokenizer": {"text"},
    "stockmark_labels": {"text"},
    "label_maps": {"stockmark_labels"},
    "named_pipelines": set(),
    "dataframes": {"evaluation", "label_maps", "models"},
    "colors": set(),
    "pipeline": {
        "text",
        "stockmark_labels",
        "models",
        "token_splitting",
        "user_data",
        "annotated_labels",
        "training",
        *DATA,
        "mention_data",
    },
    "backends": {"text", "models"},
    "training": {"models"},
    "annotation": {"corpora", "evaluation", "label_maps", "pipeline", "text", "token_splitting", "training"},
    "evaluation": {"text", "models", "corpora", "colors", "annotated_labels", "label_maps", "stockmark_labels"},
    "cli": {
        "annotation",
        "training",
        "annotated_labels",
        "evaluation",
        "label_maps",
        "stockmark_labels",
        "token_splitting",
        "text",
        "models",
        "corpora",
        "scorers",
        "pipeline",
        "tokenizer",
        "colors",
    },
}
# Each task has a file of its name in each of these, and may have one elsewhere; what more it needs there begins with it.
TASKS = ("linking", "ner", "qa", "relations", "spans", "textcat", "typing")
LAYERS = ("text", "models", "pipeline", "corpora", "scorers")
HEAVY = {"spacy", "thinc", "torch", "transformers", "huggingface_hub", "safetensors"}


def imported(path):
    """(names of the package's own parts, names of other packages) that a file imports, wherever in it."""
    own, others = set(), set()
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            if node.level == depth and node.module:
                own.add(node.module.partition(".")[0])
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("spacy_luke_ja."):
            own.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            others.update(alias.name.partition(".")[0] for alias in node.names)
    return own, others


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    own, others = imported(path)
    if part == "text":
        assert not others & HEAVY
    if part != "__init__":
        assert part in MAY_IMPORT, f"add a row for {part} to MAY_IMPORT: what it may import of the package"
        assert own - {part} <= MAY_IMPORT[part], f"{path.name} imports {own}"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_task_has_its_file_in_each_layer(layer, task):
    assert (PACKAGE / layer / f"{task}.py").is_file()


def task_of(name):
    return name.partition("_")[0] if name.partition("_")[0] in TASKS else None


@pytest.mark.parametrize(
    "path", [path for path in FILES if task_of(path.stem)], ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_a_tasks_file_imports_no_other_tasks(path):
    modules = [node.module or "" for node in ast.walk(ast.parse(path.read_text(encoding="utf8")))
               if isinstance(node, ast.ImportFrom) and node.level]  # fmt: skip  # Python has a module typing, too
    tasks = {task_of(module.rpartition(".")[2]) for module in modules}
    assert tasks <= {None, task_of(path.stem)}


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_loads_nothing_heavy():
    print_loaded = "import sys, spacy_luke_ja; print(sorted({'spacy', 'torch', 'transformers'} & set(sys.modules)))"
    assert run(print_loaded).strip() == "[]"


def test_the_command_line_loads_nothing_heavy_of_ours():
    """spaCy imports every CLI entry at start; what thinc and spaCy import by themselves is theirs."""
    code = (
        "import sys, spacy.cli; before = set(sys.modules); import spacy_luke_ja.cli;"
        "print(sorted({'transformers', 'sentencepiece', 'huggingface_hub'} & set(sys.modules)),"
        "[m for m in set(sys.modules) - before if m.startswith('torch')])"
    )
    assert run(code).strip() == "[] []"


def test_a_pipeline_does_not_import_transformers_before_it_is_used():
    # spaCy loads every installed factory; spacy-transformers, where it is installed, imports transformers at once.
    code = (
        "import sys, spacy_luke_ja; nlp = spacy_luke_ja.blank(); nlp.add_pipe('luke_ner');"
        "print('transformers' in sys.modules and 'spacy_transformers' not in sys.modules)"
    )
    assert run(code).strip() == "False"
