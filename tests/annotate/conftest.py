"""Runs of annotate on a toy checkpoint."""

from pathlib import Path

import pytest

from spacy_luke_ja.annotation.run import AnnotateSettings, annotate_files


@pytest.fixture
def run(checkpoints, tmp_path, monkeypatch):
    """run(*inputs, output, **settings) in an empty directory, by the toy LUKE."""
    monkeypatch.chdir(tmp_path)

    def run(*paths, other_outputs=(), stdin=None, **settings):
        *inputs, output = map(str, paths)
        settings = AnnotateSettings(**{"model": str(checkpoints["luke"]), **settings})
        return annotate_files(inputs, Path(output), settings, other_outputs=other_outputs, stdin=stdin)

    return run
