#!/usr/bin/env bash
# Installs what is missing on this machine, and nothing else:
#
#   install.sh GROUP…       where GROUP is rabbitmq, postgres, prometheus, shellcheck or toolchain
#
# It works on Debian and Ubuntu through apt-get, as root or with sudo. Elsewhere it says what to install. It is quiet,
# and done in a few milliseconds, when nothing is missing.
#
# RabbitMQ, PostgreSQL and Prometheus are wanted for their programs only (the scripts and the tests run servers of their
# own), so the packages never get to start the system's services, neither now nor at the next boot, nor to make a database
# cluster.
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

POLICY=/usr/sbin/policy-rc.d
CLUSTERS=/etc/postgresql-common/createcluster.d/escalator-installs.conf
POLICY_MARK='# placed by Escalator while it installs packages; to be removed if no installation runs'
LOCK_WAIT=300 # seconds, for an apt or dpkg that is at work already

usage() {
  say "usage: install.sh rabbitmq|postgres|prometheus|shellcheck|toolchain…"
  exit "$EXIT_USAGE"
}

# ---- What is missing --------------------------------------------------------------------------------------

has() { command -v "$1" >/dev/null 2>&1; }

# Prints the packages that the group lacks, one a line.
missing_packages() {
  case $1 in
  rabbitmq)
    uses_existing rabbitmq && return
    # rabbitmq-server depends on Erlang; a RabbitMQ from elsewhere may have come without.
    if ! rabbitmq_home >/dev/null; then
      printf 'rabbitmq-server\n'
    elif ! has erl; then
      printf 'erlang-nox\n'
    fi
    ;;
  postgres) uses_existing postgres || postgres_home >/dev/null || printf 'postgresql\n' ;;
  prometheus) prometheus_home >/dev/null || printf 'prometheus\n' ;;
  shellcheck) has shellcheck || printf 'shellcheck\n' ;;
  toolchain) has cc || has gcc || printf 'gcc\nlibc6-dev\n' ;;
  *) usage ;;
  esac
}

# apt cannot help here: the distributions' cargo is older than the project's edition.
require_cargo() {
  has cargo && return
  if [[ -x $HOME/.cargo/bin/cargo ]]; then
    die "$EXIT_UNAVAILABLE" "cargo is in $HOME/.cargo/bin, which is not in PATH; do: . \"\$HOME/.cargo/env\""
  fi
  say "Rust is not here. Install it with rustup (https://rustup.rs), then open a new shell:"
  printf '  %s\n' "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" >&2
  exit "$EXIT_UNAVAILABLE"
}

# After the installation: what the distribution has may be too old (Ubuntu 22.04: RabbitMQ 3.9).
require_rabbitmq() {
  local home version
  uses_existing rabbitmq && return
  home=$(rabbitmq_home) || die "$EXIT_UNAVAILABLE" "RabbitMQ is not here${RABBITMQ_HOME:+ (RABBITMQ_HOME=$RABBITMQ_HOME)}"
  version=$(rabbitmq_version "$home")
  if [[ -n $version ]] && is_older_than "$version" "$RABBITMQ_OLDEST"; then
    say "RabbitMQ $version in $home is too old: the project needs $RABBITMQ_OLDEST or newer."
    say_how_to_get_rabbitmq
    exit "$EXIT_UNAVAILABLE"
  fi
}

require_postgres() {
  local home version
  uses_existing postgres && return
  home=$(postgres_home) || die "$EXIT_UNAVAILABLE" "PostgreSQL is not here${POSTGRES_HOME:+ (POSTGRES_HOME=$POSTGRES_HOME)}"
  version=$(postgres_version "$home")
  if [[ -n $version ]] && is_older_than "$version" "$POSTGRES_OLDEST"; then
    say "PostgreSQL $version in $home is too old: the project needs $POSTGRES_OLDEST or newer."
    say_how_to_get_postgres
    exit "$EXIT_UNAVAILABLE"
  fi
}

