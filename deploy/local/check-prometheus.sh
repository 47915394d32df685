#!/usr/bin/env bash
# Has promtool look at what Prometheus would be given: the settings, the rules, and the tests of the rules.
#
#   check-prometheus.sh [FOLDER]      deploy/prometheus, or another one that is laid out like it
#
# It is quiet when all is well. Otherwise it prints what promtool says and ends with 1.
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$here/common.sh"

[[ $# -le 1 ]] || die "$EXIT_USAGE" "usage: check-prometheus.sh [FOLDER]"
folder=${1:-$here/../prometheus}
[[ -f $folder/prometheus.yml ]] || die "$EXIT_USAGE" "$folder has no prometheus.yml"
home=$(prometheus_home) || die "$EXIT_UNAVAILABLE" "promtool is not here; try: deploy/local/install.sh prometheus"
cd -P -- "$folder"

# Sets `found`: the files that a pattern names, none included.
find_files() {
  local file
  found=()
  for file in $1; do [[ ! -e $file ]] || found+=("$file"); done
}

failures=0

# promtool COMMAND…
promtool() {
  local output
  output=$("$home/promtool" "$@" 2>&1) && return
  printf '%s\n' "$output" >&2
  return 1
}

promtool check config --lint=all --lint-fatal prometheus.yml || failures=$((failures + 1))
find_files 'rules/*.yml'
[[ ${#found[@]} -eq 0 ]] || promtool check rules --lint=all --lint-fatal "${found[@]}" || failures=$((failures + 1))
find_files 'tests/*.yml'
# Each by itself, and all at once: the rules are evaluated over days of series, which is work for every core.
running=()
for file in ${found[@]+"${found[@]}"}; do
  promtool test rules "$file" &
  running+=($!)
done
for pid in ${running[@]+"${running[@]}"}; do
  wait "$pid" || failures=$((failures + 1))
done
((failures == 0)) || die 1 "not as it has to be: ${folder}"
