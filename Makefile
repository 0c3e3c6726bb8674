# One command each: make demo (train and look), make lab (notebooks), make test (prove that it works).
PYTHON ?= python3
VENV   ?= .venv
OLDEST ?= .venv-oldest
OLDEST_TESTS ?= tests
BIN     = $(VENV)/bin
MINUTES ?= 10
SEED    ?= 0
OUT     ?= runs/demo
CORES   := $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo lab test test-oldest notebooks benchmark checkpoint clean

demo: $(VENV)/installed  ## train for MINUTES and write a report to OUT
	$(BIN)/oneformer-lite demo --minutes $(MINUTES) --seed $(SEED) --out $(OUT)

lab: $(VENV)/installed  ## open a copy of the notebooks, in workbook/: yours to run and change
	$(BIN)/oneformer-lite course start workbook
	$(BIN)/jupyter lab workbook/notebooks

test: $(VENV)/installed-test  ## everything: unit tests, then each notebook against its stored outputs
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) --dist loadscope tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) --dist loadscope --nbval --nbval-current-env notebooks

test-oldest: $(OLDEST)/installed  ## the tests with the oldest versions of everything that pyproject.toml allows
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest -n $(CORES) --dist loadscope $(OLDEST_TESTS)

notebooks: $(VENV)/installed-test  ## execute the notebooks from their sources
	$(BIN)/python notebooks/build.py

benchmark: $(VENV)/installed-test  ## ours and transformers' OneFormer side by side; COCO=folder takes its pictures from there
	$(BIN)/python tests/benchmarks/speed $(if $(COCO),--coco $(COCO)) --out runs/benchmark

checkpoint: $(VENV)/installed  ## train and install a checkpoint like the one that ships with the package (some four hours)
	$(BIN)/oneformer-lite demo --steps 5000 --scenes 12000 --out runs/toytown
	$(BIN)/oneformer-lite demo --steps 16000 --scenes 24000 --out runs/toytown  # resumes the same run
	$(BIN)/oneformer-lite demo --steps 24000 --scenes 24000 --out runs/toytown
	$(BIN)/oneformer-lite convert runs/toytown/model oneformer_lite/checkpoints/toytown --half
	$(BIN)/oneformer-lite eval --model oneformer_lite/checkpoints/toytown \
	    --json oneformer_lite/checkpoints/toytown/metrics.json

# $(call install,WHAT): pip, and where it fails a sentence on the most frequent reason, a full disk.
define install
	@echo "installing (PyTorch is large: a few minutes)"
	@$(BIN)/python -m pip install --quiet --editable $(1) || { \
	    echo "The installation did not finish; pip's reason stands above. With CUDA, PyTorch needs 10 GB of disk" \
	    "while it is installed (free here: $$(df -Ph . | awk 'END {print $$4}')); without, far less:" \
	    "README, 'Three commands', says how."; exit 1; }
endef

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "oneformer_lite needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	    { rm -rf $(VENV); echo "Python cannot make a virtual environment here: sudo apt install python3-venv"; exit 1; }
	@touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml
	$(call install,.)
	@touch $@

$(VENV)/installed-test: $(VENV)/created pyproject.toml
	$(call install,'.[test]')
	@touch $(VENV)/installed $@

$(OLDEST)/installed: pyproject.toml tests/oldest.py
	@rm -rf $(OLDEST)
	@$(PYTHON) -m venv $(OLDEST)
	@$(OLDEST)/bin/python -m pip install --quiet --upgrade packaging 'setuptools>=77'
	@$(OLDEST)/bin/python tests/oldest.py > $(OLDEST)/requirements.txt
	@echo "installing the oldest versions (two PyTorches on one disk: 10 GB)"
	@$(OLDEST)/bin/python -m pip install --quiet --requirement $(OLDEST)/requirements.txt
	@$(OLDEST)/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

clean:  ## remove the environments and all runs
	rm -rf $(VENV) $(OLDEST) runs
