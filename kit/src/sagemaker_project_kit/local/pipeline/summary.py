"""What a person sees when a run has ended: how good the model is, what was registered, where things are, what to type.

On a failure it names the step, the reason and the end of its log. It reads files of the run and writes none.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sagemaker_project_kit.local.jobs.job import tail
from sagemaker_project_kit.local.pipeline.record import FAILED, SUCCEEDED, RunRecord, StepRecord
from sagemaker_project_kit.local.state.registry import PENDING


def show(record: RunRecord, paths: Mapping[str, Path]) -> None:
    """Print the end of a run. `paths` names what to point to, in order."""
    console = Console(soft_wrap=True, highlight=False)
    console.print()
    if record.gate:
        console.print(gate_table(record.gate))
        console.print()
    for line in (*_best_of_search(record), *_verdict(record), *_places(record, paths)):
        console.print(line)


def gate_table(gate: Mapping[str, Any]) -> Table:
    """The metric beside what it had to reach."""
    better = "≥" if gate.get("direction", "maximize") == "maximize" else "≤"
    champion = gate.get("champion") or {}
    table = Table(title=f"{gate.get('metric', 'metric')} on the test set", title_justify="left", title_style="bold")
    for name in ("this model", f"threshold {better}", "champion", "constant guess"):
        table.add_column(name, justify="right")
    values = (gate.get("value"), gate.get("threshold"), champion.get("value"), gate.get("constant_guess"))
    cells = [_number(value) for value in values]
    table.add_row(f"[bold]{cells[0]}[/bold]", cells[1], cells[2] if champion.get("present") else "none yet", cells[3])
    return table


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "-"


def _verdict(record: RunRecord) -> Iterator[str]:
    if record.status == SUCCEEDED:
        yield from _success(record)
    elif record.status == FAILED:
        for step in record.failed_steps():
            yield from _refusal(step) if step.type == "Fail" else _failure(step)
        if record.package:
            yield f"[yellow]Version {_name(record.package)} was registered all the same.[/yellow]"
        else:
            yield "Nothing was registered."
    else:
        yield f"[yellow]The run was {escape(record.failure)}.[/yellow] Nothing is half-made; `make run` starts afresh."


def _best_of_search(record: RunRecord) -> Iterator[str]:
    for step in record.steps.values():
        best = step.properties.get("BestTrainingJob")
        if best:
            metric = best["FinalHyperParameterTuningJobObjectiveMetric"]
            tuned = ", ".join(f"{name} = {value}" for name, value in best["TunedHyperParameters"].items())
            yield f"Best of {len(step.properties['TrainingJobSummaries'])} training jobs: {escape(tuned)}"
            yield f"  ({metric['MetricName']} {_number(metric['Value'])})"


def _success(record: RunRecord) -> Iterator[str]:
    if not record.package:
        yield f"[green]Succeeded[/green] in {record.seconds:.1f} s."
        return
    package = record.package
    facts = package.get("CustomerMetadataProperties") or {}
    trained = (
        f", trained with {facts['framework']} {facts.get('framework_version', '')}" if "framework" in facts else ""
    )
    name = f"[bold]{_name(package)}[/bold]"
    yield f"[green]Registered[/green] as version {name} after {record.seconds:.1f} s{escape(trained)}."
    if package["ModelApprovalStatus"] == PENDING:
        yield "It waits for approval: [bold]make approve[/bold], then [bold]make serve[/bold]."
    else:
        yield f"Its approval status is {package['ModelApprovalStatus']}. To try it: [bold]make serve[/bold]."


def _name(package: Mapping[str, Any]) -> str:
    return f"{package['ModelPackageGroupName']}/{package['ModelPackageVersion']}"


def _refusal(step: StepRecord) -> Iterator[str]:
    yield f"[red]Refused[/red] at {escape(step.name)}: {escape(step.failure)}"


def _failure(step: StepRecord) -> Iterator[str]:
    yield f"[red]Step {escape(step.name)} failed[/red] after {step.seconds:.1f} s: {escape(step.failure)}"
    lines = tail(step.log)
    if lines:
        yield f"[dim]The end of its log ({escape(str(step.log))}):[/dim]"
        yield from (f"  {escape(line)}" for line in lines)


def _places(record: RunRecord, paths: Mapping[str, Path]) -> Iterator[str]:
    shown = {"run": record.folder, "logs": record.folder / "logs", "facts": record.path, **paths}
    width = max(map(len, shown))
    for name, path in shown.items():
        if path.exists():
            yield f"[dim]{name:<{width}}[/dim]  {escape(str(path))}"
