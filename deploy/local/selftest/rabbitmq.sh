#!/usr/bin/env bash
# The tests of rabbitmq.sh. Sourced by ../selftest.sh, whose tools they use.

# shellcheck disable=SC2154

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

# metrics NODE: what its own exporter tells.
metrics() {
  local url
  url=$(address "$1" RABBITMQ_PROMETHEUS_URL)
  url=${url#http://127.0.0.1:}
  (
    exec 3<>"/dev/tcp/127.0.0.1/${url%%/*}"
    printf 'GET /%s HTTP/1.0\r\nHost: localhost\r\n\r\n' "${url#*/}" >&3
    cat <&3
  )
}

# tells_of_itself NODE
tells_of_itself() {
  local answer
  answer=$(metrics "$1")
  [[ $answer == *"rabbitmq_identity_info{rabbitmq_node=\"$(<"$1/.made-by-escalator-rabbitmq")@"* ]] ||
    fail "no metrics of the node's own in: $answer"
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

two_nodes_live_side_by_side_and_apart() {
  local one=$scratch/one two="$scratch/number two"
  node start "$one" &
  node start "$two"
  wait $!
  exits 0 node status "$one"
  exits 0 node status "$two"
  put_message "$one"
  http_says "$two" ' 404 ' GET /api/queues/%2f/kept
  tells_of_itself "$one"
  tells_of_itself "$two"
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
  tells_of_itself "$dir"

  read -r pid _ <"$dir/run/beam"
  node kill "$dir"
  ! process_facts "$pid" || same 'state of the killed Erlang VM' Z "$process_state"
  node start "$dir"
  same 'addresses after a crash' "$env" "$(<"$dir/env")"
  expect_message "$dir"
  tells_of_itself "$dir"

  node freeze "$dir"
  exits 4 node status "$dir"
  exits 1 node start "$dir"
  node thaw "$dir"
  exits 0 node status "$dir"
  expect_message "$dir"
  exits 0 node start "$dir"
  node destroy "$dir"
}

a_foreign_folder_is_no_node() { refuses_foreign_folders rabbitmq; }
