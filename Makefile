# Every target prepares the machine as far as it needs; nothing has to be run before it.
.DEFAULT_GOAL := help
.PHONY: help env demo demo-clean test test-fast lint bench

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

env: ## .venv with everything, so that .venv/bin/ansible-playbook deter.benito.… works here
	@scripts/env dev

demo: ## the January 2011 demo on three pnodes made on this machine (root)
	@scripts/env run
	@scripts/demo

demo-clean: ## takes the demo away again, leaves the machine as it was
	@scripts/demo-clean

test: ## everything CI runs, half an hour to 40 minutes on two cores (root)
	@scripts/env dev
	@.venv/bin/python scripts/test.py

test-fast: ## unit tests only, under a minute
	@scripts/env dev
	@.venv/bin/python scripts/test.py unit

lint: ## ansible-lint, yamllint, ruff, changelog and documentation
	@scripts/env dev
	@.venv/bin/python scripts/test.py lint

bench: ## speed beside Mininet, as ratios of one run (root)
	@scripts/env dev
	@scripts/bench
