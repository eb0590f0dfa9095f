# SPDX-License-Identifier: GPL-2.0
#
# The documentation of the core as a module, with all that is private to it, in the folder DOC.

# Nothing of it is built.
CONFIG_MMU_NOTIFIER_RUST_LIVEPATCH := n

include $(src)/Kbuild.module

quiet_cmd_doc = RUSTDOC $@
      cmd_doc = \
	OBJTREE=$(abspath $(objtree)) RUST_MODFILE=mmu_notifier_rust \
	$(RUSTDOC) $(filter-out --remap-path-scope=%,$(rust_flags)) \
		-Zunstable-options -Zcrate-attr='feature($(rust_allowed_features))' \
		-Zallow-features=$(rust_allowed_features) -L$(objtree)/rust \
		--extern pin_init --extern kernel --crate-name mmu_notifier_rust \
		--document-private-items -Arustdoc::private_intra_doc_links \
		--sysroot=/dev/null --output $(DOC) $<; \
	touch $@

$(obj)/documented: private part-of-module := y
$(obj)/documented: $(src)/mmu_notifier.rs $(obj)/bindings_generated.rs FORCE
	$(call if_changed,doc)

always-y += documented
