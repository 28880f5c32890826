# The verbs of the template's repository. What they make goes to build/, never into the template folder: Cookiecutter would
# copy it into every project.
PROJECT := {{cookiecutter.project_slug}}
GROUP_FILE = $(if $(filter template,$(group)),,$(PROJECT)/)pyproject.toml
VENDOR := $(PROJECT)/vendor
include $(PROJECT)/environment.mk

export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
export RUFF_CACHE_DIR := $(CURDIR)/build/ruff_cache
export MYPY_CACHE_DIR := $(CURDIR)/build/mypy_cache
GROUPS := deploy local steps sdk dev
SCANNER := .venv/scanners/$(notdir $(BIN))/python
TOOLKITS := xgboost scikit-learn
# Not for wheels only: four of them come as sources. Nor older than the Python of the images.
COMPILE_TOOLKITS = $(subst --only-binary :all:,,$(subst --python-version 3.11,--python-version 3.12,$(COMPILE)))
EMULATOR := .venv/emulator/$(notdir $(BIN))/python

.DEFAULT_GOAL := help
.PHONY: help install kit lock hooks demo laptop test test-slow check bake publish create upgrade delete doctor faults bench clean

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

install: .venv/kit.installed ## set up .venv; every verb does it when needed

# The kit that is worked on, in place of the wheel that projects get.
.venv/kit.installed: kit/pyproject.toml $(call INSTALLED,template $(GROUPS))
	@$(UV) pip install --quiet --offline --no-deps --python $(PY) --editable kit
	@touch $@

kit: $(call INSTALLED,uv) ## the wheel that projects get, after a change to kit/: vendor/ and its hash in the locks
	@$(PY) -m scripts.kit

lock: $(call INSTALLED,uv) ## bring the lock files up to date, after a change to the groups in a pyproject.toml
	cd '$(PROJECT)' && UV_PYTHON_DOWNLOADS=never '$(CURDIR)/$(BIN)/uv' $(COMPILE) --find-links vendor $(foreach group,installer $(GROUPS),--group $(group)) -o requirements.lock
	$(UV) $(COMPILE) $(FIND_KIT) --group template $(foreach group,installer $(GROUPS),--group '$(PROJECT)/pyproject.toml:$(group)') -c '$(PROJECT)/requirements.lock' -o requirements.lock
	$(UV) $(COMPILE) --group scanners -o scanners.lock
	$(UV) $(COMPILE) --group emulator -o emulator.lock
	$(foreach image,$(TOOLKITS),$(UV) $(COMPILE_TOOLKITS) --override kit/tests/toolkits/images/$(image).pins --group toolkits-$(image) -o toolkits-$(image).lock && ) true

# In an environment of their own: they pin what the SDK cannot take.
.venv/scanners.installed: scanners.lock .venv/uv.installed
	@echo "Installing the scanners of the CloudFormation templates"
	@$(UV) venv --quiet --clear --python $(PY) .venv/scanners
	@$(UV) pip install --quiet --python $(SCANNER) --only-binary :all: --require-hashes -r scanners.lock
	@touch $@

# Likewise: ministack pins a botocore that is not the project's.
.venv/emulator.installed: emulator.lock .venv/uv.installed
	@echo "Installing the emulator of the rehearsal"
	@$(UV) venv --quiet --clear --python $(PY) .venv/emulator
	@$(UV) pip install --quiet --python $(EMULATOR) --only-binary :all: --require-hashes -r emulator.lock
	@touch $@

# The toolkits of AWS's two images, at the versions that the images' own locks name. Some come as sources only: they are built
# from what the lock hashes, with the setuptools that it names; their one C file needs a compiler. collections.Mapping is what
# AWS's Dockerfiles mend, too.
TOOLKIT_PYTHON ?= python3.12 $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.12.*/bin/python3) \
    python3.13 $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.13.*/bin/python3)
