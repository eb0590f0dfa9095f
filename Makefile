# SPDX-License-Identifier: GPL-2.0
#
# Entry points only; `make help` lists them. The kernel's build reads Kbuild.

PYTHON := python3

export KVER KDIR SUITES BENCH KERNELS CORES FIT KERNEL CORE BREAK JOBS

.NOTPARALLEL:
.PHONY: all module samples programs doc patches setup upgrade demo check \
	shell models kunit kunit-mutants bench mutants torture torture-suppressed \
	fmt-check lint clean distclean help compare bootstrap packaged known \
	upstream check-debug stress deb session

all: module samples $(if $(KDIR),,programs)

module: $(if $(KDIR),,setup)
	@$(PYTHON) tools/build/module.py

samples: $(if $(KDIR),,setup)
	@$(PYTHON) tools/build/samples.py

doc: setup
	@$(PYTHON) tools/build/doc.py

patches: setup
	@$(PYTHON) tools/build/patches.py

session: packaged all
	@$(PYTHON) tools/demo/session.py

deb: packaged setup
	@$(PYTHON) tools/package/deb.py

programs: setup
	@$(PYTHON) tools/build/programs.py

setup: bootstrap
	@$(PYTHON) tools/setup/setup.py $(if $(filter setup,$(MAKECMDGOALS)),--explain)

upgrade: bootstrap
	@$(PYTHON) tools/setup/setup.py --upgrade --explain

demo: packaged all
	@$(PYTHON) tools/demo/demo.py

check: packaged known all
	@$(PYTHON) tools/testing/check.py

models: setup
	@$(PYTHON) tools/testing/check.py models

# Its kernels are built from the source; nothing is built for the packaged one.
check-debug: packaged bootstrap
	@$(PYTHON) tools/setup/setup.py --unpack
	@$(PYTHON) tools/testing/debug/check_debug.py

shell: packaged all
	@$(PYTHON) tools/guest/shell.py

bench: packaged all
	@$(PYTHON) tools/bench/bench.py

mutants: packaged all
	@$(PYTHON) tools/testing/mutants.py

kunit: setup
	@$(PYTHON) tools/testing/kunit/run.py

kunit-mutants: setup
	@$(PYTHON) tools/testing/kunit/mutants.py

torture: packaged all
	@$(PYTHON) tools/testing/torture/run.py

torture-suppressed: packaged all
	@$(PYTHON) tools/testing/torture/suppressed.py

compare: packaged all
	@$(PYTHON) tools/testing/compare/compare.py

upstream: packaged all
	@$(PYTHON) tools/testing/upstream/run.py

stress: packaged all
	@$(PYTHON) tools/testing/stress/run.py

fmt-check: setup
	@$(PYTHON) tools/build/style.py fmt

lint: setup
	@$(PYTHON) tools/build/style.py lint

clean:
	@$(PYTHON) tools/setup/clean.py

distclean:
	@$(PYTHON) tools/setup/clean.py --all

bootstrap:
	@sh tools/setup/bootstrap.sh

# The guests boot a packaged kernel; a module built for another one is no use there.
packaged:
	@test -z "$(KDIR)" || { echo "KDIR= only builds the module (make module KDIR=...);" \
		"the guests run a packaged kernel, chosen by KVER=" >&2; exit 1; }

# A name that is wrong shall not be told after minutes of building.
known:
	@$(PYTHON) tools/testing/check.py --known

help:
	@cat tools/setup/help.txt
