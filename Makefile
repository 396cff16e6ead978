# Every target first prepares what it needs, so you can run any of them first.
.DEFAULT_GOAL := help
.PHONY: help env demo demo-clean test test-fast lint bench soak

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

env: ## install everything into .venv, for .venv/bin/ansible-playbook deter.benito.…
	@scripts/env dev

demo: ## run the January 2011 demo on three local pnodes (root)
	@scripts/env run
	@scripts/demo

demo-clean: ## remove the demo and restore the machine (root)
	@scripts/demo-clean

test: ## run everything that CI runs; takes about 50 minutes on two cores (root)
	@scripts/env dev
	@.venv/bin/python scripts/test.py

test-fast: ## run the unit tests only
	@scripts/env dev
	@.venv/bin/python scripts/test.py unit

lint: ## run all linters: code, playbooks, shell scripts, changelog, documentation
	@scripts/env dev
	@.venv/bin/python scripts/test.py lint

bench: ## run all benchmarks, with Mininet and METIS for comparison (root)
	@scripts/env dev
	@scripts/bench

soak: ## hit runs with faults at fifty random moments, and the service with 300,000 requests; takes hours (root)
	@scripts/env dev
	@scripts/soak
