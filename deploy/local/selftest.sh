#!/usr/bin/env bash
# The tests of the scripts beside this file, which are in selftest/. They talk to real servers, and leave nothing behind.
#
#   selftest.sh [TEST…]       a TEST is the name of a function in selftest/
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

WAIT_LIMIT=180 # seconds, for any one event
AT_ONCE=4      # tests; two of them boot two nodes each, and all at once a slow machine boots none in time

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

# processes_of FOLDER: what has the folder in its environment, as all of a node has, or works in it, as all of a
# PostgreSQL does, which writes its titles over its environment.
processes_of() {
  if [[ -r /proc/self/environ ]]; then
    grep -lsF -- "$1" /proc/[0-9]*/environ || true
    find /proc/[0-9]*/cwd -prune -lname "$1*" 2>/dev/null || true
  else
    # shellcheck disable=SC2009 # pgrep does not see the environment
    ps -AEww | grep -F -- "$1" | grep -v grep || true
  fi
}

address() { sed -n "s/^$2=//p" "$1/env"; }

# refuses_foreign_folders PART
refuses_foreign_folders() {
  local command
  mkdir "$scratch/foreign"
  : >"$scratch/foreign/precious"
  for command in start stop kill freeze thaw status destroy; do
    exits 64 "$here/$1.sh" "$command" "$scratch/foreign"
  done
  [[ -f $scratch/foreign/precious ]] || fail 'a foreign file is gone'
  exits 64 "$here/$1.sh" start "$scratch/no/such/parent"
  exits 64 "$here/$1.sh" burn "$scratch/foreign"
}

# ---- Tests ------------------------------------------------------------------------------------------------
# Each runs in a process of its own with a folder of its own, $scratch, and some at the same time.

# shellcheck source-path=SCRIPTDIR source=selftest/parts.sh
source "$here/selftest/parts.sh"
# shellcheck source-path=SCRIPTDIR source=selftest/postgres.sh
source "$here/selftest/postgres.sh"
# shellcheck source-path=SCRIPTDIR source=selftest/rabbitmq.sh
source "$here/selftest/rabbitmq.sh"

RABBITMQ_TESTS=(
  a_node_comes_back_on_its_ports_with_its_messages
  two_nodes_live_side_by_side_and_apart
  a_foreign_folder_is_no_node
)
POSTGRES_TESTS=(
  a_server_comes_back_on_its_port_with_what_was_committed
  two_servers_live_side_by_side_and_apart
  a_frozen_server_keeps_its_connections_and_answers_when_it_thaws
  its_promises_are_the_real_ones_and_its_door_is_locked
  nobody_needs_to_be_root
  a_folder_that_its_user_cannot_get_to_is_named
  a_foreign_folder_is_no_server
)
# These want both.
PARTS_TESTS=(
  ctrl_c_reaches_the_command_once_and_leaves_nothing
  a_termination_reaches_the_command_once_and_leaves_nothing
  ctrl_c_during_the_start_leaves_nothing
  the_exit_code_and_standard_input_are_the_commands_own
)
PLAIN_TESTS=(
  what_is_there_is_used_and_not_made
  what_is_no_part_is_refused
  where_nothing_can_be_installed_it_says_what_is_missing
  an_installation_of_nothing_is_silent
  versions_are_compared_as_numbers
  the_postgres_that_is_named_counts_unless_it_is_too_old
  the_prometheus_that_is_named_counts_unless_it_is_too_old
  what_is_wrong_with_the_rules_is_said
)

# is_here PART: not, where the one in use is of another machine; then there is nothing here to test it with.
is_here() {
  "$1_home" >/dev/null && return
  uses_existing "$1" || die "$EXIT_UNAVAILABLE" "$1 is not here; try: deploy/local/install.sh $1"
  say "skipped: what needs a $1 of this machine"
  return 1
}

has_rabbitmq='' has_postgres=''
! is_here rabbitmq || has_rabbitmq=1
! is_here postgres || has_postgres=1
TESTS=("${PLAIN_TESTS[@]}")
[[ -z $has_rabbitmq ]] || TESTS=("${RABBITMQ_TESTS[@]}" "${TESTS[@]}")
[[ -z $has_postgres ]] || TESTS=("${POSTGRES_TESTS[@]}" "${TESTS[@]}")
[[ -z $has_rabbitmq || -z $has_postgres ]] || TESTS=("${PARTS_TESTS[@]}" "${TESTS[@]}")
[[ $# -eq 0 ]] || TESTS=("$@")

# ---- All of it --------------------------------------------------------------------------------------------

root=$(mktemp -d "${TMPDIR:-/tmp}/escalator-selftest.XXXXXX")

# A PostgreSQL of root's runs as another user, who has to get through.
((EUID != 0)) || chmod o+x -- "$root"

# A test that fails leaves its servers to this.
clean_up() {
  local marker
  trap '' INT TERM HUP
  for marker in "$root"/*/.made-by-* "$root"/*/*/.made-by-* "$root"/*/*/*/.made-by-*; do
    [[ -f $marker ]] || continue
    "$here/${marker##*-}.sh" destroy "${marker%/*}"
  done
  rm -rf -- "$root"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

pids=()
for test in "${TESTS[@]}"; do
  while mapfile -t running < <(jobs -rp) && ((${#running[@]} >= AT_ONCE)); do
    wait -n || true # its status is asked for below
  done
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
