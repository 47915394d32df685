#!/usr/bin/env bash
# A private RabbitMQ node whose whole state is one folder. It needs no root, no systemd and no configuration of
# the machine, listens on 127.0.0.1 only, and any number of them run side by side.
#
#   rabbitmq.sh start DIR     makes the node, or starts it again on the same ports with its data; returns when it
#                             answers AMQP, and leaves its addresses in DIR/env
#   rabbitmq.sh stop DIR      ends it in order (SIGTERM) and waits until it is gone
#   rabbitmq.sh kill DIR      the crash (SIGKILL)
#   rabbitmq.sh freeze DIR    the hang (SIGSTOP): connections stay open, nothing answers
#   rabbitmq.sh thaw DIR      ends the hang (SIGCONT)
#   rabbitmq.sh status DIR    prints running, frozen or stopped; exit code 0, 4 or 3
#   rabbitmq.sh ctl DIR …     rabbitmqctl for that node
#   rabbitmq.sh destroy DIR   ends it at once and removes DIR
#
# A stopped node keeps its epmd (Erlang's name server, 1 MB) until `destroy`: it holds the node's place. epmd is the
# first process of a node to bind a port, so one node's five ports are never handed to another while it is down.
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"
# shellcheck source-path=SCRIPTDIR source=part.sh
source "$here/part.sh"

MARKER=.made-by-escalator-rabbitmq
BOOT_LIMIT=180 # seconds; on a machine that is busy with something else a boot has taken over 60
STOP_LIMIT=60 # seconds
# Five ports a node. Below 32768 the kernel gives none away to outgoing connections (net.ipv4.ip_local_port_range);
# above it, a node's port may be the local end of somebody's connection just when the node wants to bind it.
FIRST_PORT=20000
PORT_BLOCKS=2400

usage() {
  sed -n '5,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit "$EXIT_USAGE"
}

# ---- The folder -------------------------------------------------------------------------------------------

make_folder() {
  claim_folder
  mkdir -p -- "$dir"/{data,etc/generated,home,log,run}
  if [[ ! -f $dir/home/.erlang.cookie ]]; then
    (umask 077 && head -c 24 /dev/urandom | base64 | tr -dc A-Za-z0-9 >"$dir/home/.erlang.cookie")
    chmod 400 "$dir/home/.erlang.cookie"
  fi
}

# ---- Ports ------------------------------------------------------------------------------------------------

# Sets the five ports from the first of their block.
use_ports() {
  epmd_port=$1 amqp_port=$(($1 + 1)) dist_port=$(($1 + 2)) management_port=$(($1 + 3)) prometheus_port=$(($1 + 4))
}

choose_ports() {
  local port
  for _ in {1..200}; do
    use_ports $((FIRST_PORT + RANDOM % PORT_BLOCKS * 5))
    for port in "$epmd_port" "$amqp_port" "$dist_port" "$management_port" "$prometheus_port"; do
      is_taken "$port" && continue 2
    done
    printf '%s\n' "$epmd_port" >"$dir/run/ports"
    return
  done
  die "$EXIT_UNAVAILABLE" "found no free ports from $FIRST_PORT on"
}

load_ports() { [[ -f $dir/run/ports ]] && use_ports "$(<"$dir/run/ports")"; }

# The greeting of an AMQP server is a method frame, whose first byte is 1.
answers_amqp() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$amqp_port" || exit 1
    printf 'AMQP\0\0\011\001' >&3
    LC_ALL=C IFS= read -r -n 1 -t 2 byte <&3 && [[ $byte == $'\001' ]]
  ) 2>/dev/null
}

# ---- The node ---------------------------------------------------------------------------------------------

