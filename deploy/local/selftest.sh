#!/usr/bin/env bash
# The tests of the scripts beside this file. They talk to real nodes, and leave nothing behind.
#
#   selftest.sh [TEST…]       a TEST is the name of a function below
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

WAIT_LIMIT=60 # seconds, for any one event

if ! rabbitmq_home >/dev/null; then
  [[ ${ESCALATOR_USE_EXISTING_RABBITMQ:-} == 1 ]] || die "$EXIT_UNAVAILABLE" "RabbitMQ is not here"
  say "skipped: the broker in use is not of this machine"
  exit 0
fi

# ---- Tools ------------------------------------------------------------------------------------------------

node() { "$here/rabbitmq.sh" "$@"; }

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# same WHAT EXPECTED ACTUAL
same() { [[ $2 == "$3" ]] || fail "$1: expected '$2', got '$3'"; }

# exits CODE COMMAND…
exits() {
  local status=0
  "${@:2}" >"$scratch/output" 2>&1 || status=$?
  same "exit code of ${*:2} ($(<"$scratch/output"))" "$1" "$status"
}

# eventually WHAT COMMAND…
eventually() {
  local deadline=$((SECONDS + WAIT_LIMIT))
  until "${@:2}"; do
    ((SECONDS < deadline)) || fail "$1 has not come about within $WAIT_LIMIT s"
    sleep 0.05
  done
}

# processes_of FOLDER: pids of what has the folder in its environment, as all of a node has.
processes_of() {
  if [[ -r /proc/self/environ ]]; then
    grep -lsF -- "$1" /proc/[0-9]*/environ || true
  else
    # shellcheck disable=SC2009 # pgrep does not see the environment
    ps -AEww | grep -F -- "$1" | grep -v grep || true
  fi
}

address() { sed -n "s/^$2=//p" "$1/env"; }

# http NODE METHOD PATH [BODY]: prints status line, headers and body. Bare, so that the tests do without curl.
http() {
  local url body=${4:-}
  url=$(address "$1" RABBITMQ_MANAGEMENT_URL)
  (
    exec 3<>"/dev/tcp/127.0.0.1/${url##*:}"
    printf '%s %s HTTP/1.0\r\nHost: localhost\r\nAuthorization: Basic %s\r\nContent-Length: %s\r\n\r\n%s' \
      "$2" "$3" "$(printf guest:guest | base64)" "${#body}" "$body" >&3
    cat <&3
  )
}

# http_says NODE PATTERN METHOD PATH [BODY]
http_says() {
  local answer
  answer=$(http "$1" "${@:3}")
  [[ $answer == *$2* ]] || fail "$3 $4: expected '$2' in: $answer"
}

put_message() {
  http_says "$1" ' 201 ' PUT /api/queues/%2f/kept '{"durable":true}'
  http_says "$1" '"routed":true' POST /api/exchanges/%2f/amq.default/publish \
    '{"routing_key":"kept","payload":"hello","payload_encoding":"string","properties":{"delivery_mode":2}}'
}

# Looks at the message and leaves it where it is.
expect_message() {
  http_says "$1" '"payload":"hello"' POST /api/queues/%2f/kept/get \
    '{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}'
}

# Becomes with-rabbitmq.sh as a terminal would start it: bash has Ctrl-C ignored in what it runs in the background.
with_rabbitmq() {
  export TMPDIR=$scratch
  if env --default-signal=INT true 2>/dev/null; then
    exec env --default-signal=INT "$here/with-rabbitmq.sh" "$@"
  fi
  trap - INT
  exec "$here/with-rabbitmq.sh" "$@"
}

expect_nothing_left() {
  same 'processes left behind' '' "$(processes_of "$scratch/escalator-rabbitmq.")"
  same 'folders left behind' '' "$(find "$scratch" -name 'escalator-rabbitmq.*')"
}

# ---- Tests ------------------------------------------------------------------------------------------------
# Each runs in a process of its own with a folder of its own, $scratch, and all of them at the same time.

two_nodes_live_side_by_side_and_apart() {
  local one=$scratch/one two="$scratch/number two"
  node start "$one" &
  node start "$two"
  wait $!
  exits 0 node status "$one"
  exits 0 node status "$two"
  put_message "$one"
  http_says "$two" ' 404 ' GET /api/queues/%2f/kept
  node destroy "$one"
  http_says "$two" ' 404 ' GET /api/queues/%2f/kept
  node destroy "$two"
  same 'processes left behind' '' "$(processes_of "$scratch/one")$(processes_of "$scratch/number two")"
  [[ ! -e $one && ! -e $two ]] || fail 'a destroyed node has left its folder'
  exits 0 node destroy "$one"
}

a_node_comes_back_on_its_ports_with_its_messages() {
  local dir=$scratch/node env pid
  node start "$dir"
  env=$(<"$dir/env")
  put_message "$dir"

  node stop "$dir"
  exits 3 node status "$dir"
  recorded "$dir/run/epmd" || fail 'a stopped node has lost its epmd'
  same 'processes of a stopped node, but epmd' "/proc/$recorded_pid/environ" "$(processes_of "$dir/home")"
  node start "$dir"
  same 'addresses after a stop' "$env" "$(<"$dir/env")"
  expect_message "$dir"

  read -r pid _ <"$dir/run/beam"
  node kill "$dir"
  ! process_facts "$pid" || same 'state of the killed Erlang VM' Z "$process_state"
  node start "$dir"
  same 'addresses after a crash' "$env" "$(<"$dir/env")"
  expect_message "$dir"

  node freeze "$dir"
  exits 4 node status "$dir"
  exits 1 node start "$dir"
  node thaw "$dir"
  exits 0 node status "$dir"
  expect_message "$dir"
  exits 0 node start "$dir"
  node destroy "$dir"
}