require_prometheus() {
  local home version
  home=$(prometheus_home) || die "$EXIT_UNAVAILABLE" "Prometheus is not here${PROMETHEUS_HOME:+ (PROMETHEUS_HOME=$PROMETHEUS_HOME)}"
  version=$(prometheus_version "$home")
  if [[ -n $version ]] && is_older_than "$version" "$PROMETHEUS_OLDEST"; then
    say "Prometheus $version in $home is too old: the project needs $PROMETHEUS_OLDEST or newer."
    say_how_to_get_prometheus
    exit "$EXIT_UNAVAILABLE"
  fi
}

say_how_to_get_rabbitmq() {
  cat >&2 <<TEXT
  Packages of the newest release for each system: https://www.rabbitmq.com/docs/download
  With its home elsewhere than usual, set RABBITMQ_HOME to the folder that holds sbin/rabbitmq-server.
  Or leave this machine as it is and run a broker in Docker:
    docker run -d --rm --name escalator-rabbitmq -p 127.0.0.1:5672:5672 -p 127.0.0.1:15672:15672 \
      -p 127.0.0.1:15692:15692 rabbitmq:management
    export ESCALATOR_USE_EXISTING_RABBITMQ=1 AMQP_URL=amqp://guest:guest@127.0.0.1:5672/%2f
    export RABBITMQ_MANAGEMENT_URL=http://guest:guest@127.0.0.1:15672
    export RABBITMQ_PROMETHEUS_URL=http://127.0.0.1:15692/metrics
TEXT
}

say_how_to_get_postgres() {
  cat >&2 <<TEXT
  Packages of the newest release for each system: https://www.postgresql.org/download/
  With its home elsewhere than usual, set POSTGRES_HOME to the folder that holds bin/postgres.
  Or leave this machine as it is and run a database in Docker:
    docker run -d --rm --name escalator-postgres -p 127.0.0.1:5432:5432 -e POSTGRES_PASSWORD=escalator postgres:18
    export ESCALATOR_USE_EXISTING_POSTGRES=1
    export ESCALATOR_TEST_POSTGRES_URL=postgres://postgres:escalator@127.0.0.1:5432/postgres
TEXT
}

say_how_to_get_prometheus() {
  cat >&2 <<TEXT
  One archive for each system, with prometheus and promtool in it: https://prometheus.io/download/
  Put its folder into PATH, or set PROMETHEUS_HOME to it. Nothing has to run: the tests start their own.
TEXT
}

# say_what_is_missing PACKAGE…: for a person who has to do it, in Debian's names.
say_what_is_missing() {
  local package
  for package in "$@"; do
    case $package in
    rabbitmq-server)
      say "RabbitMQ $RABBITMQ_OLDEST or newer is not here (brew install rabbitmq, dnf install rabbitmq-server, …)."
      say_how_to_get_rabbitmq
      ;;
    postgresql)
      say "PostgreSQL $POSTGRES_OLDEST or newer is not here (brew install postgresql@18, dnf install postgresql-server, …)."
      say_how_to_get_postgres
      ;;
    prometheus)
      say "Prometheus $PROMETHEUS_OLDEST or newer is not here (brew install prometheus, …)."
      say_how_to_get_prometheus
      ;;
    erlang-nox) say "Erlang, which RabbitMQ runs on, is not here: there is no erl in PATH." ;;
    gcc) say "A C compiler is not here (xcode-select --install, dnf install gcc, …)." ;;
    libc6-dev) ;; # the compiler's own affair elsewhere
    *) say "$package is not here; install it with this system's package manager." ;;
    esac
  done
}

# ---- apt --------------------------------------------------------------------------------------------------

# The lock on the package lists, unlike dpkg's, is not waited for by apt-get itself, so this does.
apt_update() {
  local deadline=$((SECONDS + LOCK_WAIT)) output
  say "apt-get update"
  until output=$(apt_get update -qq 2>&1); do
    if [[ $output != *[Cc]'ould not get lock'* ]] || ((SECONDS >= deadline)); then
      printf '%s\n' "$output" >&2
      return 1
    fi
    sleep 2
  done
}

