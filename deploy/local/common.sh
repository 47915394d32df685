#!/usr/bin/env bash
# What the scripts beside this file share. Sourced, never run.
#
# They keep to bash 3.2, because that is what macOS has: no mapfile, no associative arrays, no `wait -n`.

# The constants are for those who source this, whom shellcheck does not see from here.
# shellcheck disable=SC2034

# The same exit codes as those of `escalator` itself.
EXIT_USAGE=64
EXIT_UNAVAILABLE=69

# What the project asks of the broker: older ones lack the quorum queues' at-least-once dead-lettering.
RABBITMQ_OLDEST=3.10
# And of the database: the oldest that its makers still mended when the ledger was written.
POSTGRES_OLDEST=13
# And of what tests the rules and scrapes in the tests. Debian 12 has 2.42.
PROMETHEUS_OLDEST=2.40

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die CODE TEXT…
die() {
  local code=$1
  shift
  say "$@"
  exit "$code"
}

# uses_existing PART: a broker or a database that is there already, as in a container pipeline, makes one of our own
# superfluous. Tests take its address from the environment either way.
uses_existing() {
  case $1 in
  rabbitmq) [[ ${ESCALATOR_USE_EXISTING_RABBITMQ:-} == 1 && -n ${AMQP_URL:-} ]] ;;
  postgres) [[ ${ESCALATOR_USE_EXISTING_POSTGRES:-} == 1 && -n ${ESCALATOR_TEST_POSTGRES_URL:-} ]] ;;
  *) return 1 ;;
  esac
}

# ---- RabbitMQ's place on this machine ---------------------------------------------------------------------

# Prints the folder that holds `sbin/rabbitmq-server`. RABBITMQ_HOME, where it is set, is the only place looked at.
# Debian's /usr/sbin/rabbitmq* are left aside on purpose: these wrappers insist on root and the system's own folders.
rabbitmq_home() {
  local folder
  if [[ -n ${RABBITMQ_HOME:-} ]]; then
    [[ -x $RABBITMQ_HOME/sbin/rabbitmq-server ]] || return 1
    printf '%s\n' "$RABBITMQ_HOME"
    return
  fi
  for folder in /usr/lib/rabbitmq/lib/rabbitmq_server-* /opt/homebrew/opt/rabbitmq /usr/local/opt/rabbitmq \
    /home/linuxbrew/.linuxbrew/opt/rabbitmq /opt/rabbitmq /usr/local/lib/rabbitmq /opt/local/lib/rabbitmq; do
    if [[ -x $folder/sbin/rabbitmq-server ]]; then
      printf '%s\n' "$folder"
      return
    fi
  done
  return 1
}

