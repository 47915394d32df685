#!/usr/bin/env bash
# What rabbitmq.sh and postgres.sh share: a part is a server whose whole state is one folder. Sourced after common.sh,
# never run.
#
# Who sources it sets `dir` (the folder), MARKER (the name of the file that makes it theirs) and `environment` (all that
# the server and its tools get to see).

# shellcheck disable=SC2154

absolute() {
  local parent
  parent=$(cd -P -- "$(dirname -- "$1")" 2>/dev/null && pwd) || die "$EXIT_USAGE" "no folder $(dirname -- "$1")"
  printf '%s/%s\n' "${parent%/}" "$(basename -- "$1")"
}

# Nothing here signals a process or removes a file on the word of a folder that the script did not make.
require_ours() {
  [[ -f $dir/$MARKER ]] || die "$EXIT_USAGE" "$dir is none of ${0##*/}'s; not touched"
}

# Makes the folder, or finds that it is ours already.
claim_folder() {
  [[ ! -f $dir/$MARKER ]] || return 0
  [[ ! -e $dir || (-d $dir && -z $(ls -A -- "$dir")) ]] ||
    die "$EXIT_USAGE" "$dir exists and is none of ${0##*/}'s; not touched"
  mkdir -p -- "$dir"
  printf 'escalator-%s-%s\n' "$$" "$RANDOM" >"$dir/$MARKER"
}

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# launch NAME COMMAND…: starts it in the background, writes run/NAME, and holds signals back meanwhile, since a
# process that nobody has written down is one that nobody ends.
launch() {
  local name=$1
  shift
  trap 'interrupted=130' INT
  trap 'interrupted=143' TERM
  trap 'interrupted=129' HUP
  (in_own_session env -i "${environment[@]}" "$@") >"$dir/log/$name.out" 2>&1 </dev/null &
  # It may be gone already (a port in use): then there is nothing to write down, and the caller notices.
  record $! "$dir/run/$name" || rm -f -- "$dir/run/$name"
  disown 2>/dev/null || true # or bash would report its death
  trap_signals
  [[ -z ${interrupted:-} ]] || exit "$interrupted"
}

trap_signals() {
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
}

# say_why_not FILE…: the last lines of those that have any.
say_why_not() {
  local file
  for file in "$@"; do
    [[ -s $file ]] || continue
    printf -- '---- last lines of %s\n' "$file"
    tail -n 40 -- "$file"
  done >&2
}

# Waits until the kernel has stopped that process, or it is gone.
await_stopped() {
  while process_facts "$1" && [[ $process_state != [TZX]* ]]; do sleep 0.01; done
}
