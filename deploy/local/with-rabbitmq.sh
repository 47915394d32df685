#!/usr/bin/env bash
# Runs a command against a RabbitMQ of its own, made for it and gone with it:
#
#   with-rabbitmq.sh COMMAND [ARGUMENT…]
#
# COMMAND finds AMQP_URL, RABBITMQ_MANAGEMENT_URL and RABBITMQ_NODE_DIR (for rabbitmq.sh) in its environment. The exit
# code is COMMAND's; after a Ctrl-C 130, after SIGTERM 143, after SIGHUP 129. Any number of these run side by side.
# With ESCALATOR_USE_EXISTING_RABBITMQ=1 and AMQP_URL set, COMMAND gets that broker and none is made.
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

LEAVE_LIMIT=10 # seconds that are left to what COMMAND started, once COMMAND has ended

[[ $# -gt 0 ]] || die "$EXIT_USAGE" "usage: with-rabbitmq.sh COMMAND [ARGUMENT…]"

if [[ ${ESCALATOR_USE_EXISTING_RABBITMQ:-} == 1 && -n ${AMQP_URL:-} ]]; then
  exec "$@"
fi

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

# What the command left running loses its broker in a moment.
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
  local status=$?
  trap '' INT TERM HUP QUIT # a second Ctrl-C must not leave half of it behind
  if ! { "$here/rabbitmq.sh" destroy "$folder/node" && rmdir -- "$folder"; }; then
    say "could not remove $folder; try: deploy/local/rabbitmq.sh destroy $folder/node"
  fi
  exit "${ended_by:-$status}"
}

# In the foreground, unlike all that follows: it may have to ask for a password at the terminal.
"$here/install.sh" rabbitmq

trap 'on_signal INT 130' INT
trap 'on_signal QUIT 131' QUIT
trap 'on_signal TERM 143' TERM
trap 'on_signal HUP 129' HUP
folder=$(mktemp -d "${TMPDIR:-/tmp}/escalator-rabbitmq.XXXXXX")
trap clean_up EXIT

run "$here/rabbitmq.sh" start "$folder/node"
[[ -z $ended_by ]] || exit "$ended_by"

while IFS= read -r line; do
  export "${line?}"
done <"$folder/node/env"

run "$@"
