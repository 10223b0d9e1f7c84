# make demo   install, export the default network to int8, check it, paint a photograph
# make test   install with test tools, run the linters and every test; one builds the site
# make quick  run the tests that are not slow
# make browser install the JavaScript packages of `styleexport serve`, and axe-core for tests, with npm
# make swift   get a Swift compiler into ~/.cache/styleexport/swift, for ios-check (root on Debian, 0.6 GB)
# make ios-check check, build and test the iOS harness as far as this machine can
# make android-check check, build and test the Android harness as far as this machine can
# make lint   ruff and pyright, as CI runs them
# make schema write the JSON Schemas under docs/ from the types, and the apps' types from them
# make pages  write the pages of networks, targets, commands, Python and JSON from the code
# make site   build the documentation into build/site; a broken link fails
# make exchange write the reports that the checks of the apps read

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Tests of a group, by default those of a file, run in one process; see tests/conftest.py.
# A process a core: threads of BLAS and OpenMP would wait for one another.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest \
	-n auto --dist loadgroup --no-loadscope-reorder
ASSETS := styleexport/assets

.PHONY: demo test tests quick browser swift ios-check android-check exchange lint schema pages site clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/base.stamp: $(BIN)/python setup.cfg pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

$(VENV)/dev.stamp: $(VENV)/base.stamp
	$(PIP) -e '.[coreai,coreml,tflite,executorch,bench,sweep,film,docs,dev]'
	touch $@

demo: $(VENV)/base.stamp
	$(BIN)/styleexport onnx --quantize int8 -o demo/artifact --overwrite
	$(BIN)/styleexport verify demo/artifact
	$(BIN)/styleexport stylize demo/artifact $(ASSETS)/content_lake.jpg $(ASSETS)/style_swirl.jpg -o demo/stylized.png
	$(BIN)/python -m tools.demo_pictures.gallery demo/artifact demo/gallery.jpg
	@echo "demo/ holds the artifact and the pictures; the program is $(abspath $(BIN))/styleexport"
	@echo "to type styleexport alone: source $(BIN)/activate"

test: lint tests

# Lists the slowest tests, and fails one that takes too much CPU and is not marked slow.
tests: $(VENV)/dev.stamp
	$(PYTEST) --durations=40 --junitxml=build/tests.xml

quick: $(VENV)/dev.stamp
	$(PYTEST) -m 'not slow'

browser: $(VENV)/base.stamp
	$(BIN)/styleexport serve --install
	cd tests/pages && npm ci --ignore-scripts --no-audit --no-fund --silent

swift: $(VENV)/dev.stamp
	$(BIN)/python -m tools.ios_check.debian_swift

ios-check: $(VENV)/dev.stamp
	$(BIN)/python -m tools.ios_check

android-check: $(VENV)/dev.stamp
	$(BIN)/python -m tools.android_check --with-d8

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

schema: $(VENV)/base.stamp
	$(BIN)/python -m styleexport.runtime_bench.contract.schema docs
	$(BIN)/python -m tools.contract_codegen

pages: $(VENV)/dev.stamp
	$(BIN)/python -m tools.network_pages
	$(BIN)/python -m tools.reference_pages

site: $(VENV)/dev.stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

exchange: $(VENV)/dev.stamp
	$(BIN)/python -m tests.contract.exchange

clean:
	rm -rf $(VENV) demo build dist *.egg-info