# Fills `environment`, all that the node and its tools get to see: nothing of the caller's, so that no RABBITMQ_… or
# ERL_… variable of a developer's shell, nor /etc/rabbitmq, can change what the tests run against.
set_environment() {
  local config=$dir/etc
  environment=(
    "PATH=$PATH" "HOME=$dir/home" LANG=C.UTF-8
    "RABBITMQ_NODENAME=$(<"$dir/$MARKER")@localhost"
    RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 "RABBITMQ_NODE_PORT=$amqp_port" "RABBITMQ_DIST_PORT=$dist_port"
    ERL_EPMD_ADDRESS=127.0.0.1 "ERL_EPMD_PORT=$epmd_port"
    RABBITMQ_CTL_DIST_PORT_MIN=10000 RABBITMQ_CTL_DIST_PORT_MAX=19999
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}"
    "RABBITMQ_SERVER_START_ARGS=+B i"
    "RABBITMQ_MNESIA_BASE=$dir/data" "RABBITMQ_PID_FILE=$dir/run/rabbitmq.pid"
    "RABBITMQ_LOG_BASE=$dir/log" "RABBITMQ_LOGS=$dir/log/rabbitmq.log"
    "RABBITMQ_CONFIG_FILE=$config/rabbitmq.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$config/advanced.config"
    "RABBITMQ_CONF_ENV_FILE=$config/rabbitmq-env.conf" "RABBITMQ_GENERATED_CONFIG_DIR=$config/generated"
    "RABBITMQ_ENABLED_PLUGINS_FILE=$config/enabled_plugins"
    # No crash dumps: they take longer than a boot, and the log says why a node fell.
    ERL_CRASH_DUMP_SECONDS=0
    # Makes the start script *become* the Erlang VM (the official container does the same), so that the pid that we
    # signal is the VM's and not that of a shell in front of it.
    RUNNING_UNDER_SYSTEMD=true
  )
}

write_config() {
  : >"$dir/etc/rabbitmq-env.conf"
  # rabbitmq_prometheus costs a boot nothing that could be measured beside rabbitmq_management. Either plugin brings the
  # management agent, which makes an orderly stop wait five seconds before RabbitMQ 3.13 (rabbitmq-server#11070); `kill`
  # and `destroy` do not wait.
  printf '[rabbitmq_management,rabbitmq_prometheus].\n' >"$dir/etc/enabled_plugins"
  cat >"$dir/etc/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$amqp_port
management.tcp.ip = 127.0.0.1
management.tcp.port = $management_port
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = $prometheus_port
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
log.console = false
CONF
}

write_env() {
  cat >"$dir/env.new" <<ENV
AMQP_URL=amqp://guest:guest@127.0.0.1:$amqp_port/%2f
RABBITMQ_MANAGEMENT_URL=http://guest:guest@127.0.0.1:$management_port
RABBITMQ_PROMETHEUS_URL=http://127.0.0.1:$prometheus_port/metrics
RABBITMQ_NODE_DIR=$dir
ENV
  mv -- "$dir/env.new" "$dir/env"
}

# epmd in the foreground under our own eyes; left to itself Erlang would start one that outlives everything.
launch_epmd() {
  recorded "$dir/run/epmd" || launch epmd "$(epmd_path)" -port "$epmd_port" -address 127.0.0.1
}

epmd_path() {
  command -v epmd || erl -noinput -eval \
    'io:put_chars(filename:join([code:root_dir(), "erts-" ++ erlang:system_info(version), "bin", "epmd"])), halt().'
}