# rabbitmq_version HOME: every distribution of RabbitMQ carries its version in this folder's name, so that no
# Erlang has to be started to learn it (300 ms). Prints nothing where it cannot be told.
rabbitmq_version() {
  local plugin
  for plugin in "$1"/plugins/rabbit-[0-9]* "$1"/lib/rabbit-[0-9]*; do
    [[ -e $plugin ]] || continue
    plugin=${plugin##*/rabbit-}
    printf '%s\n' "${plugin%.ez}"
    return
  done
}

# ---- PostgreSQL's place on this machine -------------------------------------------------------------------

# Prints the folder that holds `bin/postgres` and `bin/initdb`. POSTGRES_HOME, where it is set, is the only place
# looked at. Where several versions lie side by side, the newest is taken.
postgres_home() {
  local folder version newest='' found=''
  if [[ -n ${POSTGRES_HOME:-} ]]; then
    is_postgres_home "$POSTGRES_HOME" || return 1
    printf '%s\n' "$POSTGRES_HOME"
    return
  fi
  for folder in /usr/lib/postgresql/[0-9]* /usr/pgsql-[0-9]* /opt/homebrew/opt/postgresql@[0-9]* \
    /usr/local/opt/postgresql@[0-9]* /home/linuxbrew/.linuxbrew/opt/postgresql@[0-9]* /opt/local/lib/postgresql[0-9]*; do
    is_postgres_home "$folder" || continue
    version=${folder##*[!0-9.]}
    if [[ -z $found ]] || is_older_than "$newest" "$version"; then
      newest=$version found=$folder
    fi
  done
  if [[ -z $found ]] && folder=$(command -v postgres); then
    folder=${folder%/bin/postgres}
    ! is_postgres_home "$folder" || found=$folder
  fi
  [[ -n $found ]] && printf '%s\n' "$found"
}

is_postgres_home() { [[ -x $1/bin/postgres && -x $1/bin/initdb ]]; }

# postgres_version HOME: prints nothing where it cannot be told. Of "18beta1" it prints 18.
postgres_version() {
  local version
  version=$("$1/bin/postgres" --version 2>/dev/null) || return 0
  version=${version#*) }
  printf '%s\n' "${version%%[!0-9.]*}"
}

# ---- Prometheus' place on this machine --------------------------------------------------------------------

# Prints the folder that holds `prometheus` and `promtool`, as the unpacked archive of its makers does. PROMETHEUS_HOME,
# where it is set, is the only place looked at.
prometheus_home() {
  local found
  if [[ -n ${PROMETHEUS_HOME:-} ]]; then
    is_prometheus_home "$PROMETHEUS_HOME" || return 1
    printf '%s\n' "$PROMETHEUS_HOME"
    return
  fi
  found=$(command -v prometheus) || return 1
  found=${found%/*}
  is_prometheus_home "$found" && printf '%s\n' "$found"
}

is_prometheus_home() { [[ -x $1/prometheus && -x $1/promtool ]]; }

# prometheus_version HOME: prints nothing where it cannot be told.
prometheus_version() {
  local version
  version=$("$1/prometheus" --version 2>&1) || return 0
  [[ $version == *', version '* ]] || return 0
  version=${version#*, version }
  printf '%s\n' "${version%%[!0-9.]*}"
}

# ---- Versions ---------------------------------------------------------------------------------------------

# is_older_than VERSION WANTED: compares major and minor.
is_older_than() {
  local major minor wanted_major wanted_minor rest
  IFS=.+- read -r major minor rest <<<"$1"
  IFS=. read -r wanted_major wanted_minor rest <<<"$2"
  ((10#$major < 10#$wanted_major || (10#$major == 10#$wanted_major && 10#${minor:-0} < 10#${wanted_minor:-0})))
}

# ---- Processes --------------------------------------------------------------------------------------------
# A pid alone is no proof: the number may belong to somebody else by now. A record is therefore "PID BIRTH", where
# BIRTH is the time at which the kernel started that process.

# Sets process_state, process_parent and process_birth; fails if there is no such process.
process_facts() {
  local line fields
  if [[ -r /proc/self/stat ]]; then
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The second field is the program's name in brackets and may hold anything: count from behind its last one.
    read -r -a fields <<<"${line##*) }"
    process_state=${fields[0]} process_parent=${fields[1]} process_birth=${fields[19]}
  else
    line=$(ps -o stat=,ppid=,lstart= -p "$1" 2>/dev/null) || return 1
    read -r process_state process_parent process_birth <<<"$line"
  fi
}

# record PID FILE
record() {
  process_facts "$1" || return 1
  printf '%s %s\n' "$1" "$process_birth" >"$2"
}

# is_alive PID BIRTH: a zombie is not alive. In a container whose first process reaps nobody it stays for ever.
is_alive() {
  process_facts "$1" && [[ $process_birth == "$2" && $process_state != [ZX]* ]]
}

# recorded FILE: sets recorded_pid and recorded_birth, and succeeds if that process lives.
recorded() {
  recorded_pid='' recorded_birth=''
  [[ -f $1 ]] && read -r recorded_pid recorded_birth <"$1" && is_alive "$recorded_pid" "$recorded_birth"
}

# Prints "PID PARENT" of everything that runs. /proc first: slim containers have no ps.
all_processes() {
  local entry pid
  if [[ -r /proc/self/stat ]]; then
    for entry in /proc/[0-9]*; do
      pid=${entry#/proc/}
      process_facts "$pid" && printf '%s %s\n' "$pid" "$process_parent"
    done
  else
    ps -A -o pid=,ppid=
  fi
}

# descendants PID: prints a record of each process below PID.
descendants() {
  local table pid parent family=" $1 " grown=1
  table=$(all_processes)
  while ((grown)); do
    grown=0
    while read -r pid parent; do
      if [[ $family == *" $parent "* && $family != *" $pid "* ]]; then
        family+="$pid "
        grown=1
        process_facts "$pid" && printf '%s %s\n' "$pid" "$process_birth"
      fi
    done <<<"$table"
  done
}

# gone_within SECONDS PID BIRTH
gone_within() {
  local deadline=$((SECONDS + $1))
  while is_alive "$2" "$3"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.02
  done
}

# end_late CHILDREN WHOSE: waits for what a part had started and left behind (records, one a line), and kills who is late.
end_late() {
  local pid birth
  while read -r pid birth; do
    [[ -n $pid ]] || continue
    gone_within 2 "$pid" "$birth" && continue
    kill -KILL "$pid" 2>/dev/null || true
    gone_within 5 "$pid" "$birth" || say "pid $pid, started by $2, does not end"
  done <<<"$1"
}

# Becomes COMMAND in a session of its own, so that a Ctrl-C at the terminal does not reach it. Call it in the
# background: there `setsid` need not fork, and $! stays the pid of COMMAND. macOS has no setsid, but perl.
in_own_session() {
  if command -v setsid >/dev/null; then
    exec setsid "$@"
  else
    exec perl -e 'use POSIX (); POSIX::setsid(); exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n"' "$@"
  fi
}
