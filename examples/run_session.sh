#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The same work as agent_session.sh without a server: each step is one `cay run` whose workspace is
# the clone. What a step leaves in the workspace, the next one finds.
set -euo pipefail
top=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
cay=${CAY:-$top/build/cay}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

inside() {
	printf '$ %s\n' "$1"
	"$cay" run --workspace "$work/cay" -- bash -c "$1"
}

git clone -q "$top" "$work/cay"
inside 'meson setup build --buildtype=debug -Dfuzz=false > setup.log && tail -n 3 setup.log'
inside 'ninja -C build --quiet && ls -l build/cay build/cay-server build/cay-agent'
inside 'meson test -C build --suite unit --no-rebuild --quiet'
inside 'echo "This line was written by examples/run_session.sh." >> README.md'
inside 'git --no-pager diff'

# The workspace is a folder of the host: what was built is simply there, with its owner.
[ "$(stat -c %u "$work/cay/build/cay-agent")" = "$(id -u)" ]
ls -l "$work/cay/build/cay-agent"
echo "done"
