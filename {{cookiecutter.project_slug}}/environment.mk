# How make builds .venv with nothing but a system Python: one stamp for each group of pyproject.toml, and the versions and
# hashes of requirements.lock. A stamp is written last, so an interrupted installation is repeated; a changed lock starts afresh.
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
UV := UV_PYTHON_DOWNLOADS=never $(BIN)/uv
PYTHON ?= python3 python3.13 python3.12 python3.11 python3.14 python
INSTALLED = $(foreach group,$(1),.venv/$(group).installed)
GROUP_FILE ?= pyproject.toml
COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-emit-index-url \
    --no-annotate --custom-compile-command "make lock"

export PYTHONUTF8 := 1
# Where this is set, every process compiles every library anew: a second for each job.
unexport PYTHONDONTWRITEBYTECODE
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
.DELETE_ON_ERROR:

.venv/uv.installed: requirements.lock
	@for python in $(PYTHON); do \
	    $$python -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "No Python 3.11 or newer with the venv module found (tried: $(PYTHON)): install one, or name it with make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "Setting up .venv with $$($$python --version)"; \
	$$python -m venv --clear --without-pip .venv; \
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt; \
	if $$python -c 'import pip' 2>/dev/null; then pip="$$python -m pip --python $(PY)"; \
	elif $(PY) -m ensurepip >/dev/null 2>&1; then pip="$(PY) -m pip"; \
	else echo "$$python has neither pip nor ensurepip: install them (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; fi; \
	$$pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary :all: --require-hashes -r .venv/uv.txt
	@touch $@

.venv/%.installed: .venv/uv.installed
	@echo "Installing the group $* of $(GROUP_FILE)"
	@$(UV) pip install --quiet --python $(PY) --group '$(GROUP_FILE):$*' -c requirements.lock --require-hashes --only-binary :all:
	@touch $@
