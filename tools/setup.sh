# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by ./run and ./check: the search path, messages, and the packages of tools/packages.txt.

# The distribution's meson, ninja and python3, whatever else (pyenv, conda) comes first for the user.
export PATH="/usr/bin:/bin:/usr/sbin:/sbin:$PATH"

say() {
	echo "${0##*/}: $*" >&2
}

die() {
	say "$@"
	exit 1
}

# packages_of GROUP...: the names, one a line.
packages_of() {
	local group package rest

	while read -r group package rest; do
		case " $* " in
		*" $group "*) echo "$package" ;;
		esac
	done <"$top/tools/packages.txt"
}

# packages_missing GROUP...: those that are not installed.
packages_missing() {
	local wanted installed package

	mapfile -t wanted < <(packages_of "$@")
	# A known architecture suffix is cut (libevent-dev:amd64); dpkg-query fails for unknown names.
	installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null) || true
	for package in "${wanted[@]}"; do
		grep -qx "installed $package" <<<"$installed" || echo "$package"
	done
}

# packages_install GROUP...: installs what is missing, as root or through sudo.
packages_install() {
	local missing as_root=()

	if ! command -v dpkg-query >/dev/null; then
		say "this is not Debian; going on without installing. Needed here under their Debian names:"
		say "$(packages_of "$@" | tr '\n' ' ')"
		return 0
	fi
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null ||
			die "missing packages, and no sudo; as root: apt-get install ${missing[*]}"
		as_root=(sudo)
	fi
	say "installing from the distribution: ${missing[*]}"
	"${as_root[@]}" apt-get update -q >&2 || say "apt-get update failed; trying with the lists there are"
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q -y --no-install-recommends "${missing[@]}" >&2 ||
		die "apt-get could not install: ${missing[*]}"
}
