"""Owns the definitions of other projects' resources: CRDs of Gateway API, KEDA and Istio, out of their Go modules.

Must not install them into a cluster. They are copied into the cache once per version.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from envtest import tools


@dataclass(frozen=True)
class Source:
    """Where a project keeps its CRDs."""

    module: str
    version: str
    pattern: str


SOURCES = {
    "gateway-api": Source("sigs.k8s.io/gateway-api", "v1.4.1", "config/crd/standard/*.yaml"),
    "istio": Source("istio.io/api", "v1.31.1", "kubernetes/customresourcedefinitions.gen.yaml"),
    "keda": Source("github.com/kedacore/keda/v2", "v2.21.0", "config/crd/bases/*.yaml"),
}


def folder() -> Path:
    """A folder with one folder of CRDs for each project."""
    versions = "-".join(f"{name}-{source.version}" for name, source in SOURCES.items())
    found = tools.cache_folder() / f"crds-{versions}"
    if not found.exists():
        with tools.alone(found.parent / "crds.lock"):
            if not found.exists():
                _extract(found)
    return found


def _extract(target: Path) -> None:
    tools.check_go()
    tools.say(f"fetching CRDs: {', '.join(f'{name} {source.version}' for name, source in SOURCES.items())}")
    scratch = Path(tempfile.mkdtemp(prefix="crds-", dir=target.parent))
    try:
        for name, source in SOURCES.items():
            module = Path(tools.download(f"{source.module}@{source.version}")["Dir"])
            files = [path for path in sorted(module.glob(source.pattern)) if path.name != "kustomization.yaml"]
            assert files, f"{source.module}@{source.version} has no {source.pattern}"
            (scratch / name).mkdir()
            for path in files:
                shutil.copyfile(path, scratch / name / path.name)
        scratch.chmod(0o755)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
