# SPDX-License-Identifier: GPL-2.0
#
# Entry points only; `make help` lists them. The kernel's build reads Kbuild.

PYTHON := python3

export KVER KDIR SUITES BENCH

.NOTPARALLEL:
.PHONY: all module samples programs doc setup upgrade demo check shell \
	bench mutants torture torture-suppressed fmt-check lint clean distclean help \
	bootstrap packaged known

all: module samples $(if $(KDIR),,programs)

module: $(if $(KDIR),,setup)
	@$(PYTHON) tools/build/module.py

samples: $(if $(KDIR),,setup)
	@$(PYTHON) tools/build/samples.py

doc: $(if $(KDIR),,setup)
	@$(PYTHON) tools/build/doc.py

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

shell: packaged all
	@$(PYTHON) tools/guest/shell.py

bench: packaged all
	@$(PYTHON) tools/bench/bench.py

mutants: packaged all
	@$(PYTHON) tools/testing/mutants.py

torture: packaged all
	@$(PYTHON) tools/testing/torture/run.py

torture-suppressed: packaged all
	@$(PYTHON) tools/testing/torture/suppressed.py

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
