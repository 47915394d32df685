#!/usr/bin/env bash
# A private PostgreSQL whose whole state is one folder. It needs no systemd and no configuration of the machine,
# listens on 127.0.0.1 only, and any number of them run side by side.
#
#   postgres.sh start DIR     makes the server, or starts it again on the same port with its data; returns when it
#                             takes connections, and leaves its address in DIR/env
#   postgres.sh stop DIR      ends it in order (open transactions are rolled back) and waits until it is gone
#   postgres.sh kill DIR      the crash (SIGKILL to all of its processes); the next start recovers
#   postgres.sh freeze DIR    the hang (SIGSTOP): connections stay open, nothing answers
#   postgres.sh thaw DIR      ends the hang (SIGCONT)
#   postgres.sh status DIR    prints running, frozen or stopped; exit code 0, 4 or 3
#   postgres.sh psql DIR …    psql for that server, as its superuser
#   postgres.sh destroy DIR   ends it at once and removes DIR
#
# PostgreSQL refuses to run as root. Started by root, it runs as the user postgres, or where there is none as nobody, who
# then has to be able to get to DIR: its parents need the permission x for everybody.
#
# Its promises are the real ones (fsync and synchronous_commit are on), because what they cost is measured here.
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"
# shellcheck source-path=SCRIPTDIR source=part.sh
source "$here/part.sh"

# For part.sh.
# shellcheck disable=SC2034
MARKER=.made-by-escalator-postgres
BOOT_LIMIT=180 # seconds; on a machine that is busy with something else a boot has taken over 60
STOP_LIMIT=60 # seconds
# One port a server. Below 32768 the kernel gives none away to outgoing connections, and RabbitMQ's nodes are from 20000
# on. Nobody holds the port of a server that is down: among so many, it is hardly drawn by another meanwhile.
FIRST_PORT=12000
PORTS=8000

usage() {
  sed -n '5,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit "$EXIT_USAGE"
}

# ---- Who it runs as ---------------------------------------------------------------------------------------

# Sets `owner`, empty for ourselves, and `as_owner`, which put before a command becomes it as that user. Not su or
# runuser: these stay in front of the command, and the pid that we write down and signal would be theirs.
set_owner() {
  owner='' as_owner=()
  ((EUID == 0)) || return 0
  owner=postgres
  id -u "$owner" >/dev/null 2>&1 || owner=nobody
  local user group
  user=$(id -u "$owner")
  group=$(id -g "$owner")
  as_owner=(setpriv "--reuid=$user" "--regid=$group" --clear-groups --)
  # BusyBox has a setpriv that cannot, macOS has none; both have perl, or in_own_session would not work there either.
  # shellcheck disable=SC2016
  "${as_owner[@]}" true 2>/dev/null || as_owner=(perl -e 'use POSIX (); my ($user, $group) = splice(@ARGV, 0, 2);
    $) = "$group $group"; POSIX::setgid($group) && POSIX::setuid($user) || die "cannot become user $user: $!\n";
    exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n"' "$user" "$group")
}

# give FILE…: to the user that the server runs as.
give() { [[ -z $owner ]] || chown -- "$owner" "$@"; }

# ---- The folder -------------------------------------------------------------------------------------------

make_folder() {
  claim_folder
  mkdir -p -- "$dir"/{log,run}
  # The server has to get through to what is its own in here.
  chmod 711 -- "$dir"
  if [[ ! -f $dir/password ]]; then
    # Or whoever has an account on this machine could run programs through this server.
    (umask 077 && head -c 24 /dev/urandom | base64 | tr -dc A-Za-z0-9 >"$dir/password")
    give "$dir/password"
  fi
  ${as_owner:+"${as_owner[@]}"} test -r "$dir/password" ||
    die "$EXIT_UNAVAILABLE" "the user $owner cannot get to $dir: give its parents the permission x for everybody (chmod o+x)"
}

# PostgreSQL's own folder. Under another name until it is complete, so that half of one is never started.
make_data() {
  [[ ! -d $dir/data ]] || return 0
  rm -rf -- "$dir/data.new"
  mkdir -m 700 -- "$dir/data.new"
  give "$dir/data.new"
  # Not synced to the disk: before the first start nothing in it is anybody's.
  if ! env -i "${environment[@]}" ${as_owner:+"${as_owner[@]}"} "$home/bin/initdb" --no-sync -D "$dir/data.new" \
    --username=escalator --pwfile="$dir/password" --auth=scram-sha-256 --encoding=UTF8 --locale=C \
    >"$dir/log/initdb.out" 2>&1; then
    say_why_not "$dir/log/initdb.out"
    die "$EXIT_UNAVAILABLE" "initdb of $home failed in $dir"
  fi
  mv -- "$dir/data.new" "$dir/data"
}

