# One command each, from a fresh clone, with nothing but make and Python ≥ 3.10:
#
#   make demo     train and test the handwriting example
#   make test     the test-suite
#   make quick    what of it takes less than a minute, with compiled routines kept from run to run
#   make oldest   some of it on the oldest numba that is promised; make plain: quick without numba's private parts
#   make check    lint, formatting, types, and the wheel: its types and its docstrings' examples
#   make fuzz     the parser's and regular expressions' fuzz tests at full length, and thousands of examples instead of a hundred
#   make hunt     a million small trellises with extreme scores, twice; HUNT="--count 10000000 --seed 1", HUNT="--help"
#   make soak     forty thousand evaluations with new graphs: memory stays bounded; a thousand forks of a busy process;
#                  ten minutes of threads, interrupts and forks
#   make bench    the benchmarks beside torch and OpenFst; BENCH="--quick", BENCH="--only ctc-*", see docs/benchmarks.md
#   make docs     write the pages and pictures that are made from the source, and build the website into build/site,
#                  strict: no broken link, no warning; make pages: the former alone
#   make pictures draw the pictures that the tests compare with once more; build/pictures has them as PNG, to look at
#   make format   let ruff fix formatting and imports
#   make clean    remove what these made, .venv included

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin

.PHONY: demo test quick oldest plain check fuzz hunt soak bench docs pages pictures format clean

demo: $(VENV)/test-installed
	$(BIN)/python examples/handwriting_ctc.py

test: $(VENV)/test-installed
	$(BIN)/python -m pytest -n $(JOBS)

quick: export ARCGRAD_CACHE_DIR ?= $(abspath build/test-cache)
quick: $(VENV)/test-installed
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow"

# The oldest numba that pyproject.toml promises; the newest is what the other targets install. Prompts, pages and the
# command line compile nothing of their own.
oldest: $(VENV)/test-installed
	test -x $(VENV)-oldest/bin/python || $(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --disable-pip-version-check 'numba==0.62.*' --editable '.[test]'
	$(VENV)-oldest/bin/python -m pytest -n $(JOBS) -m "not slow" tests/runtime/jit tests/runtime/kernels tests/api \
	  --ignore tests/api/repl $(foreach page,cli explore lexer notebook playground,--ignore-glob 'tests/api/test_$(page)*')

# Without the private parts of numba that jit/compat names, as if this numba had moved them.
plain: $(VENV)/test-installed
	ARCGRAD_PLAIN_JIT=1 $(BIN)/python -m pytest -n $(JOBS) -m "not slow" -W "ignore:arcgrad compiles in plain mode"

fuzz: $(VENV)/test-installed
	ARCGRAD_FUZZ=50000 $(BIN)/python -m pytest tests/grammar -k fuzz
	ARCGRAD_FUZZ=50000 $(BIN)/python -m pytest tests/compiler/operators/test_support.py
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n $(JOBS) -m hypothesis

# Once more with blocks so short that small trellises have many, none of whose rows is kept.
hunt: $(VENV)/test-installed
	cd tests && $(abspath $(BIN))/python -m hunts.trellises $(HUNT)
	cd tests && $(abspath $(BIN))/python -m hunts.trellises --set LONGEST=8 --set KEPT=0 $(HUNT)

soak: $(VENV)/test-installed
	ARCGRAD_SOAK=40000 $(BIN)/python -m pytest tests/runtime/call/test_soak.py
	ARCGRAD_SOAK_SECONDS=600 $(BIN)/python -m pytest -s tests/runtime/call/test_faults_soak.py
	ARCGRAD_SOAK=40000 $(BIN)/python -m pytest -m slow tests/runtime/jit/test_forks.py

bench: $(VENV)/bench-installed
	@mkdir -p build
	$(BIN)/python -m benchmarks --json build/benchmarks.json --plot build/benchmarks.png $(BENCH)

pages: $(VENV)/test-installed
	$(BIN)/python docs/make

docs: pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

pictures: $(VENV)/test-installed
	$(BIN)/python -m pytest -q tests/runtime/draw --update-golden
	cd tests && $(abspath $(BIN))/python -m support.pictures ../build/pictures

# mypy cannot see through the mapping of an editable install, so it reads a real one, from another folder;
# the examples in docstrings run there too, which shows that the wheel is whole.
check: $(VENV)/dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build/check build/lib build/bdist*
	$(BIN)/python -m pip install --quiet --no-deps --target build/check .
	cd build/check && $(abspath $(BIN))/mypy --config-file ../../pyproject.toml -p arcgrad
	MYPYPATH=build/check $(BIN)/mypy --config-file pyproject.toml examples
	cd build/check && $(abspath $(BIN))/python -m pytest -c ../../pyproject.toml --rootdir . -q --doctest-modules --doctest-ignore-import-errors --pyargs arcgrad

format: $(VENV)/dev-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(VENV)-oldest build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed once, and again only when pyproject.toml changes.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("arcgrad needs Python 3.10 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/%-installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