# Descriptor 9, the lock on this script, is closed for whatever an installation may leave running.
apt_get() { ${sudo:+"${sudo[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -o "DPkg::Lock::Timeout=$LOCK_WAIT" "$@" 9>&-; }

apt_install() {
  say "apt-get install $*"
  # A closed standard input: nothing may ask. The packages' own talk goes to stderr, as ours.
  apt_get install -y -q --no-install-recommends "$@" </dev/null >&2
}

# Package scripts ask policy-rc.d before they start a service; 101 means "not allowed".
forbid_services() {
  if [[ ! -e $POLICY ]]; then
    placed_policy=1
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | ${sudo:+"${sudo[@]}"} tee "$POLICY" >/dev/null
    ${sudo:+"${sudo[@]}"} chmod 755 "$POLICY"
  elif grep -qsxF "$POLICY_MARK" "$POLICY"; then
    placed_policy=1 # left behind by a run of ours that was killed
  fi
}

allow_services() {
  [[ -z ${placed_policy:-} ]] || ${sudo:+"${sudo[@]}"} rm -f "$POLICY"
  placed_policy=
}

# Debian's package makes a cluster `main` and has it started at every boot, unless one of its settings says otherwise.
# The setting goes into a file of our own, which goes away again.
forbid_clusters() {
  ${sudo:+"${sudo[@]}"} mkdir -p "${CLUSTERS%/*}"
  placed_clusters=1
  printf 'create_main_cluster = false\n' | ${sudo:+"${sudo[@]}"} tee "$CLUSTERS" >/dev/null
}

allow_clusters() {
  [[ -z ${placed_clusters:-} ]] || ${sudo:+"${sudo[@]}"} rm -f "$CLUSTERS"
  placed_clusters=
}

# policy-rc.d does not keep a package from being enabled for the next boot.
# disable_service UNIT NAME
disable_service() {
  has systemctl || return 0
  ${sudo:+"${sudo[@]}"} systemctl disable "$1.service" >/dev/null 2>&1 || true
  say "the system's own $2 was left switched off; to have it: systemctl enable --now $1"
}

# ---- All of it --------------------------------------------------------------------------------------------

[[ $# -gt 0 ]] || usage

list_missing() {
  local group
  for group in "$@"; do missing_packages "$group"; done
}

become_root() {
  sudo=()
  ((EUID != 0)) || return 0
  if has sudo; then
    # Without a terminal nobody could type a password.
    if [[ -t 0 ]]; then sudo=(sudo); else sudo=(sudo -n); fi
    "${sudo[@]}" true && return
  fi
  die "$EXIT_UNAVAILABLE" "not root, and no sudo either; as root do: apt-get install ${missing//$'\n'/ }"
}

missing=$(list_missing "$@")
if [[ -n $missing ]]; then
  if ! has apt-get; then
    # Unquoted on purpose, here and below: package names, one word each.
    # shellcheck disable=SC2086
    say_what_is_missing $missing
    exit "$EXIT_UNAVAILABLE"
  fi
  become_root

  trap 'allow_services; allow_clusters' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP

  # One at a time: a second one would find our policy-rc.d, take it for the system's, and lose it half way.
  if has flock; then
    exec 9>"${TMPDIR:-/tmp}/escalator-install-$EUID.lock"
    flock -w "$LOCK_WAIT" 9 || die "$EXIT_UNAVAILABLE" "another install.sh holds the lock for more than $LOCK_WAIT s"
    missing=$(list_missing "$@")
  fi
fi

if [[ -n $missing ]]; then
  forbid_services
  [[ $missing != *postgresql* ]] || forbid_clusters
  updated=
  if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
    apt_update
    updated=1
  fi
  # shellcheck disable=SC2086
  if ! apt_install $missing; then
    [[ -z $updated ]] || exit "$EXIT_UNAVAILABLE"
    # Unknown to old lists, or known to them in a version that the mirror no longer has.
    apt_update
    # shellcheck disable=SC2086
    apt_install $missing || exit "$EXIT_UNAVAILABLE"
  fi
  [[ $missing != *rabbitmq-server* ]] || disable_service rabbitmq-server RabbitMQ
  [[ $missing != *prometheus* ]] || disable_service prometheus Prometheus
  if [[ $missing == *postgresql* ]]; then
    allow_clusters
    say "no database cluster of the system's own was made; to have one: pg_createcluster VERSION main --start"
  fi
  allow_services
fi

for group in "$@"; do
  case $group in
  rabbitmq) require_rabbitmq ;;
  postgres) require_postgres ;;
  prometheus) require_prometheus ;;
  toolchain) require_cargo ;;
  esac
done
