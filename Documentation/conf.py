# SPDX-License-Identifier: GPL-2.0
"""How Sphinx makes pages of this folder; `make doc` runs it."""

project = "MMU-notifier core in Rust"
author = "The mmu_notifier_rust developers"
highlight_language = "none"
smartquotes = False
html_theme = "alabaster"
html_theme_options = {"page_width": "70rem", "fixed_sidebar": True}
html_sidebars = {"**": ["about.html", "localtoc.html", "navigation.html", "searchbox.html"]}
html_copy_source = False
