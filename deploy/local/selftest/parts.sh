#!/usr/bin/env bash
# The tests of with-parts.sh and install.sh. Sourced by ../selftest.sh, whose tools they use.

# shellcheck disable=SC2154

# Becomes with-parts.sh as a terminal would start it: bash has Ctrl-C ignored in what it runs in the background.
with_parts() {
  export TMPDIR=$scratch
  if env --default-signal=INT true 2>/dev/null; then
    exec env --default-signal=INT "$here/with-parts.sh" "$@"
  fi
  trap - INT
  exec "$here/with-parts.sh" "$@"
}

expect_nothing_left() {
  same 'processes left behind' '' "$(processes_of "$scratch/escalator-parts.")"
  same 'folders left behind' '' "$(find "$scratch" -name 'escalator-parts.*')"
}

the_exit_code_and_standard_input_are_the_commands_own() {
  local status=0
  # shellcheck disable=SC2016 # for the inner shell
  (with_parts rabbitmq postgres -- bash -c 'read -r word
    [[ -n $AMQP_URL && -n $RABBITMQ_PROMETHEUS_URL && -f $RABBITMQ_NODE_DIR/env && -n $ESCALATOR_TEST_POSTGRES_URL && $word == given ]] &&
    [[ -f $ESCALATOR_TEST_POSTGRES_DIR/env ]] && exit 7') <<<given || status=$?
  same 'exit code' 7 "$status"
  expect_nothing_left
}

# A command that counts its signals and leaves in order, and has a child that would rather stay.
# shellcheck disable=SC2016
COUNTING='trap "echo got-INT >>\"$0/signals\"; exit 0" INT; trap "echo got-TERM >>\"$0/signals\"; exit 0" TERM
  sleep 1000 & : >"$0/ready"; while true; do sleep 0.1; done'

# signal_ends NAME CODE
signal_ends() {
  local status=0 pid
  (with_parts rabbitmq postgres -- bash -c "$COUNTING" "$scratch") &
  pid=$!
  eventually 'the start of the command' test -e "$scratch/ready"
  kill "-$1" "$pid"
  wait "$pid" || status=$?
  same 'exit code' "$2" "$status"
  same 'signals that the command got' "got-$1" "$(<"$scratch/signals")"
  expect_nothing_left
}

ctrl_c_reaches_the_command_once_and_leaves_nothing() { signal_ends INT 130; }
a_termination_reaches_the_command_once_and_leaves_nothing() { signal_ends TERM 143; }

has_beam() { compgen -G "$scratch/escalator-parts.*/rabbitmq/run/beam" >/dev/null; }

ctrl_c_during_the_start_leaves_nothing() {
  local status=0 pid
  (with_parts postgres rabbitmq -- touch "$scratch/ran") &
  pid=$!
  eventually 'the start of the Erlang VM' has_beam
  kill -INT "$pid"
  wait "$pid" || status=$?
  same 'exit code' 130 "$status"
  [[ ! -e $scratch/ran ]] || fail 'the command ran all the same'
  expect_nothing_left
}

# shellcheck disable=SC2016 # for the inner shell
what_is_there_is_used_and_not_made() {
  same 'address of the broker' given \
    "$(ESCALATOR_USE_EXISTING_RABBITMQ=1 AMQP_URL=given "$here/with-parts.sh" rabbitmq -- printenv AMQP_URL)"
  same 'addresses' 'one two' "$(ESCALATOR_USE_EXISTING_RABBITMQ=1 AMQP_URL=one \
    ESCALATOR_USE_EXISTING_POSTGRES=1 ESCALATOR_TEST_POSTGRES_URL=two "$here/with-parts.sh" rabbitmq postgres -- \
    bash -c 'echo "$AMQP_URL $ESCALATOR_TEST_POSTGRES_URL"')"
}

what_is_no_part_is_refused() {
  exits 64 "$here/with-parts.sh" mysql -- true
  exits 64 "$here/with-parts.sh" postgres --
  exits 64 "$here/with-parts.sh" postgres
  exits 64 "$here/with-parts.sh"
}

where_nothing_can_be_installed_it_says_what_is_missing() {
  local tool
  mkdir "$scratch/bin"
  for tool in bash cat dirname; do ln -s "$(command -v "$tool")" "$scratch/bin/$tool"; done
  exits 69 env "PATH=$scratch/bin" RABBITMQ_HOME=/nonexistent POSTGRES_HOME=/nonexistent \
    PROMETHEUS_HOME=/nonexistent "$BASH" "$here/install.sh" rabbitmq postgres prometheus shellcheck toolchain
  for tool in RabbitMQ PostgreSQL Prometheus shellcheck 'C compiler' ESCALATOR_USE_EXISTING_RABBITMQ ESCALATOR_USE_EXISTING_POSTGRES; do
    grep -qF "$tool" "$scratch/output" || fail "no word of $tool in: $(<"$scratch/output")"
  done
  exits 64 "$here/install.sh" nonsense
}

an_installation_of_nothing_is_silent() {
  exits 0 "$here/install.sh" rabbitmq postgres prometheus
  same 'its words' '' "$(<"$scratch/output")"
}

versions_are_compared_as_numbers() {
  is_older_than 3.9.13 3.10 || fail '3.9.13 is older than 3.10'
  is_older_than 2.12 3.10 || fail '2.12 is older than 3.10'
  is_older_than 9.6 13 || fail '9.6 is older than 13'
  ! is_older_than 15 13 || fail '15 is not older than 13'
  ! is_older_than 13.22 13 || fail '13.22 is not older than 13'
  ! is_older_than 3.10.8 3.10 || fail '3.10.8 is not older than 3.10'
  ! is_older_than 4.3.6 3.10 || fail '4.3.6 is not older than 3.10'
  ! is_older_than 4.0.0-rc.1 3.10 || fail '4.0.0-rc.1 is not older than 3.10'
}

the_postgres_that_is_named_counts_unless_it_is_too_old() {
  local version
  for version in 9.6 13 18beta1; do
    mkdir -p "$scratch/$version/bin"
    printf '#!/bin/sh\necho "postgres (PostgreSQL) %s (Debian %s-1)"\n' "$version" "$version" >"$scratch/$version/bin/postgres"
    cp "$scratch/$version/bin/postgres" "$scratch/$version/bin/initdb"
    chmod +x "$scratch/$version/bin/"*
    same 'home' "$scratch/$version" "$(POSTGRES_HOME=$scratch/$version postgres_home)"
  done
  same 'version' 9.6 "$(postgres_version "$scratch/9.6")"
  same 'version' 18 "$(postgres_version "$scratch/18beta1")"
  exits 69 env "POSTGRES_HOME=$scratch/9.6" "$here/install.sh" postgres
  grep -qF 'too old' "$scratch/output" || fail "no word of its age in: $(<"$scratch/output")"
  exits 0 env "POSTGRES_HOME=$scratch/13" "$here/install.sh" postgres
  ! (POSTGRES_HOME=$scratch postgres_home) || fail 'a folder without a server is a home'
}

the_prometheus_that_is_named_counts_unless_it_is_too_old() {
  local version
  for version in 2.39.1 2.42.0+ds 3.0.0-rc.0; do
    mkdir "$scratch/$version"
    printf '#!/bin/sh\necho "prometheus, version %s (branch: HEAD, revision: 0)" >&2\n' "$version" >"$scratch/$version/prometheus"
    cp "$scratch/$version/prometheus" "$scratch/$version/promtool"
    chmod +x "$scratch/$version/"*
    same 'home' "$scratch/$version" "$(PROMETHEUS_HOME=$scratch/$version prometheus_home)"
  done
  same 'version' 2.42.0 "$(prometheus_version "$scratch/2.42.0+ds")"
  exits 69 env "PROMETHEUS_HOME=$scratch/2.39.1" "$here/install.sh" prometheus
  grep -qF 'too old' "$scratch/output" || fail "no word of its age in: $(<"$scratch/output")"
  exits 0 env "PROMETHEUS_HOME=$scratch/2.42.0+ds" "$here/install.sh" prometheus
  exits 0 env "PROMETHEUS_HOME=$scratch/3.0.0-rc.0" "$here/install.sh" prometheus
  rm "$scratch/3.0.0-rc.0/promtool"
  ! (PROMETHEUS_HOME=$scratch/3.0.0-rc.0 prometheus_home) || fail 'a folder without promtool is a home'
}

# write_rules EXPRESSION: and what goes along with them.
write_rules() {
  local folder=$scratch/prometheus
  mkdir -p "$folder/rules" "$folder/tests"
  printf 'rule_files: [rules/*.yml]\n' >"$folder/prometheus.yml"
  printf 'groups: [{name: g, rules: [{alert: Down, expr: "%s"}]}]\n' "$1" >"$folder/rules/alerts.yml"
  cat >"$folder/tests/alerts.yml" <<'TEXT'
rule_files: [../rules/alerts.yml]
tests:
  - input_series: [{series: 'up{job="a"}', values: '0'}]
    alert_rule_test: [{eval_time: 0, alertname: Down, exp_alerts: [{exp_labels: {job: a}}]}]
TEXT
}

what_is_wrong_with_the_rules_is_said() {
  prometheus_home >/dev/null || { say 'skipped: no promtool on this machine'; return; }
  write_rules 'up == 0'
  exits 0 "$here/check-prometheus.sh" "$scratch/prometheus"
  same 'its words' '' "$(<"$scratch/output")"
  write_rules 'up == 1'
  exits 1 "$here/check-prometheus.sh" "$scratch/prometheus"
  grep -qF 'alertname: Down' "$scratch/output" || fail "no word of the test that fails in: $(<"$scratch/output")"
  write_rules 'up =='
  exits 1 "$here/check-prometheus.sh" "$scratch/prometheus"
  grep -qF 'parse error' "$scratch/output" || fail "no word of the rule that is none in: $(<"$scratch/output")"
  exits 64 "$here/check-prometheus.sh" "$scratch"
  exits 64 "$here/check-prometheus.sh" "$scratch/prometheus" "$scratch"
}
