# Targets for people; each can be run from a fresh clone. TORCH=keep uses the torch that is installed already;
# TEXT=0 leaves out the pretrained text model and what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
TORCH  ?=
BLAS   ?= SkylakeX
TEXT   ?= 1
EXTRAS := hf,text,dev

CONSTRAIN = grep -v $(if $(filter keep,$(TORCH)),'^torch==','^$$') constraints.txt > $(VENV)/constraints.txt

.PHONY: setup setup-dev demo test test-all check format bench golden

setup: $(VENV)/.installed
setup-dev: $(VENV)/.installed-dev

# TORCH=keep: the environment sees the machine's own packages and no constraint touches torch.
$(VENV)/.created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "labelprop needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(if $(filter keep,$(TORCH)),--system-site-packages) $(VENV)
	touch $@

# --no-compile: Python compiles a module when it is first imported; all that pip would compile are 220 MB more.
$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(CONSTRAIN)
	$(BIN)/python -m pip install -q --no-compile -c $(VENV)/constraints.txt -e '.$(if $(filter 1,$(TEXT)),[text])'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.created pyproject.toml constraints.txt
	$(CONSTRAIN)
	$(BIN)/python -m pip install -q --no-compile -c $(VENV)/constraints.txt -e '.[$(EXTRAS)]'
	touch $@ $(VENV)/.installed

demo: setup
	$(BIN)/labelprop demo

test: setup-dev
	$(BIN)/python -m pytest -q -n 2

test-all: setup-dev
	$(BIN)/python -m pytest -q -n 2 -m 'slow or not slow'

check: setup-dev
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy --strict src

format: setup-dev
	$(BIN)/ruff check --fix src tests benchmarks examples
	$(BIN)/ruff format src tests benchmarks examples

golden: setup-dev
	$(BIN)/python -m pytest -q tests/golden --update-golden

bench: setup-dev
	$(BIN)/python benchmarks/demo_seeds.py
	$(BIN)/python benchmarks/default_answer.py --data $(DATA)
	$(BIN)/python benchmarks/training_speed.py --data $(DATA)
	$(BIN)/python benchmarks/busy_neighbors.py
	$(BIN)/python benchmarks/forecasts.py --data $(DATA)
	$(BIN)/labelprop bench small --data $(DATA)
	for part in compare warm auto million scaling; do $(BIN)/python benchmarks/propagation.py $$part || exit 1; done
	$(BIN)/python benchmarks/propagation.py compare --blas $(BLAS)
	$(BIN)/python benchmarks/local_processes.py
	$(BIN)/python benchmarks/auto_propagation.py --data $(DATA)
	$(BIN)/labelprop bench table5 --data $(DATA) --out runs/bench-table5
