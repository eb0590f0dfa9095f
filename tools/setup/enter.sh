#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Glue of project.inside(): enter.sh TOOLROOT CWD BINDS COMMAND...
# Runs in a mount namespace of its own, so nothing mounted here outlives the
# command or is seen by anybody else. BINDS are colon-separated directories
# that shall have the same path inside.
set -e
root=$1 cwd=$2 binds=$3
shift 3

for dir in proc sys dev; do
	mount --rbind "/$dir" "$root/$dir"
done
mount -t tmpfs tmpfs "$root/tmp"
if [ -e /etc/resolv.conf ] && [ -e "$root/etc/resolv.conf" ]; then
	mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
fi
IFS=:
for dir in $binds; do
	mkdir -p "$root$dir"
	mount --bind "$dir" "$root$dir"
done
unset IFS

# exec all the way: signals and the exit status are the command's own.
exec chroot "$root" env -C "$cwd" -- "$@"
