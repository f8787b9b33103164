# `make` lists the targets.
.DEFAULT_GOAL := help
# Tests wait for leases to end more than they work.
THREADS := $(shell echo $$((2 * $$(nproc))))
.PHONY: help deps run install test soak faults bench scale budget clients fuzz openapi recipes lint-openapi schemathesis check ci compose-test

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Install Redis from the system's packages, if no Redis 7 or Valkey 8 is found
	@deploy/install-redis

run: deps ## Build Gorilla and start it with a private Redis; ARGS are passed to `gorilla dev`
	cargo build --release --locked
	@exec target/release/gorilla dev $(ARGS)

test: deps ## Run all tests, against real Redis servers of their own and in a real browser
	@tests/install-browser
	@tests/install-prometheus
	@tests/install-logrotate
	@tests/skew/build-0.1
	tests/with-server cargo test --locked --workspace --exclude gorilla-faults -- --test-threads $(THREADS)
	cargo test --locked --workspace --test checker --test checker_sets --test checker_batches --test checker_leaders --test checker_events --test every_fault --test mistakes -- --test-threads $(THREADS)
	clients/test-all python typescript
	tests/recipes/test

clients: deps ## Test every client library: its own tests, and what all clients must do; ONLY='python' for less
	clients/test-all $(ONLY)

recipes: deps ## Run the recipes of docs/guides/recipes.md and the GitHub action, with tools from PyPI
	tests/recipes/test

install: ## Install the program, its man pages and completions under PREFIX, /usr/local by default
	cargo build --release --locked
	deploy/install-program target/release/gorilla $(or $(PREFIX),/usr/local)

soak: deps ## Five minutes of random waiting, releasing, hanging up and killing; SOAK=… for another number of seconds
	GORILLA_SOAK_SECONDS=$(or $(SOAK),300) cargo test --locked --test it queue::soak -- --nocapture

faults: deps ## All faults on all servers, ARGS='--seeds 20 --seconds 30 --jobs 2' or parts of names; writes target/faults/table.md
	cargo build --locked --workspace
	@tests/skew/build-0.1
	target/debug/faults run --table target/faults/table.md $(ARGS)

bench: deps ## Measure Gorilla beside others and write the tables and plots of docs/BENCHMARKS.md; ARGS='--rounds 5 --only status' for less or more
	benches/get-contestants
	cargo build --release --locked
	cargo build --release --locked --package gorilla-bench
	PATH="$(CURDIR)/target/bench/newer/bin:$$PATH" TMPDIR=$(or $(wildcard /dev/shm),/tmp) target/release/bench run $(ARGS)
	target/release/bench report

scale: deps ## Measure set-ups of this machine, predict larger ones and write docs/internals/scale.md; ARGS='--rounds 3' for less
	cargo build --release --locked
	cargo build --release --locked --package gorilla-bench
	TMPDIR=$(or $(wildcard /dev/shm),/tmp) target/release/bench scale measure $(ARGS)
	target/release/bench scale report

budget: deps ## Count what requests cost a replica and Redis in instructions, and hold it against benches/budget.toml; ARGS=--write writes that anew
	@benches/install-valgrind
	cargo build --release --locked --bin gorilla
	cargo build --locked --workspace --bin bench
	target/debug/bench budget $(ARGS)

fuzz: ## Look for bytes that break a path, a body or a reply; needs nightly Rust and cargo-fuzz; FUZZ=… seconds a target
	tests/fuzz/run $(or $(FUZZ),60)

openapi: ## Write docs/openapi.json from the types, operations and codes in crates/gorilla-wire
	@mkdir -p target
	cargo run --locked --quiet --package gorilla-wire --features openapi --bin openapi >target/openapi.json
	mv target/openapi.json docs/openapi.json
	@tests/install-node
	node clients/typescript/scripts/generate.mjs
	clients/python/test generate

lint-openapi: ## Check docs/openapi.json against the strictest rules of Redocly and Spectral, from npm
	@tests/openapi/lint

schemathesis: deps ## Try /openapi.json on a running server for 60 s, with Schemathesis from PyPI; TRY=… for another number of seconds
	tests/schemathesis/run $(or $(TRY),60)

check: ## Check the format, lints, documentation and licences
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps --quiet
	cargo test --locked --quiet --workspace --test it licences

ci: check lint-openapi test ## Everything but the containers

compose-test: ## Try docker-compose.yml with real containers; exits 77 where no Docker engine answers
	@tests/compose-test.sh
