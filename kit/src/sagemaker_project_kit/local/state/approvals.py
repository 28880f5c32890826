"""The command `registry`: lists model packages, approves and rejects them."""

from sagemaker_project_kit.local.errors import RegistryError
from sagemaker_project_kit.local.state.registry import APPROVED, PENDING, REJECTED, Package, Registry

STATUS = {"approve": APPROVED, "reject": REJECTED}
_STYLE = {APPROVED: "green", REJECTED: "red", PENDING: "yellow"}


def show(registry: Registry) -> None:
    """Print every version; the star marks the one that `serve` takes: approved last in its group."""
    from rich.console import Console
    from rich.table import Table

    packages = registry.packages()
    if not packages:
        print("Nothing is registered yet: run `make run`.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "model", "status", "registered", "approved"):
        table.add_column(name)
    champions = {str(registry.champion(group)) for group in {package.group for package in packages}}
    for package in packages:
        style = _STYLE.get(package.status, "")
        star = "★" if str(package) in champions else ""
        status = f"[{style}]{package.status}" if style else package.status
        registered = _minute(str(package.content["CreationTime"]))
        table.add_row(star, str(package), status, registered, _minute(package.approved_at))
    Console(soft_wrap=True, highlight=False).print(table)


def _minute(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC" if moment else ""


def decide(registry: Registry, verb: str, model: str | None) -> Package:
    """Approve or reject `model`, or without it the newest version that waits. Raises RegistryError."""
    package = registry.find(model) if model else waiting(registry)
    return registry.set_status(package, STATUS[verb])


def waiting(registry: Registry) -> Package:
    """The version that was registered last, of those that wait for approval. Raises RegistryError if none does."""
    candidates = [package for package in registry.packages() if package.status == PENDING]
    if not candidates:
        raise RegistryError("No version waits for approval; `make models` lists what there is.")
    return max(candidates, key=lambda package: (str(package.content["CreationTime"]), package.version))
