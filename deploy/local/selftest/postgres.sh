#!/usr/bin/env bash
# The tests of postgres.sh. Sourced by ../selftest.sh, whose tools they use.

# shellcheck disable=SC2154

server() { "$here/postgres.sh" "$@"; }

# says DIR EXPECTED SQL…
says() {
  local answer
  answer=$(server psql "$1" -At -v ON_ERROR_STOP=1 "${@:3}") || fail "psql of $1 failed at: ${*:3}"
  same "answer to ${*:3}" "$2" "$answer"
}

keep_row() { says "$1" '' -qc 'create table kept (word text)' -c "insert into kept values ('hello')"; }
expect_row() { says "$1" hello -c 'select word from kept'; }

# System V shared memory of the server in DIR that nobody uses, as a crash leaves it.
orphaned_memory() {
  [[ ! -r /proc/sysvipc/shm ]] || sed -n 7p "$1/data/postmaster.pid" | (
    read -r _ id
    awk -v id="$id" '$2 == id && $7 == 0 { print id }' /proc/sysvipc/shm
  )
}

two_servers_live_side_by_side_and_apart() {
  local one=$scratch/one two="$scratch/number two"
  server start "$one" &
  server start "$two"
  wait $!
  exits 0 server status "$one"
  exits 0 server status "$two"
  keep_row "$one"
  says "$two" '' -c "select 1 from pg_tables where tablename = 'kept'"
  server destroy "$one"
  says "$two" 1 -c 'select 1'
  server destroy "$two"
  same 'processes left behind' '' "$(processes_of "$scratch/one")$(processes_of "$scratch/number two")"
  [[ ! -e $one && ! -e $two ]] || fail 'a destroyed server has left its folder'
  exits 0 server destroy "$one"
}

a_server_comes_back_on_its_port_with_what_was_committed() {
  local dir=$scratch/server env client id=''
  server start "$dir"
  env=$(<"$dir/env")
  keep_row "$dir"

  server stop "$dir"
  exits 3 server status "$dir"
  same 'processes of a stopped server' '' "$(processes_of "$dir")"
  server start "$dir"
  same 'address after a stop' "$env" "$(<"$dir/env")"
  expect_row "$dir"

  # The crash comes upon somebody's unfinished transaction, in a process too busy to notice that its parent has gone.
  server psql "$dir" -Atq >"$scratch/client.out" 2>&1 < <(
    printf "begin; insert into kept values ('unfinished'); select 'in hand';
      do 'begin for i in 1..2000000000 loop end loop; end';"
  ) &
  client=$!
  eventually 'the transaction' grep -qs 'in hand' "$scratch/client.out"
  server kill "$dir"
  ! wait "$client" || fail 'the client has not noticed the crash'
  same 'processes of a crashed server' '' "$(processes_of "$dir")"
  id=$(orphaned_memory "$dir")
  server start "$dir"
  same 'address after a crash' "$env" "$(<"$dir/env")"
  grep -qF 'not properly shut down' "$dir/log/postgres.out" || fail 'it was no crash to the server'
  expect_row "$dir"
  exits 0 server start "$dir"

  # As does a crash that was not ours to begin: nobody has ended the children.
  client=$(sed -n 1p "$dir/data/postmaster.pid")
  kill -KILL "$client"
  exits 3 server status "$dir"
  server start "$dir"
  expect_row "$dir"

  server kill "$dir"
  id+=" $(orphaned_memory "$dir")"
  server destroy "$dir"
  for client in $id; do
    awk -v id="$client" '$2 == id && $7 == 0 { exit 1 }' /proc/sysvipc/shm || fail 'shared memory is left behind'
  done
}

a_frozen_server_keeps_its_connections_and_answers_when_it_thaws() {
  local dir=$scratch/server client
  server start "$dir"
  mkfifo "$scratch/questions"
  server psql "$dir" -Atq <"$scratch/questions" >"$scratch/answers" 2>&1 &
  client=$!
  exec 5>"$scratch/questions"
  echo "select 'first';" >&5
  eventually 'the first answer' grep -qs first "$scratch/answers"

  server freeze "$dir"
  exits 4 server status "$dir"
  exits 1 server start "$dir"
  echo "select 'second';" >&5
  # An absence has no event to wait for: a server that is not frozen answers within a millisecond.
  sleep 0.3
  ! grep -q second "$scratch/answers" || fail 'a frozen server has answered'
  server thaw "$dir"
  eventually 'the second answer' grep -qs second "$scratch/answers"
  exec 5>&-
  wait "$client"

  server freeze "$dir"
  server stop "$dir"
  exits 3 server status "$dir"
  server start "$dir"
  server freeze "$dir"
  server destroy "$dir"
  same 'processes left behind' '' "$(processes_of "$dir")"
}

its_promises_are_the_real_ones_and_its_door_is_locked() {
  local dir=$scratch/server url
  server start "$dir"
  says "$dir" 'on on on 300' -c "select concat_ws(' ', current_setting('fsync'), current_setting('synchronous_commit'),
    current_setting('full_page_writes'), current_setting('max_connections'))"
  says "$dir" 127.0.0.1 -c 'show listen_addresses'
  url=$(address "$dir" ESCALATOR_TEST_POSTGRES_URL)
  [[ $url =~ ^postgres://escalator:[A-Za-z0-9]{24,}@127\.0\.0\.1:[0-9]+/postgres$ ]] || fail "its address is $url"
  printf 'wrong\n' >"$dir/password"
  exits 2 server psql "$dir" -c 'select 1'
  grep -qF 'password authentication failed' "$scratch/output" || fail "it said: $(<"$scratch/output")"
  server destroy "$dir"
}

# As it is on a developer's machine; where the tests are a developer's anyway, the others have shown it.
nobody_needs_to_be_root() {
  ((EUID == 0)) || return 0
  local folder=$scratch/as-nobody
  mkdir "$folder" "$folder/scripts"
  cp "$here/common.sh" "$here/part.sh" "$here/postgres.sh" "$folder/scripts"
  chmod -R go+rX "$folder"
  chmod 777 "$folder"
  exits 0 as_nobody "$folder/scripts/postgres.sh" start "$folder/server"
  same 'its user' nobody "$(stat -c %U "$folder/server/data")"
  exits 0 as_nobody "$folder/scripts/postgres.sh" psql "$folder/server" -c 'select 1'
  exits 0 as_nobody "$folder/scripts/postgres.sh" kill "$folder/server"
  exits 0 as_nobody "$folder/scripts/postgres.sh" start "$folder/server"
  exits 0 as_nobody "$folder/scripts/postgres.sh" destroy "$folder/server"
  same 'processes left behind' '' "$(processes_of "$folder/server")"
}

as_nobody() { setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups -- "$@"; }

a_folder_that_its_user_cannot_get_to_is_named() {
  ((EUID == 0)) || return 0
  mkdir -m 700 "$scratch/closed"
  exits 69 server start "$scratch/closed/server"
  grep -qF 'chmod o+x' "$scratch/output" || fail "it said: $(<"$scratch/output")"
  exits 0 server destroy "$scratch/closed/server"
}

a_foreign_folder_is_no_server() {
  refuses_foreign_folders postgres
  : >"$scratch/foreign/.made-by-escalator-rabbitmq"
  exits 64 server destroy "$scratch/foreign"
}
