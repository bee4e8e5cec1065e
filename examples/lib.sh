# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the examples: a server to talk to, and JSON without other tools than curl and python3.
# Sets CAY_URL and CAY_API_KEY, and starts a server of its own if CAY_URL is unset.

cay=${CAY:-$top/build/cay}
work=$(mktemp -d)
server=

stop() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() {
	printf '\n== %s\n' "$*"
}

# start_server: `cay serve` says where it listens as soon as it does; its log goes to a file then.
start_server() {
	local line

	[ -z "${CAY_URL:-}" ] || return 0
	mkfifo "$work/log"
	"$cay" serve --listen 127.0.0.1:0 --state "$work/state" 2>"$work/log" &
	server=$!
	exec 7<"$work/log"
	while IFS= read -r line <&7; do
		echo "$line"
		case $line in
		"cay: listening on "*)
			CAY_URL=${line#cay: listening on }
			break
			;;
		esac
	done
	if [ -z "${CAY_URL:-}" ]; then
		echo "the server did not start" >&2
		exit 1
	fi
	cat <&7 >"$work/server.log" &
	: "${CAY_API_KEY:=$(cat "$work/state/api-key")}"
}

# api METHOD PATH [CURL OPTION...]: the answer's body; fails, showing the error, unless it is 2xx.
api() {
	local method=$1 path=$2
	shift 2

	curl -sS --fail-with-body -X "$method" -H "X-API-Key: $CAY_API_KEY" "$@" "$CAY_URL$path"
}

# get NAME...: one value out of the JSON on stdin, by the names on the way to it.
get() {
	python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value[name]
print(value)' "$@"
}
