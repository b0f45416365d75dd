# Two commands for a newcomer: `make demo` and `make test`. Every recipe is a command that works by hand.

PYTHON_BIN := .venv/bin
SNAKEMAKE := $(PYTHON_BIN)/snakemake --cores all
export PYTHON
# no command uses a network or sends telemetry; jobs have the same settings of their own
export HF_HUB_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export ORT_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
# packages are compiled when the environment is created, and only read afterwards
export PYTHONDONTWRITEBYTECODE := 1

CONFIG ?= config/presets/demo.yaml

# each test has a limit of its own (tests/limits.py); this one, in seconds, is for hangs outside of tests
TEST_LIMIT_S ?= 7200
PYTEST := timeout --foreground --verbose --signal=INT --kill-after=60 $(TEST_LIMIT_S) \
	$(PYTHON_BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 4

.PHONY: demo test test-quick test-slurm test-fuzz setup check doctor forecast config lock clean

setup:            ## create .venv from the locked pins (once)
	@envs/setup.sh

demo: setup       ## make the demo data set, run every stage on it, write the report
	$(SNAKEMAKE) --configfile config/presets/demo.yaml
	@echo "The report: results/demo/report/report.html"

test: setup       ## all tests
	$(PYTEST)

test-quick: setup ## unit and contract tests except the long ones
	$(PYTEST) -m "not slow" tests/unit tests/contract

test-slurm: setup ## faults and a complete run on a real Slurm, on this machine (Debian, root)
	@tests/slurm/cluster install
	@trap 'tests/slurm/cluster stop' EXIT INT TERM; tests/slurm/cluster start && \
		$(PYTHON_BIN)/python -m pytest -m slurm tests/slurm

test-fuzz: setup  ## ten minutes of hostile texts for the readers
	-$(PYTHON_BIN)/pip install -q --no-deps -r envs/fuzz.txt
	$(PYTHON_BIN)/python -m pytest -m fuzz tests/unit/datasets/test_fuzz.py

check: setup      ## style, types and workflow lint alone
	$(PYTHON_BIN)/python -m pytest -q tests/workflow/test_style.py

doctor: setup     ## is this machine or cluster suitable? CONFIG=<preset> ARGS=--submit
	$(PYTHON_BIN)/waver doctor --configfile $(CONFIG) $(ARGS)

forecast: setup   ## jobs, CPU-hours and disk of a run before it is submitted; CONFIG=<preset> ARGS=...
	$(PYTHON_BIN)/waver forecast --configfile $(CONFIG) $(ARGS)

config: setup     ## rewrite the files generated from src/waver/config and the pins
	PYTHONPATH=src $(PYTHON_BIN)/python -m waver.config.generate
	$(PYTHON_BIN)/python envs/generate.py

lock:             ## renew the locks in envs/ after a change of requirements; ARGS='--upgrade-package <name>'
	$(or $(PYTHON),python3.11) envs/lock.py $(ARGS)

clean:            ## delete the outputs of runs; the data set and .venv stay
	rm -rf results logs benchmarks