choose_port() {
  for _ in {1..200}; do
    port=$((FIRST_PORT + RANDOM % PORTS))
    is_taken "$port" && continue
    printf '%s\n' "$port" >"$dir/run/port"
    return
  done
  die "$EXIT_UNAVAILABLE" "found no free port from $FIRST_PORT on"
}

load_port() { [[ -f $dir/run/port ]] && port=$(<"$dir/run/port"); }

# ---- The server -------------------------------------------------------------------------------------------

# Nothing of the caller's: no PG… variable of a developer's shell can change what the tests run against.
set_environment() {
  # For part.sh.
  # shellcheck disable=SC2034
  environment=("PATH=$PATH" "HOME=$dir" LC_ALL=C TZ=UTC)
}

# All that differs from PostgreSQL's defaults, and the defaults that the ledger's promises rest on.
write_config() {
  cat >"$dir/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
# A socket's path may have 107 bytes only, and TCP is what is used elsewhere.
unix_socket_directories = ''
max_connections = 300
fsync = on
synchronous_commit = on
full_page_writes = on
# In the folder, as all else: what lies in /dev/shm stays there after a crash.
dynamic_shared_memory_type = mmap
log_timezone = 'UTC'
timezone = 'UTC'
CONF
  chmod 644 -- "$dir/postgresql.conf"
}

write_env() {
  (
    umask 077
    cat >"$dir/env.new" <<ENV
ESCALATOR_TEST_POSTGRES_URL=postgres://escalator:$(<"$dir/password")@127.0.0.1:$port/postgres
ESCALATOR_TEST_POSTGRES_DIR=$dir
ENV
  )
  mv -- "$dir/env.new" "$dir/env"
}

# PostgreSQL takes a zombie for a server that is alive, and in a container whose first process reaps nobody, one that
# was killed stays a zombie for ever. Should any of its children still be there, the shared memory gives them away.
forget_zombie() {
  local pid
  { read -r pid <"$dir/data/postmaster.pid"; } 2>/dev/null || return 0
  if process_facts "$pid" && [[ $process_state == [ZX]* ]]; then
    rm -f -- "$dir/data/postmaster.pid"
  fi
}

boot() {
  write_config
  forget_zombie
  rm -f -- "$dir/log/postgres.out"
  launch postgres ${as_owner:+"${as_owner[@]}"} \
    "$home/bin/postgres" -D "$dir/data" -c "config_file=$dir/postgresql.conf"
}

# The postmaster's file says how far it is, in its eighth line. A server that comes second to a port ends by itself, so
# that the one that says `ready` is ours.
is_ready() {
  local line number=0 pid=''
  while IFS= read -r line; do
    number=$((number + 1))
    ((number != 1)) || pid=$line
    ((number != 8)) || { [[ $pid == "$recorded_pid" && $line == ready* ]] && return; }
  done 2>/dev/null <"$dir/data/postmaster.pid"
  return 1
}

# Succeeds once the server takes connections. Fails as soon as it cannot come any more, or at the deadline.
await_boot() {
  while ((SECONDS < deadline)) && recorded "$dir/run/postgres"; do
    ! is_ready || return 0
    sleep 0.02
  done
  return 1
}

# Or was still on the way: what a crash left of the server before this one ends by itself in a moment.
place_was_taken() {
  grep -qsE 'Address already in use|pre-existing shared memory block|lock file "postmaster.pid" already exists' \
    "$dir/log/postgres.out"
}

# signal_all NAME: to the server's every process. It has to be known which there are: each has a group of its own.
signal_all() {
  local pid _
  while read -r pid _; do
    [[ -z $pid ]] || kill "-$1" "$pid" 2>/dev/null || true
  done <<<"$children"
  kill "-$1" "$recorded_pid" 2>/dev/null || true
}

# Stops the postmaster, so that no process is added, and sets `children` to all that it has.
hold() {
  kill -STOP "$recorded_pid" 2>/dev/null || true
  await_stopped "$recorded_pid"
  children=$(descendants "$recorded_pid")
}

# end SIGNAL SECONDS: ends the server, and fails if it does not end in that time.
end() {
  local children
  recorded "$dir/run/postgres" || { rm -f -- "$dir/run/postgres"; return 0; }
  hold
  if [[ $1 == KILL ]]; then
    # The children as well: left to themselves, they end only when they notice, and answer until then.
    signal_all KILL
  else
    kill "-$1" "$recorded_pid" 2>/dev/null || true
    signal_all CONT
  fi
  gone_within "$2" "$recorded_pid" "$recorded_birth" || return 1
  end_late "$children" "the server in $dir"
  rm -f -- "$dir/run/postgres"
}

