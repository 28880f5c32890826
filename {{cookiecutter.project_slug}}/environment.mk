# How make builds .venv with nothing but a system Python: one stamp for each set of groups of pyproject.toml, and the versions
# and hashes of requirements.lock. A stamp is written last, so an interrupted installation is repeated; a changed lock starts afresh.
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PY := $(BIN)/python
UV := UV_PYTHON_DOWNLOADS=never $(BIN)/uv
PYTHON ?= python3 python3.13 python3.12 python3.11 python3.14 python
# One stamp, .venv/deploy+local.installed, for the groups that a verb needs: installed together they are resolved and fetched once.
EMPTY :=
INSTALLED = .venv/$(subst $(EMPTY) ,+,$(strip $(1))).installed
# With EXTRA_GROUPS=dev in the environment, as in CodeBuild, everything is installed in one go; else checks and tests add it.
DEV = install $(if $(filter dev,$(EXTRA_GROUPS)),,$(call INSTALLED,dev))
GROUP_FILE ?= pyproject.toml
# The kit, the one package that comes with the project; without this folder it comes from the index like all others.
VENDOR ?= vendor
FIND_KIT = $(if $(wildcard $(VENDOR)/*.whl),--find-links '$(VENDOR)')
# What uv says of a kit that does not fit names neither the file nor the way back.
BRING_BACK = bring back what was committed: git checkout HEAD --
CHECK_KIT = set -- '$(VENDOR)'/*.whl; \
    asked=$$(sed -n 's/.*"sagemaker-project-kit[^=]*==\([^"]*\)".*/\1/p' '$(GROUP_FILE)' | sort -u); \
    locked=$$(sed -n 's/^sagemaker-project-kit==\([^ ]*\).*/\1/p' requirements.lock); \
    if [ "$$asked" != "$$locked" ]; then \
        echo "$(GROUP_FILE) asks for version $$asked of sagemaker-project-kit and requirements.lock for $$locked: type make lock, or $(BRING_BACK) $(GROUP_FILE) requirements.lock" >&2; exit 1; \
    elif [ $$\# -gt 1 ]; then \
        echo "$(VENDOR)/ must hold one wheel of the kit and holds $$*: delete all but that of version $$locked" >&2; exit 1; \
    elif [ -f "$$1" ]; then \
        found=$$($(PY) -c 'import hashlib, sys; print(hashlib.file_digest(open(sys.argv[1], "rb"), "sha256").hexdigest())' "$$1") && \
        grep -q "sha256:$$found" requirements.lock || \
        { echo "$$1 is not the kit that requirements.lock names (its hash is sha256:$$found): it was edited, cut off or exchanged; $(BRING_BACK) $(VENDOR) requirements.lock" >&2; exit 1; }; \
    fi;
NO_KIT = [ -f "$$1" ] || echo "$(VENDOR)/ holds no wheel, so the index must have sagemaker-project-kit $$locked; if it has not, $(BRING_BACK) $(VENDOR)" >&2; exit 1
# pip takes two seconds to find uv, so what it installed is kept beside what uv keeps, under the checksum of version and hashes.
KEPT_UV = $${UV_CACHE_DIR:-$$HOME/.cache/uv}/uv-$$(cksum < .venv/uv.txt | tr ' ' -)
# uv's wheels fit every Python: pip need not hold each of the 6,000 that the index lists against all the tags of this one.
UV_WHEEL := --implementation py --abi none --only-binary :all: --no-deps --no-compile --require-hashes
COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-emit-index-url \
    --no-annotate --custom-compile-command "make lock"

export PYTHONUTF8 := 1
# Where this is set, every process compiles every library anew: a second for each job.
unexport PYTHONDONTWRITEBYTECODE
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
# With CODEARTIFACT_DOMAIN and CODEARTIFACT_REPOSITORY set (CODEARTIFACT_DOMAIN_OWNER: another account's), packages come
# from AWS CodeArtifact. The token goes from one process to the next in a variable; pip and uv hide it in what they print.
ifdef CODEARTIFACT_DOMAIN
export CODEARTIFACT_DOMAIN CODEARTIFACT_REPOSITORY CODEARTIFACT_DOMAIN_OWNER
CODEARTIFACT = --domain "$$CODEARTIFACT_DOMAIN" $(if $(CODEARTIFACT_DOMAIN_OWNER),--domain-owner "$$CODEARTIFACT_DOMAIN_OWNER") --output text
WITH_INDEX = set +x; \
    token=$$(aws codeartifact get-authorization-token $(CODEARTIFACT) --query authorizationToken) && \
    index=$$(aws codeartifact get-repository-endpoint $(CODEARTIFACT) --repository "$$CODEARTIFACT_REPOSITORY" --format pypi --query repositoryEndpoint) || \
    { echo "CodeArtifact gave no token or no address for the repository $$CODEARTIFACT_REPOSITORY of $$CODEARTIFACT_DOMAIN" >&2; exit 1; }; \
    export PIP_INDEX_URL="https://aws:$$token@$${index\#https://}simple/"; export UV_DEFAULT_INDEX="$$PIP_INDEX_URL";
endif
.DELETE_ON_ERROR:

.venv/uv.installed: requirements.lock
	@for python in $(PYTHON); do \
	    python=$$($$python -c 'import sys, venv; sys.version_info < (3, 11) or print(sys.executable)' 2>/dev/null); [ -n "$$python" ] && break; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "No Python 3.11 or newer with the venv module found (tried: $(PYTHON)): install one, or name it with make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "Setting up .venv with $$("$$python" --version)"; \
	"$$python" -m venv --clear --without-pip .venv; \
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt; \
	kept="$(KEPT_UV)"; \
	if "$$kept" --version >/dev/null 2>&1; then cp "$$kept" $(BIN)/uv; exit; fi; \
	if ! "$$python" -c 'import pip' 2>/dev/null; then \
	    $(PY) -m ensurepip >/dev/null 2>&1 && python=$(PY) || \
	    { echo "$$python has neither pip nor ensurepip: install them (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }; \
	fi; \
	$(WITH_INDEX) PIP_REQUIRE_VIRTUALENV=0 PIP_USER=0 PIP_ROOT_USER_ACTION=ignore "$$python" -m pip install --quiet --disable-pip-version-check $(UV_WHEEL) --target .venv/uv -r .venv/uv.txt && \
	mv .venv/uv/bin/* $(BIN)/ && rm -r .venv/uv || exit; \
	if mkdir -p "$${kept%/*}" && cp $(BIN)/uv "$$kept.$$$$"; then mv "$$kept.$$$$" "$$kept"; fi 2>/dev/null
	@touch $@

.venv/%.installed: .venv/uv.installed
	@echo "Installing the groups $(subst +, ,$*)"
	@$(CHECK_KIT) $(WITH_INDEX) $(UV) pip install --quiet --python $(PY) $(FIND_KIT) $(foreach group,$(subst +, ,$*),--group '$(GROUP_FILE):$(group)') -c requirements.lock --require-hashes --only-binary :all: || { $(NO_KIT); }
	@touch $@