the_exit_code_and_standard_input_are_the_commands_own() {
  local status=0
  # shellcheck disable=SC2016 # for the inner shell
  (with_rabbitmq bash -c 'read -r word; [[ -n $AMQP_URL && -f $RABBITMQ_NODE_DIR/env && $word == given ]] && exit 7') \
    <<<given || status=$?
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
  (with_rabbitmq bash -c "$COUNTING" "$scratch") &
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

has_beam() { compgen -G "$scratch/escalator-rabbitmq.*/node/run/beam" >/dev/null; }

ctrl_c_during_the_start_leaves_nothing() {
  local status=0 pid
  (with_rabbitmq touch "$scratch/ran") &
  pid=$!
  eventually 'the start of the Erlang VM' has_beam
  kill -INT "$pid"
  wait "$pid" || status=$?
  same 'exit code' 130 "$status"
  [[ ! -e $scratch/ran ]] || fail 'the command ran all the same'
  expect_nothing_left
}

a_broker_that_is_there_is_used() {
  same 'address' given "$(ESCALATOR_USE_EXISTING_RABBITMQ=1 AMQP_URL=given "$here/with-rabbitmq.sh" printenv AMQP_URL)"
}

a_foreign_folder_is_refused() {
  local command
  mkdir "$scratch/foreign"
  : >"$scratch/foreign/precious"
  for command in start stop kill freeze thaw status destroy; do
    exits 64 node "$command" "$scratch/foreign"
  done
  [[ -f $scratch/foreign/precious ]] || fail 'a foreign file is gone'
  exits 64 node start "$scratch/no/such/parent"
  exits 64 node burn "$scratch/foreign"
}

where_nothing_can_be_installed_it_says_what_is_missing() {
  local tool
  mkdir "$scratch/bin"
  for tool in bash cat dirname; do ln -s "$(command -v "$tool")" "$scratch/bin/$tool"; done
  exits 69 env "PATH=$scratch/bin" RABBITMQ_HOME=/nonexistent "$BASH" "$here/install.sh" rabbitmq shellcheck toolchain
  for tool in RabbitMQ shellcheck 'C compiler' ESCALATOR_USE_EXISTING_RABBITMQ; do
    grep -qF "$tool" "$scratch/output" || fail "no word of $tool in: $(<"$scratch/output")"
  done
  exits 64 "$here/install.sh" nonsense
}

an_installation_of_nothing_is_silent() {
  exits 0 "$here/install.sh" rabbitmq
  same 'its words' '' "$(<"$scratch/output")"
}

versions_are_compared_as_numbers() {
  is_older_than 3.9.13 3.10 || fail '3.9.13 is older than 3.10'
  is_older_than 2.12 3.10 || fail '2.12 is older than 3.10'
  ! is_older_than 3.10.8 3.10 || fail '3.10.8 is not older than 3.10'
  ! is_older_than 4.3.6 3.10 || fail '4.3.6 is not older than 3.10'
  ! is_older_than 4.0.0-rc.1 3.10 || fail '4.0.0-rc.1 is not older than 3.10'
}

TESTS=(
  a_node_comes_back_on_its_ports_with_its_messages
  two_nodes_live_side_by_side_and_apart
  ctrl_c_reaches_the_command_once_and_leaves_nothing
  a_termination_reaches_the_command_once_and_leaves_nothing
  ctrl_c_during_the_start_leaves_nothing
  the_exit_code_and_standard_input_are_the_commands_own
  a_broker_that_is_there_is_used
  a_foreign_folder_is_refused
  where_nothing_can_be_installed_it_says_what_is_missing
  an_installation_of_nothing_is_silent
  versions_are_compared_as_numbers
)
[[ $# -eq 0 ]] || TESTS=("$@")

# ---- All of it --------------------------------------------------------------------------------------------

root=$(mktemp -d "${TMPDIR:-/tmp}/escalator-selftest.XXXXXX")

# A test that fails leaves its nodes to this.
clean_up() {
  local marker
  trap '' INT TERM HUP
  for marker in "$root"/*/.made-by-* "$root"/*/*/.made-by-* "$root"/*/*/*/.made-by-*; do
    [[ ! -f $marker ]] || node destroy "${marker%/*}"
  done
  rm -rf -- "$root"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

pids=()
for test in "${TESTS[@]}"; do
  mkdir "$root/$test"
  (
    trap - EXIT
    scratch=$root/$test
    "$test"
  ) >"$root/$test.log" 2>&1 </dev/null &
  pids+=($!)
done

failures=0
for i in "${!TESTS[@]}"; do
  if wait "${pids[i]}"; then
    printf 'ok      %s\n' "${TESTS[i]}"
  else
    printf 'FAILED  %s\n' "${TESTS[i]}"
    sed 's/^/        /' "$root/${TESTS[i]}.log"
    failures=$((failures + 1))
  fi
done
printf '%s tests, %s failed, %s s\n' "${#TESTS[@]}" "$failures" "$SECONDS"
((failures == 0))
