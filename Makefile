# make demo   a class graded on real MNIST, from nothing
# make test   the kit's tests, those of test-long excepted, from nothing
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-long mutants check docs setup browser clean

demo: setup
	$(BIN)/course demo demo

test: setup browser check
	$(BIN)/pytest -n 2 --dist loadfile -m "not long"

test-long: setup
	$(BIN)/pytest -m long

# changes every right answer in every small way: the hidden tests must notice; a few minutes
mutants: setup
	$(BIN)/python -m tools.mutants

check: setup docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

# the documentation, in docs/_build/html; a warning is an error
docs: setup
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

setup: .venv/ready

# for tests/test_browser.py, which is skipped where there is none
browser:
	@command -v chromedriver >/dev/null || (command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
		&& apt-get update -qq && apt-get install -y -qq chromium chromium-driver >/dev/null) \
		|| echo "Chromium is missing: install it with 'sudo apt install chromium chromium-driver' to run its tests, too"

# pinned packages in a virtual environment, and bubblewrap from the system's packages where that is possible
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable ".[test]"
	@command -v bwrap >/dev/null || (command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
		&& apt-get update -qq && apt-get install -y -qq bubblewrap >/dev/null) \
		|| echo "bubblewrap is missing: install it with 'sudo apt install bubblewrap' (or your system's command)"
	@touch $@

clean:
	rm -rf .venv demo docs/_build .hypothesis .pytest_cache .mypy_cache .ruff_cache
