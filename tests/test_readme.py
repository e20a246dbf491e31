"""README's examples run, in order, in one namespace; the one that needs the hub says so clearly when there is none."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in BLOCKS:
        if block.startswith("# needs the hub"):
            with pytest.raises(OSError, match="hub cannot be reached"):
                exec(block, namespace)
        else:
            exec(block, namespace)
    printed = capsys.readouterr().out
    assert "山田太郎 人名 0 4" in printed and "'PERSON'" in printed
    assert namespace["losses"]["luke_ner"] < 0.5


def test_every_setting_is_in_the_table():
    from spacy_luke_ja.pipeline.luke_ner import DEFAULT_MODEL, LukeNer
    from spacy_luke_ja.pipeline.luke_qa import LukeQa

    settings = [f"`{name}`" for part in (LukeNer, LukeQa) for name in part.__init__.__kwdefaults__]
    settings += [f"`model.{name}`" for name in DEFAULT_MODEL if not name.startswith("@")]
    assert [setting for setting in settings if setting not in README] == []


def test_commands_of_the_readme_are_in_the_makefile():
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf8")
    commands = set(re.findall(r"^make (\w+)", README, flags=re.MULTILINE))
    assert commands == {"demo", "test"}
    assert all(f"\n{command}:" in makefile for command in commands)
