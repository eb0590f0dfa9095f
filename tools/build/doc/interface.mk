# SPDX-License-Identifier: GPL-2.0
#
# The documentation of the interface crate, in the folder DOC.

# None of the sample drivers.
override samples :=

include $(src)/../samples/Kbuild

quiet_cmd_doc = RUSTDOC $@
      cmd_doc = \
	OBJTREE=$(abspath $(objtree)) \
	$(RUSTDOC) $(filter-out --remap-path-scope=%,$(rust_flags)) \
		-Zunstable-options -Zcrate-attr='feature($(rust_allowed_features))' \
		-Zallow-features=$(rust_allowed_features) -L$(objtree)/rust \
		--extern pin_init --extern kernel --crate-name mmu_notifier \
		--sysroot=/dev/null --output $(DOC) $<; \
	touch $@

$(obj)/documented: $(interface)/lib.rs $(obj)/mmu_notifier.o FORCE
	$(call if_changed,doc)

always-y += documented
