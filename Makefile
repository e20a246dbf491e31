# make demo   install, find entities in the sample sentences and answer questions, or on TEXT="…", which may have line breaks
# make test   install, run the whole suite
# make check  before a commit: lint, format, types, fast tests
# make dist   all sdists and wheels in dist/, checked, installed into an empty environment, run without a network
# make bench  speed beside other ways to run the same weights; a quarter of an hour, BENCH=--quick for a minute
PYTHON ?= python3
VENV ?= .venv
COMPAT_VENV ?= .venv-compat
GINZA_VENV ?= .venv-ginza
BIN = $(VENV)/bin
# A file of tests to a worker; each worker computes with one thread.
PYTEST = -m pytest -q -n auto --dist loadfile
test test-compat: export OMP_NUM_THREADS = 1
# A pip of Python 3.10 would build seqeval with what setuptools fetches, and fail.
PIP_FLAGS ?= --quiet --disable-pip-version-check --use-pep517
# Importable from everywhere, also from the directory that holds the clone.
EDITABLE = --config-settings editable_mode=compat --editable
# Small distributions that give the embedded models names for spacy.load.
NAMED := $(wildcard packages/*/setup.cfg)
NAMED_EDITABLE = $(NAMED:%/setup.cfg=--editable ./%)

.PHONY: demo test test-compat test-interop check lint dist peers bench clean

# By the environment, whatever characters it has; := keeps a $ as it is.
demo: export DEMO_TEXT := $(value TEXT)
demo: $(VENV)/.installed
	@$(BIN)/python -m spacy luke demo $(if $(filter-out undefined,$(origin TEXT)),-- "$$DEMO_TEXT")

test: $(VENV)/.installed
	$(BIN)/python $(PYTEST)

test-compat: $(COMPAT_VENV)/.installed
	$(COMPAT_VENV)/bin/python $(PYTEST)

# What meets other components, and what depends on the version of Sudachi.
test-interop: $(GINZA_VENV)/.installed
	$(GINZA_VENV)/bin/python -m pytest -q tests/interop tests/pipeline/test_span_groups.py tests/test_tokenizer.py tests/test_token_splitting.py

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy spacy_luke_ja scripts benchmarks

check: lint
	$(BIN)/python $(PYTEST) -m "not slow"

# BUILD=--no-isolation takes setuptools from the environment, without a network.
dist: $(VENV)/.installed
	rm -f dist/spacy_luke_ja-*.whl dist/spacy_luke_ja-*.tar.gz dist/ja_luke_*.whl dist/ja_luke_*.tar.gz
	for path in . $(NAMED:%/setup.cfg=%); do $(BIN)/python -m build $(BUILD) --outdir dist $$path || exit 1; done
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m scripts.check_dist dist

peers: $(COMPAT_VENV)/.installed
	$(COMPAT_VENV)/bin/pip install $(PIP_FLAGS) -c constraints-compat.txt spacy-huggingface-pipelines
	$(COMPAT_VENV)/bin/python benchmarks/peers.py

# The peers run in the second environment; one that cannot be installed there is named in the output.
bench: $(VENV)/.installed $(COMPAT_VENV)/.installed
	-$(COMPAT_VENV)/bin/pip install $(PIP_FLAGS) -c constraints-compat.txt spacy-huggingface-pipelines
	-$(COMPAT_VENV)/bin/pip install $(PIP_FLAGS) -c constraints-compat.txt spacy-wrap
	$(BIN)/python benchmarks/speed.py --peers-python $(COMPAT_VENV)/bin/python $(BENCH)

# Entry points are metadata: a change of setup.cfg means a new install.
$(VENV)/.installed: setup.cfg constraints.txt $(NAMED)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt $(EDITABLE) ".[dev]" $(NAMED_EDITABLE)
	@touch $@

$(COMPAT_VENV)/.installed: setup.cfg constraints-compat.txt $(NAMED)
	$(PYTHON) -m venv $(COMPAT_VENV)
	$(COMPAT_VENV)/bin/pip install $(PIP_FLAGS) -c constraints-compat.txt $(EDITABLE) ".[dev,spacy-transformers]" $(NAMED_EDITABLE)
	@touch $@

$(GINZA_VENV)/.installed: setup.cfg constraints-ginza.txt $(NAMED)
	$(PYTHON) -m venv $(GINZA_VENV)
	$(GINZA_VENV)/bin/pip install $(PIP_FLAGS) -c constraints-ginza.txt $(EDITABLE) . $(NAMED_EDITABLE) pytest hypothesis ja_ginza
	@touch $@

# The part between the markers; links in it are from docs/.
docs/project.md: project.yml | $(VENV)/.installed
	$(BIN)/python -m spacy project document --no-emoji --output $@
	sed -i.bak 's/](project.yml)/](..\/project.yml)/' $@ && rm $@.bak

clean:
	rm -rf $(VENV) $(COMPAT_VENV) $(GINZA_VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis build
