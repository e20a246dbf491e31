"""What README and docs/ show: examples run, commands exist, links lead somewhere, every setting has a row."""

import re
import shlex
from pathlib import Path

import pytest
import srsly
from typer.main import get_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.ja.md", *sorted((ROOT / "docs").glob("*.md"))]
ALL = [*PAGES, *(ROOT / name for name in ("RESULTS.md", "CONTRIBUTING.md")), *(ROOT / "docs" / "results").glob("*.md")]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
# A block that begins so is compiled and not run; what needs the hub must say that there is none.
NEEDS = "# needs "


def read(page):
    return page.read_text(encoding="utf8")


def blocks(page, language):
    """(content, what a ```text block behind it says that is printed)"""
    return [(content, output) for name, content, output in FENCE.findall(read(page)) if name == language]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_examples_run_and_print_what_the_page_shows(page, tmp_path, monkeypatch, capsys):
    """In order and in one namespace, as a reader types them."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for content, output in blocks(page, "python"):
        code = compile(content, f"{page.name}: {content.splitlines()[0]}", "exec")
        if content.startswith(NEEDS + "the hub"):
            with pytest.raises(OSError, match="hub cannot be reached"):
                exec(code, namespace)
        elif not content.startswith(NEEDS):
            exec(code, namespace)
            printed = capsys.readouterr().out
            assert not output or printed == output


def commands(text):
    """Every `spacy …` command in bash blocks and inline code."""
    bash = [line for content in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in content.splitlines()]
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line for line in [*bash, *inline] if re.match(r"(python -m )?spacy (luke|project run) \w", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_and_their_options_exist(page):
    from spacy_luke_ja.cli import app

    project = srsly.read_yaml(ROOT / "project.yml")
    known = get_command(app).commands
    for line in commands(read(page)):
        words = shlex.split(line.replace("…", "x"), comments=True)
        words = words[words.index("spacy") + 1 :]
        if words[0] == "project":
            assert words[2] in project["workflows"] or words[2] in {c["name"] for c in project["commands"]}, line
            assert {w[7:] for w in words if w.startswith("--vars.")} <= set(project["vars"]), line
            continue
        assert words[1] in known, line
        options = {name for parameter in known[words[1]].params for name in parameter.opts}
        given = {
            word for word in words[2:] if word.startswith("-") and "." not in word
        }  # --paths.train is the config's
        assert given <= options, line


@pytest.mark.parametrize("page", ALL, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            headings = [line.lstrip("# ") for line in read(target).splitlines() if line.startswith("#")]
            assert anchor in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings], link


def test_every_setting_has_a_row():
    from dataclasses import fields

    from spacy.lang.ja import Japanese

    from spacy_luke_ja.models.settings import ModelSettings

    for factory, page in (
        ("luke_ner", "entities-and-settings"),
        ("luke_qa", "questions-and-answers"),
        ("luke_entity_typing", "entity-typing"),
        ("luke_linker", "entity-linking"),
        ("luke_relations", "relations"),
        ("luke_span_ner", "span-ner"),
        ("luke_textcat", "textcat"),
    ):
        settings = list(Japanese().get_factory_meta(factory).default_config)
        settings.remove("model")
        if factory == "luke_ner":
            settings += [f"model.{field.name}" for field in fields(ModelSettings)]
        rows = [line for line in read(ROOT / "docs" / f"{page}.md").splitlines() if line.startswith("| `")]
        named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row.split("|")[1])}
        assert set(settings) - named == set(), page


def test_readme_is_short():
    assert len(read(ROOT / "README.md").split()) <= 900
