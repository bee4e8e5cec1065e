#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a coding agent does, through the API: a sandbox around a fresh clone of this repository, in
# which it builds the project, runs the tests in a shell session, edits a file and looks at the diff;
# then it fetches what was built and removes the sandbox.
#
#	./run version && examples/agent_session.sh
#	CAY_URL=http://127.0.0.1:7070 CAY_API_KEY=... examples/agent_session.sh    a server that runs
set -euo pipefail
top=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
# shellcheck source=examples/lib.sh
. "$top/examples/lib.sh"

# shell COMMAND: one `run` action of the OpenHands protocol in the sandbox's shell session. Exit code
# -1 means that it is still running: an empty command waits on, and answers what came since.
shell() {
	local command=$1 answer code=-1

	printf '$ %s\n' "$command"
	while [ "$code" = -1 ]; do
		answer=$(python3 -c 'import json, sys; print(json.dumps(
			{"action": {"action": "run", "args": {"command": sys.argv[1]}}}))' "$command" |
			api POST "/v1/sandboxes/$id/agent/execute_action" \
				-H 'Content-Type: application/json' --data-binary @-)
		get content <<<"$answer"
		code=$(get extras metadata exit_code <<<"$answer")
		command=
	done
	[ "$code" = 0 ] || {
		echo "the command ended with status $code" >&2
		return 1
	}
}

start_server

step "a fresh clone, and a sandbox around it"
git clone -q "$top" "$work/cay"
id=$(python3 -c 'import json, sys; print(json.dumps(
	{"workspace": {"path": sys.argv[1], "mode": "rw"}, "labels": {"example": "agent_session"}}))' \
	"$work/cay" | api POST /v1/sandboxes -H 'Content-Type: application/json' --data-binary @- |
	tee "$work/created.json" | get id)
trap 'api DELETE "/v1/sandboxes/$id" >/dev/null 2>&1 || true; stop' EXIT
echo "sandbox $id, isolation level $(get isolation level <"$work/created.json")"

step "configure and build inside the sandbox"
shell 'cd /workspace && meson setup build --buildtype=debug -Dfuzz=false > setup.log && tail -n 3 setup.log'
shell 'ninja -C build --quiet && ls -l build/cay build/cay-server build/cay-agent'

step "its unit tests, in the same shell session"
shell 'meson test -C build --suite unit --no-rebuild --quiet'

step "edit a file through the API, and show the diff"
api GET "/v1/sandboxes/$id/files?path=/workspace/README.md" >"$work/README.md"
echo 'This line was written by examples/agent_session.sh.' >>"$work/README.md"
api PUT "/v1/sandboxes/$id/files?path=/workspace/README.md" --data-binary "@$work/README.md"
echo
shell 'git --no-pager diff'

step "fetch what was built"
api GET "/v1/sandboxes/$id/files?path=/workspace/build/cay-agent" -o "$work/cay-agent"
cmp "$work/cay-agent" "$work/cay/build/cay-agent"
ls -l "$work/cay-agent"

step "remove the sandbox"
api DELETE "/v1/sandboxes/$id"; echo
if api GET "/v1/sandboxes/$id" >/dev/null 2>&1; then
	echo "it is still there" >&2
	exit 1
fi
trap stop EXIT
git -C "$work/cay" diff --stat
echo "done"
