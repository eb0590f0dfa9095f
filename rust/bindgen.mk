# SPDX-License-Identifier: GPL-2.0
#
# Declarations in Rust of the C functions, variables and structures named mmn_*
# in $(mmn-header). All other types come from the kernel's own bindings.

export MMN_BINDINGS := $(abspath $(obj)/bindings_generated.rs)

targets += bindings_generated.rs

# bindgen is clang: of the compiler's options it gets those that a declaration
# can depend on, and none that only gcc knows.
bindgen-flags = -Wp,-MMD,$(depfile) $(NOSTDINC_FLAGS) $(LINUXINCLUDE) \
	-include $(srctree)/include/linux/compiler_types.h \
	$(filter -I% -D% -U% -std=% -fms-% -fshort-wchar -funsigned-char, \
		$(KBUILD_CPPFLAGS) $(KBUILD_CFLAGS)) \
	--target=x86_64-linux-gnu -m64 -w -fno-builtin -D__BINDGEN__ \
	$(if $(KBUILD_EXTMOD),-DMODULE)

quiet_cmd_bindgen_mmn = BINDGEN $@
      cmd_bindgen_mmn = $(BINDGEN) $< --use-core --ctypes-prefix ffi \
	--rust-target 1.85 --no-layout-tests --no-recursive-allowlist \
	--allowlist-function 'mmn_.*' --allowlist-var 'mmn_.*' \
	--allowlist-type 'mmn_.*' --raw-line 'use kernel::{bindings::*, ffi};' \
	-o $@ -- $(bindgen-flags)

$(obj)/bindings_generated.rs: $(mmn-header) FORCE
	$(call if_changed_dep,bindgen_mmn)

$(obj)/mmu_notifier.o: $(obj)/bindings_generated.rs