# A crash leaves a few bytes of System V shared memory behind, which the next start takes up; without one, they are ours
# to remove. The postmaster's file names them in its seventh line.
free_shared_memory() {
  local key id its_key its_id users
  read -r key id < <(sed -n 7p -- "$dir/data/postmaster.pid" 2>/dev/null) && [[ -n $id ]] || return 0
  [[ -r /proc/sysvipc/shm ]] || { ipcrm -M "$key" 2>/dev/null || true; return 0; }
  while read -r its_key its_id _ _ _ _ users _; do
    # The kernel shows the key as a signed number, PostgreSQL as an unsigned one.
    if [[ $its_id == "$id" && $users == 0 ]] && (((its_key & 0xffffffff) == (key & 0xffffffff))); then
      ipcrm -m "$id" 2>/dev/null || perl -e 'shmctl($ARGV[0], 0, 0)' "$id" || true
    fi
  done </proc/sysvipc/shm
}

# ---- Commands ---------------------------------------------------------------------------------------------

start() {
  home=$(postgres_home) || die "$EXIT_UNAVAILABLE" "PostgreSQL is not here; try: deploy/local/install.sh postgres"
  set_owner
  set_environment
  make_folder
  if recorded "$dir/run/postgres"; then
    deadline=$((SECONDS + BOOT_LIMIT))
    [[ $process_state != T* ]] || die 1 "the server in $dir is frozen; thaw it first"
    await_boot || die 1 "the server in $dir runs (pid $recorded_pid) but does not get ready"
    return
  fi
  # From here on a start that does not succeed, for whatever reason, leaves nothing running.
  trap 'end KILL 10' EXIT
  trap_signals
  make_data
  # Counted from here: on a machine that is busy, initdb alone may take a minute.
  deadline=$((SECONDS + BOOT_LIMIT))
  while true; do
    # A server that was up once has its address in somebody's hands: it comes back on the same port or not at all.
    [[ -f $dir/env ]] || choose_port
    load_port
    boot
    if await_boot; then
      write_env
      trap - EXIT
      return
    fi
    place_was_taken || break
    ((SECONDS < deadline)) || break
    end KILL 10
    [[ ! -f $dir/env ]] || sleep 0.5 # whoever has the port may be a process on its way out
  done
  say_why_not "$dir/log/postgres.out"
  ! recorded "$dir/run/postgres" ||
    die "$EXIT_UNAVAILABLE" "the server in $dir was not ready within $BOOT_LIMIT s (port $port)"
  die "$EXIT_UNAVAILABLE" "the server in $dir ended before it was ready (port $port)"
}

freeze() {
  recorded "$dir/run/postgres" || die 1 "the server in $dir does not run"
  local children pid _
  hold
  signal_all STOP
  while read -r pid _; do [[ -z $pid ]] || await_stopped "$pid"; done <<<"$children"
}

thaw() {
  recorded "$dir/run/postgres" || die 1 "the server in $dir does not run"
  local children
  children=$(descendants "$recorded_pid")
  signal_all CONT
}

status() {
  if ! recorded "$dir/run/postgres"; then
    printf 'stopped\n'
    return 3
  fi
  if [[ $process_state == T* ]]; then
    printf 'frozen pid=%s\n' "$recorded_pid"
    return 4
  fi
  load_port
  printf 'running pid=%s port=%s\n' "$recorded_pid" "$port"
}

psql() {
  home=$(postgres_home) || die "$EXIT_UNAVAILABLE" "PostgreSQL is not here"
  [[ -f $dir/env ]] || die 1 "the server in $dir was never started"
  load_port
  local program=$home/bin/psql
  [[ -x $program ]] || program=psql
  exec env -i "PATH=$PATH" "HOME=$dir" "TERM=${TERM:-dumb}" PGHOST=127.0.0.1 "PGPORT=$port" PGUSER=escalator \
    "PGPASSWORD=$(<"$dir/password")" PGDATABASE=postgres PGCONNECT_TIMEOUT=10 "$program" -X "$@"
}

destroy() {
  # In the way that gives the shared memory back, if it can.
  end QUIT 10 || end KILL 10 || die 1 "the server in $dir (pid $recorded_pid) does not end"
  free_shared_memory
  rm -rf -- "$dir"
}

command=${1:-}
[[ $# -eq 2 || ($command == psql && $# -gt 2) ]] || usage
dir=$(absolute "$2")
cd / # where the user of the server may be, unlike perhaps here
case $command in
start) start ;;
destroy)
  # Twice is as good as once, so that a clean-up may be run without asking first.
  [[ ! -e $dir ]] || { require_ours && destroy; }
  ;;
stop)
  require_ours
  # SIGTERM would wait until the last client has gone.
  end INT "$STOP_LIMIT" || die 1 "the server in $dir (pid $recorded_pid) did not end within $STOP_LIMIT s"
  ;;
kill)
  require_ours
  end KILL 10 || die 1 "the server in $dir (pid $recorded_pid) does not end"
  ;;
freeze | thaw | status) require_ours && "$command" ;;
psql) require_ours && psql "${@:3}" ;;
*) usage ;;
esac