.venv/toolkits-%.installed: toolkits-%.lock .venv/uv.installed
	@for python in $(TOOLKIT_PYTHON); do found=$$($$python -c 'import sys; print(sys.executable)' 2>/dev/null) && break; done; \
	[ -n "$$found" ] || { echo "AWS's images have Python 3.12 and none of $(TOOLKIT_PYTHON) runs: install 3.12 or 3.13, or name it with make TOOLKIT_PYTHON=/path/to/python3.12" >&2; exit 1; }; \
	echo "Installing the toolkits of AWS's image $* on $$($$found --version)"; \
	$(UV) venv --quiet --clear --python "$$found" .venv/toolkits-$*
	@sed -n '/^setuptools==/,/[^\\]$$/p' $< > .venv/toolkits-$*/setuptools.txt
	@$(UV) pip install --quiet --python .venv/toolkits-$*/bin/python --only-binary :all: --require-hashes -r .venv/toolkits-$*/setuptools.txt
	@$(UV) pip install --quiet --python .venv/toolkits-$*/bin/python --no-deps --no-build-isolation --require-hashes -r $< || \
	{ echo "The toolkits of AWS's image $* could not be installed from $<: see above what is missing (to build sagemaker-containers: a C compiler, on Debian apt install gcc libc6-dev)" >&2; exit 1; }
	@sed -i 's/collections\.Mapping/collections.abc.Mapping/g' .venv/toolkits-$*/lib/python3*/site-packages/sagemaker_containers/_mapping.py
	@touch $@

demo: install .venv/emulator.installed ## a project's whole life on an emulated AWS, every call checked against its role; ARGS="--size small"
	@$(PY) -m rehearsal $(ARGS)

laptop: install ## a team's first minutes: bake a project, train, approve and serve its model, check the answers over HTTP
	@$(PY) -m scripts.laptop

# Each test is in one group: that of its marker, or the quick ones. conftest.py says which stay in one process; faults are
# played side by side already.
SLOW := story faults bake toolkits
PYTEST := $(PY) -m pytest
SPREAD := --numprocesses auto --dist loadgroup
READY := install .venv/scanners.installed .venv/emulator.installed

test: $(READY) ## every quick test, of the kit and of the template
	$(PYTEST) $(SPREAD) -m 'not templates$(SLOW:%= and not %)'

test-slow: $(SLOW:%=test-%) ## every other test: stories, all faults, a fresh project's own checks, AWS's toolkits

.PHONY: $(SLOW:%=test-%)
# One at a time: stories and faults play a whole AWS each, with builds side by side and latencies that are judged.
test-story test-faults: $(READY)
	$(PYTEST) -m $(@:test-%=%)

test-bake: $(READY)
	$(PYTEST) $(SPREAD) -m bake

test-toolkits: $(READY) $(TOOLKITS:%=.venv/toolkits-%.installed) ## the jobs and endpoints on the toolkits of AWS's images
	$(PYTEST) -n 0 -m toolkits

check: install .venv/scanners.installed .venv/emulator.installed ## style, types and the CloudFormation templates
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	MYPYPATH=kit/src $(PY) -m mypy --config-file '$(PROJECT)/pyproject.toml' hooks scripts tests service_catalog rehearsal kit/src kit/tests
	cd '$(PROJECT)' && '$(CURDIR)/$(PY)' -m mypy
	$(PYTEST) $(SPREAD) -m templates

bake: install ## a project with the default answers, afresh in build/bake/
	@$(PY) -m scripts.bake build/bake

# The product of the Service Catalog: `make create NAME=churn`, and what else a verb takes in ARGS: `make publish ARGS=--plan`
export NAME
publish: install ## offer the project inside SageMaker Studio: a product with a portfolio, roles and a seed
	@$(PY) -m service_catalog publish $(ARGS)

create: install ## a project from the product, as Studio's form makes it; NAME=churn
	@$(PY) -m service_catalog create $(ARGS) $(if $(NAME),-- "$$NAME")

upgrade: install ## a project to the newest version of the product: infrastructure, code by a pull request; NAME=churn
	@$(PY) -m service_catalog upgrade $(ARGS) $(if $(NAME),-- "$$NAME")

delete: install ## a project with everything that was made for it; NAME=churn, ARGS=--plan shows what goes and what stays
	@$(PY) -m service_catalog delete $(ARGS) $(if $(NAME),-- "$$NAME")

.PHONY: templates
templates: install ## the CloudFormation templates, joined from their parts, as files in build/templates/ to look at
	@$(PY) -m service_catalog templates

doctor: install ## what is missing in the AWS account, with the commands that mend it
	@$(PY) -m service_catalog doctor $(ARGS)

faults: install .venv/emulator.installed ## what may go wrong, played and checked; ARGS=--list, ARGS="--fault production-denied"
	@$(PY) -m rehearsal.faults $(ARGS)

bench: install ## the figures of the README, each beside its anchor
	@$(PY) -m scripts.bench

hooks: install ## let git check what you commit, and strip the outputs of notebooks
	$(PY) -m pre_commit install

clean: ## remove .venv and build/
	rm -rf .venv build
