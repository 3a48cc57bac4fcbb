# `make demo` and `make test` set up what they need; a second run starts at once.

PYTHON ?=
VENV ?= .venv
# PyTorch's own index of wheels without CUDA, a tenth of the size. Empty: only the ordinary index is asked.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
ARGS ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
NATIVE := CMakeLists.txt $(wildcard native/*)

.PHONY: setup demo test lint bench soak sanitize clean

setup: $(READY)

demo: $(READY)
	@$(BIN)/feedmill demo $(ARGS)

# pytest comes last: its summary is the last line.
test: lint
	@$(BIN)/pytest $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check --quiet >&2
	@$(BIN)/ruff format --check --quiet >&2
	@$(BIN)/mypy --no-error-summary >&2

bench: $(READY)
	@$(BIN)/python -m pip install --quiet --no-build-isolation --constraint constraints.txt --editable '.[dev,peers]' >&2
	@for benchmark in $(filter-out benchmarks/report.py benchmarks/public_data.py benchmarks/click_quality.py benchmarks/http_load.py benchmarks/world_plot.py,$(wildcard benchmarks/*.py)); do \
		$(BIN)/python $$benchmark --json $(ARGS) || exit 1; done

soak: $(READY)
	@$(BIN)/pytest --soak -m soak --timeout 3600 $(ARGS)

sanitize: $(READY)
	@VENV="$(VENV)" .ci/sanitize $(ARGS)

clean:
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Progress goes to standard error: the last line of `make demo ARGS=--json` is the demo's own.
$(READY): .ci/setup pyproject.toml constraints.txt $(NATIVE)
	@PYTHON="$(PYTHON)" VENV="$(VENV)" TORCH_INDEX="$(TORCH_INDEX)" .ci/setup >&2
	@touch $@
