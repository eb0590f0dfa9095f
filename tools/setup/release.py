# SPDX-License-Identifier: GPL-2.0
"""Which packaged kernel: resolved once from the package index, then remembered."""

import json
import re
import subprocess

import package_index
import project
from progress import Failed

_IMAGE = re.compile(r"linux-image-((\d+\.\d+)(?:\.\d+)*[^-]*-amd64)")


class NotOffered(Failed):
    """The package index has no such kernel."""


def remembered() -> dict:
    try:
        return json.loads(project.choices_file().read_text())
    except FileNotFoundError:
        return {}


def _remember(choices: dict) -> None:
    path = project.choices_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(choices, indent=1, sort_keys=True) + "\n")
    fresh.rename(path)


def _query(*argv) -> str:
    return project.inside(argv, stdout=subprocess.PIPE, text=True, check=True).stdout


def _versions(names) -> dict[str, set[str]]:
    """Package name to the versions on offer."""
    on_offer = {}
    for line in _query("apt-cache", "madison", *names).splitlines():
        name, version, _origin = (field.strip() for field in line.split("|"))
        on_offer.setdefault(name, set()).add(version)
    return on_offer


def packages(release: str, series: str) -> list[str]:
    """What is needed of a kernel: source, configuration, symbols, image, modules."""
    return [f"linux-source-{series}", f"linux-config-{series}",
            *(f"linux-{part}-{release}" for part in ("headers", "binary", "modules"))]


def _candidates() -> list[dict]:
    """The kernels that are on offer with the very source they were built from."""
    names = _query("apt-cache", "pkgnames", "linux-").split()
    kernels = {match[1]: match[2] for match in map(_IMAGE.fullmatch, names) if match}
    wanted = {name for release, series in kernels.items() for name in packages(release, series)}
    on_offer = _versions(sorted(wanted & set(names)))
    found = []
    for release, series in kernels.items():
        versions = [on_offer.get(name, set()) for name in packages(release, series)]
        for version in sorted(set.intersection(*versions)):
            found.append({"release": release, "series": series, "version": version})
    return sorted(found, key=lambda one: [int(n) for n in re.findall(r"\d+", one["version"])])


def _select(wanted: str, candidates: list[dict]) -> dict:
    fitting = [one for one in candidates if wanted in ("", one["series"], one["release"])]
    if fitting:
        return fitting[-1]
    offered = ", ".join(sorted({one["release"] for one in candidates})) or "none"
    raise NotOffered(f"no packaged kernel fits KVER={wanted or '(the newest)'}.\n"
                 f"KVER= takes a series or a full release; on offer with their source: {offered}")


def choose(wanted: str, anew: bool) -> dict:
    """The kernel for KVER=wanted; with `anew`, forget the earlier answer."""
    choices = remembered()
    before = choices.get(wanted)
    if before and not anew:
        return before
    package_index.fetch()
    chosen = _select(wanted, _candidates())
    _remember(choices | {wanted: chosen})
    return chosen
