# SPDX-License-Identifier: GPL-2.0
#
# `make help` lists the targets. The kernel's own build reads Kbuild instead.

export KVER KDIR

.PHONY: setup
setup:
	@python3 tools/setup/setup.py
