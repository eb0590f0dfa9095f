#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Glue: sees to the few host packages that the set-up itself stands on. Names
# what is missing first; as root installs it, otherwise prints the command.
set -eu

fail() {
	printf '\nsetup: %s\n' "$1" >&2
	exit 1
}

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
	fail "this needs Linux on x86-64, and this is $(uname -s) on $(uname -m)"

missing=
need() {
	command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"
}
need python3 python3
need mmdebstrap mmdebstrap
need unshare util-linux
need mount mount
need /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
user=$(id -u)
[ "$user" = 0 ] || need newuidmap uidmap

if [ -n "$missing" ]; then
	echo "missing on this machine:$missing"
	command -v apt-get >/dev/null 2>&1 ||
		fail "install the equivalents of these Debian packages, then run make again:$missing"
	[ "$user" = 0 ] ||
		fail "as root, run: apt-get install --no-install-recommends$missing
       and then make again"
	echo "installing them, and nothing else, with apt-get"
	log=build/logs/host-packages.log
	mkdir -p build/logs
	apt-get -qq update >$log 2>&1 || {
		tail $log
		fail "the package index could not be fetched: is there a network?"
	}
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		install --no-install-recommends $missing >$log 2>&1 || {
		tail $log
		fail "apt-get could not install:$missing (the whole output: $log)"
	}
fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
	fail "python3 is older than 3.11: this needs Debian 12 or newer, or its like"
