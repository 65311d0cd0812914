# `make play` and `make test` are all a fresh clone needs: Python 3.11 or newer, make and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := netsecgame AIDojoCoordinator agents benchmarks tests
TASK ?= task_configs/two_networks_defended.yaml
EPISODES ?= 20
SEED ?= 42
BENCHMARKS ?= tcp_steps client_loop trajectory_resets many_agents many_games worlds batched_worlds \
	environments remote scenario_size start_up

TRAIN_VENV := .venv-train
RLLIB_VENV := .venv-rllib
# Whoever has another build of it can say so here.
TORCH ?= torch==2.13.0

# What others' checkers and we ask of environments, with any version of Gymnasium.
GYMNASIUM_TESTS := tests/conformance/test_gymnasium.py tests/conformance/test_pettingzoo.py \
	tests/unit/envs/test_single_env.py tests/unit/envs/test_vector_env.py

.PHONY: help play test test-train results lint format bench clean
.DEFAULT_GOAL := help

help:
	@echo "make play    play $(EPISODES) episodes of the scripted attacker against a random defender"
	@echo "make test    run all tests but those of learning"
	@echo "make test-train  run those: installs torch and Ray"
	@echo "make results  train on all tasks and write docs/results.md, in an hour"
	@echo "make lint    check style, types and who imports whom"
	@echo "make format  bring the code into the house style"
	@echo "make bench   measure how fast everything is, against limits and peers"
	@echo "make clean   remove everything that was made"

$(VENV)/server.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server]'
	@touch $@

$(VENV)/dev.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/server.done

# Apart from the others, because learners pin versions of what they use.
$(TRAIN_VENV)/done: pyproject.toml
	$(PYTHON) -m venv $(TRAIN_VENV)
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(TRAIN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[train,test]'
	@touch $@

# RLlib wants a Gymnasium of its own.
$(RLLIB_VENV)/done: pyproject.toml
	$(PYTHON) -m venv $(RLLIB_VENV)
	$(RLLIB_VENV)/bin/python -m pip install --quiet --disable-pip-version-check '$(TORCH)'
	$(RLLIB_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[rllib,batch,render,test]'
	@touch $@

play: $(VENV)/server.done
	$(BIN)/netsecgame play $(TASK) --agent scripted --defender random --episodes $(EPISODES) --seed $(SEED)

test: $(VENV)/dev.done
	$(BIN)/python -m pytest -n 2 --dist worksteal

# The environments are tested with either version of Gymnasium, RLlib's and the newest.
test-train: $(TRAIN_VENV)/done $(RLLIB_VENV)/done
	$(TRAIN_VENV)/bin/python -m pytest -n 2 --dist worksteal tests/train
	$(RLLIB_VENV)/bin/python -m pytest -n 2 --dist worksteal $(GYMNASIUM_TESTS)
	$(RLLIB_VENV)/bin/python -m pytest tests/train

results: $(TRAIN_VENV)/done
	$(TRAIN_VENV)/bin/python -m benchmarks.results

lint: $(VENV)/dev.done
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/dev.done
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(VENV)/dev.done
	for name in $(BENCHMARKS); do echo "--- $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

clean:
	rm -rf $(VENV) $(TRAIN_VENV) $(RLLIB_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