boot() {
  set_environment
  write_config
  rm -f -- "$dir"/log/*.out "$dir/run/rabbitmq.pid"
  launch_epmd
  launch beam "$home/sbin/rabbitmq-server"
}

# Succeeds once the node answers. Fails as soon as it cannot come any more, or at the deadline.
await_boot() {
  # A foreign broker on our port would answer as well, so ours has to live: with its port taken it ends by itself. And
  # so does an epmd that came second to the same block, long before a node is up.
  while ((SECONDS < deadline)) && recorded "$dir/run/epmd" && recorded "$dir/run/beam"; do
    [[ -s $dir/run/rabbitmq.pid ]] && answers_amqp && is_taken "$management_port" && is_taken "$prometheus_port" && return
    sleep 0.05
  done
  return 1
}

# In the words of a listener and of Erlang's distribution; epmd just goes.
port_was_taken() { grep -qsE 'eaddrinuse|dist_port_already_used' "$dir"/log/*.out || ! recorded "$dir/run/epmd"; }

# end SIGNAL SECONDS: ends the Erlang VM and waits for it and for all that it started (erl_child_setup, inet_gethost
# and, at boot, a second VM). They leave by themselves when their VM is gone; who is late is killed.
end() {
  local signal=$1 limit=$2 children
  recorded "$dir/run/beam" || { rm -f -- "$dir/run/beam"; return 0; }
  children=$(descendants "$recorded_pid")
  kill "-$signal" "$recorded_pid" 2>/dev/null || true
  # A frozen process takes SIGTERM only when it thaws.
  kill -CONT "$recorded_pid" 2>/dev/null || true
  gone_within "$limit" "$recorded_pid" "$recorded_birth" ||
    die 1 "the node in $dir (pid $recorded_pid) did not end within $limit s of SIG$signal"
  end_late "$children" "the node in $dir"
  rm -f -- "$dir/run/beam"
}

end_epmd() {
  if recorded "$dir/run/epmd"; then
    kill -KILL "$recorded_pid" 2>/dev/null || true
    gone_within 5 "$recorded_pid" "$recorded_birth" || say "epmd (pid $recorded_pid) of $dir does not end"
  fi
  rm -f -- "$dir/run/epmd"
}

# ---- Commands ---------------------------------------------------------------------------------------------

start() {
  home=$(rabbitmq_home) || die "$EXIT_UNAVAILABLE" "RabbitMQ is not here; try: deploy/local/install.sh rabbitmq"
  make_folder
  deadline=$((SECONDS + BOOT_LIMIT))
  if recorded "$dir/run/beam"; then
    load_ports
    [[ $process_state != T* ]] || die 1 "the node in $dir is frozen; thaw it first"
    await_boot || die 1 "the node in $dir runs (pid $recorded_pid) but does not answer"
    return
  fi
  # From here on a start that does not succeed, for whatever reason, leaves nothing running.
  trap 'end KILL 10; [[ -f $dir/env ]] || end_epmd' EXIT
  trap_signals
  while true; do
    # A node that was up once has its addresses in somebody's hands: it comes back on the same ports or not at all.
    [[ -f $dir/env ]] || choose_ports
    load_ports
    boot
    if await_boot; then
      write_env
      trap - EXIT
      return
    fi
    port_was_taken || break
    ((SECONDS < deadline)) || break
    end KILL 10
    if [[ -f $dir/env ]]; then
      sleep 0.5 # whoever has the port may be a process on its way out
    else
      end_epmd
      rm -rf -- "$dir/data"
      mkdir -- "$dir/data"
    fi
  done
  say_why_not "$dir"/log/*.out "$dir/log/rabbitmq.log"
  die "$EXIT_UNAVAILABLE" "the node in $dir did not come up (ports $epmd_port to $prometheus_port)"
}

freeze() {
  recorded "$dir/run/beam" || die 1 "the node in $dir does not run"
  kill -STOP "$recorded_pid"
  await_stopped "$recorded_pid"
}

thaw() {
  recorded "$dir/run/beam" || die 1 "the node in $dir does not run"
  kill -CONT "$recorded_pid"
}

status() {
  if ! recorded "$dir/run/beam"; then
    printf 'stopped\n'
    return 3
  fi
  if [[ $process_state == T* ]]; then
    printf 'frozen pid=%s\n' "$recorded_pid"
    return 4
  fi
  load_ports
  printf 'running pid=%s amqp=%s management=%s prometheus=%s\n' \
    "$recorded_pid" "$amqp_port" "$management_port" "$prometheus_port"
}

ctl() {
  home=$(rabbitmq_home) || die "$EXIT_UNAVAILABLE" "RabbitMQ is not here"
  load_ports || die 1 "the node in $dir was never started"
  set_environment
  exec env -i "${environment[@]}" "$home/sbin/rabbitmqctl" "$@"
}

destroy() {
  end KILL 10
  end_epmd
  rm -rf -- "$dir"
}

command=${1:-}
[[ $# -eq 2 || ($command == ctl && $# -gt 2) ]] || usage
dir=$(absolute "$2")
case $command in
start) start ;;
destroy)
  # Twice is as good as once, so that a clean-up may be run without asking first.
  [[ ! -e $dir ]] || { require_ours && destroy; }
  ;;
stop) require_ours && end TERM "$STOP_LIMIT" ;;
kill) require_ours && end KILL 10 ;;
freeze | thaw | status) require_ours && "$command" ;;
ctl) require_ours && ctl "${@:3}" ;;
*) usage ;;
esac
