#!/usr/bin/env bash
# Runs a command against a RabbitMQ, a PostgreSQL, or one of each, made for it and gone with it:
#
#   with-parts.sh PART… -- COMMAND [ARGUMENT…]       where PART is rabbitmq or postgres
#
# COMMAND finds in its environment, for rabbitmq: AMQP_URL, RABBITMQ_MANAGEMENT_URL, RABBITMQ_PROMETHEUS_URL and
# RABBITMQ_NODE_DIR (for rabbitmq.sh); for postgres: ESCALATOR_TEST_POSTGRES_URL and ESCALATOR_TEST_POSTGRES_DIR (for postgres.sh). The exit code
# is COMMAND's; after a Ctrl-C 130, after SIGTERM 143, after SIGHUP 129. Any number of these run side by side.
#
# With ESCALATOR_USE_EXISTING_RABBITMQ=1 and AMQP_URL set, COMMAND gets that broker and none is made; likewise with
# ESCALATOR_USE_EXISTING_POSTGRES=1 and ESCALATOR_TEST_POSTGRES_URL, whose user has to be one that may make databases.
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

LEAVE_LIMIT=10 # seconds that are left to what COMMAND started, once COMMAND has ended

usage() { die "$EXIT_USAGE" "usage: with-parts.sh rabbitmq|postgres… -- COMMAND [ARGUMENT…]"; }

parts=() # those to be made
while [[ $# -gt 0 && $1 != -- ]]; do
  [[ $1 == rabbitmq || $1 == postgres ]] || usage
  uses_existing "$1" || parts+=("$1")
  shift
done
[[ $# -gt 1 ]] || usage
shift

[[ ${#parts[@]} -gt 0 ]] || exec "$@"

group=''    # the process group of what runs at the moment
signalled='' # set by a signal, cleared by who has noticed
ended_by='' # the exit code that goes with the first signal

# on_signal NAME CODE
on_signal() {
  signalled=1
  ended_by=${ended_by:-$2}
  [[ -n $group ]] || return 0
  # For a moment after its start the command has no group yet; it has done nothing then, either.
  kill "-$1" -- "-$group" 2>/dev/null || kill -TERM "$group" 2>/dev/null || true
}

# Runs a command in a session of its own. A Ctrl-C at the terminal reaches all processes of the terminal's group; in
# its own, the command and its children get each signal exactly once and from here, whether it came from the terminal
# or from `kill`. (Twice would mean "at once" to a program that treats the first as "finish and leave".)
run() {
  local status
  # In the background bash has SIGINT ignored and takes standard input away: both are given back.
  (
    trap - INT QUIT
    in_own_session "$@"
  ) <&0 &
  group=$!
  # A signal that came before there was a group.
  [[ -z $ended_by ]] || kill -TERM "$group" 2>/dev/null || true
  # A signal ends `wait`, not the command.
  while true; do
    signalled=''
    status=0
    wait "$group" || status=$?
    [[ -n $signalled ]] || break
  done
  end_stragglers
  group=''
  return "$status"
}

# What the command left running loses its parts in a moment.
end_stragglers() {
  local deadline=$((SECONDS + LEAVE_LIMIT))
  kill -TERM -- "-$group" 2>/dev/null || return 0
  while kill -0 -- "-$group" 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      kill -KILL -- "-$group" 2>/dev/null || true
      return 0
    fi
    sleep 0.05
  done
}

clean_up() {
  local status=$? part
  trap '' INT TERM HUP QUIT # a second Ctrl-C must not leave half of it behind
  for part in "${parts[@]}"; do
    "$here/$part.sh" destroy "$folder/$part" || say "could not remove $folder; try: deploy/local/$part.sh destroy $folder/$part"
  done
  rmdir -- "$folder" || true
  exit "${ended_by:-$status}"
}

# In the foreground, unlike all that follows: it may have to ask for a password at the terminal.
"$here/install.sh" "${parts[@]}"

trap 'on_signal INT 130' INT
trap 'on_signal QUIT 131' QUIT
trap 'on_signal TERM 143' TERM
trap 'on_signal HUP 129' HUP
folder=$(mktemp -d "${TMPDIR:-/tmp}/escalator-parts.XXXXXX")
trap clean_up EXIT
# A PostgreSQL of root's runs as another user, who has to get through.
((EUID != 0)) || chmod o+x -- "$folder"

for part in "${parts[@]}"; do
  run "$here/$part.sh" start "$folder/$part"
  [[ -z $ended_by ]] || exit "$ended_by"
  while IFS= read -r line; do
    export "${line?}"
  done <"$folder/$part/env"
done

run "$@"
