"""Cookiecutter with answers that cannot be, or into a folder that somebody works in."""

import sys
from pathlib import Path

from rehearsal.faults.fault import fault
from rehearsal.story import programs, publishing
from rehearsal.story.world import World, expect


@fault("published", series="baking")
def answer_that_leaves_the_folder(world: World) -> None:
    """An answer with "../" or a line break is refused, and no file is written anywhere."""
    for slug in ("../churn", "a/../../b", "customer\nchurn", "/churn"):
        target = _target(world)
        before = _files(world.folder / "bake")
        done = _bake(world, target, f"project_slug={slug}")
        expect(done.code != 0, f"the slug {slug!r} to be refused", done.text, done.log)
        expect(done.text.startswith("project_slug"), "a sentence about project_slug", done.text[-300:], done.log)
        expect(_files(world.folder / "bake") == before, "no file", _files(world.folder / "bake"), done.log)
    world.say(done.text.splitlines()[0])


@fault("published", series="baking")
def bake_over_an_edited_project(world: World) -> None:
    """Baking over a project that somebody has edited leaves it alone, or on request only what is missing is added."""
    target = _target(world)
    expect(_bake(world, target).code == 0, "a first project", "none")
    (project,) = target.iterdir()
    notes, settings = project / "notes.md", project / "project.toml"
    notes.write_text("mine")
    settings.write_text(settings.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    done = _bake(world, target)
    expect(done.code != 0 and "already exists" in done.text, "a refusal, as the folder exists", done.text, done.log)
    expect(settings.read_text(encoding="utf-8").endswith("# mine\n"), "the edit to stay", "it is gone", settings)
    done = _bake(world, target, more=["--overwrite-if-exists", "--skip-if-file-exists"])
    expect(done.code == 0, "files that are there to be skipped on request", done.text, done.log)
    kept = notes.read_text() == "mine" and settings.read_text(encoding="utf-8").endswith("# mine\n")
    expect(kept, "both edits to stay", "one is gone", project)
    world.say("the edits are there")


@fault("published", series="baking")
def bake_into_a_folder_of_others(world: World) -> None:
    """A folder of the project's name with files of somebody else is left as it is."""
    target = _target(world)
    precious = target / "customer-churn" / "precious.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    done = _bake(world, target)
    expect(done.code != 0 and "already exists" in done.text, "a refusal, as the folder exists", done.text, done.log)
    expect(_files(target) == {"customer-churn", "customer-churn/precious.txt"}, "nothing else", _files(target))
    world.say(done.text.splitlines()[-1])


def _target(world: World) -> Path:
    """A new folder."""
    folder = world.folder / "bake"
    folder.mkdir(exist_ok=True)
    target = folder / str(len(list(folder.iterdir())))
    target.mkdir()
    return target


def _bake(world: World, target: Path, *answers: str, more: list[str] | None = None) -> programs.Output:
    template, output = str(publishing.repository(world)), ["--output-dir", str(target)]
    command = [sys.executable, "-m", "cookiecutter", template, "--no-input", *output, *(more or []), *answers]
    return programs.run(world, "cookiecutter", command, world.folder)


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
