.DEFAULT_GOAL := help
.PHONY: help demo test unit fuzz bench fmt lint

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## gateway, demo provider and demo people in one process; open the address that it prints (flags: ARGS="--listen ...")
	@echo "make demo: building (some minutes the first time), then running until Ctrl-C"
	cargo run --locked -- demo $(ARGS)

test: ## every test, with a real browser and a real Keycloak; installs what it needs first
	@echo "make test: setting up, building, then all tests (ten minutes the first time)"
	tests/setup
	cargo test --locked

unit: ## the tests that need nothing but Rust
	cargo test --locked --lib --test it --test architecture --test process --test docs

fuzz: ## every parser of what comes from outside, with made-up input, for a minute (flags: ARGS="form -max_total_time=3600")
	tests/setup fuzz
	tests/fuzz $(ARGS)

bench: ## requests a second, processor time and memory, beside a bare warp server
	tests/setup bench
	tests/bench/run

fmt: ## format the code
	cargo fmt
	cargo fmt --manifest-path fuzz/Cargo.toml

lint: ## what CI checks before the tests: formatting and clippy
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --all-targets --locked -- -D warnings
