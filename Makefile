# Everything a newcomer needs: `make demo` shows the product, `make test` proves it, `make lint` keeps it tidy.
# What is missing on the machine (a C compiler, RabbitMQ, PostgreSQL, Prometheus, shellcheck) is installed by
# deploy/local/install.sh, which says what to do where it cannot. Paths are relative, so that the checkout may stand under any name.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# The order of prerequisites is meant (compile errors before any server starts), and cargo is parallel by itself.
.NOTPARALLEL:

# rustup writes this folder into the profile of the next login only.
export PATH := $(PATH):$(HOME)/.cargo/bin

install := deploy/local/install.sh
with_rabbitmq := deploy/local/with-parts.sh rabbitmq --
with_both := deploy/local/with-parts.sh rabbitmq postgres --

.PHONY: help demo model bench soak torture endurance test test-build test-scripts lint fmt build clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## play incidents through the whole chain on this machine, against simulated vendors (DEMO_ARGS="--stay")
	@$(install) toolchain rabbitmq
	cargo build --locked
	@$(with_rabbitmq) "$${CARGO_TARGET_DIR:-target}/debug/escalator" demo $(DEMO_ARGS)

test: test-build test-scripts ## all tests, against a RabbitMQ and a PostgreSQL of their own (TEST_ARGS="name-of-a-test")
	$(with_both) cargo test --locked $(TEST_ARGS)

test-build:
	@$(install) toolchain rabbitmq postgres prometheus
	cargo build --locked --all-targets

test-scripts: ## the tests of deploy/local alone (about 40 seconds)
	@$(install) rabbitmq postgres prometheus
	deploy/local/selftest.sh

model: ## visit everything that can happen in a small world, with larger bounds than `make test` (minutes, a few GB)
	@$(install) toolchain
	ESCALATOR_MODEL=large cargo test --locked --test it model:: -- --nocapture --test-threads 1

bench: ## how fast a backlog drains, what an escalation, its ledger and telling of it cost (ESCALATIONS=5000)
	@$(install) toolchain rabbitmq postgres
	cargo bench --locked --no-run
	@$(with_both) cargo bench --locked --bench drain
	@$(with_both) cargo bench --locked --bench promise
	@$(with_both) cargo bench --locked --bench ledger
	@$(with_both) cargo bench --locked --bench claims
	@$(with_both) cargo bench --locked --bench telemetry

soak: ## ten minutes with restarts of broker and service (SOAK_SECONDS=600)
	@$(install) toolchain rabbitmq postgres
	$(with_both) cargo test --locked --test soak

torture: ## a crash at every point, beside every fault of the vendors (TORTURE_ONLY, TORTURE_SEED, TORTURE_PAIRS)
	@$(install) toolchain rabbitmq postgres
	$(with_both) cargo test --locked --profile torture --test torture

endurance: ## limits, outages and restarts at their real length, about 50 minutes (ENDURANCE=storm,outage,patience,stops,rolling,ladder,letters,alerts,truth)
	@$(install) toolchain rabbitmq postgres prometheus
	$(with_both) cargo test --locked --profile torture --test endurance

lint: ## formatting, clippy, documentation, shell scripts and Prometheus' rules, warnings denied
	@$(install) toolchain shellcheck prometheus
	cargo fmt --check
	cargo clippy --locked --all-targets --test soak --test torture --test endurance -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	find . -name target -prune -o -name .git -prune -o -name '*.sh' -print0 | xargs -0 shellcheck -x .ci/run
	deploy/local/check-prometheus.sh

fmt: ## format the code
	cargo fmt

build: ## the optimised binary
	@$(install) toolchain
	cargo build --locked --release

clean: ## remove what was built
	cargo clean
