"""python -m service_catalog publish | create | upgrade | delete | doctor: our project inside SageMaker Studio.

`templates` writes files to look at. Each other verb shows what it would change with --plan and changes nothing then;
each can be stopped at any moment and run again, and run twice at once.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from service_catalog import names
from service_catalog.errors import CatalogError, DeclinedError, InputError

if TYPE_CHECKING:
    from service_catalog.aws.account import Account

# A log is no terminal and has no width of its own.
console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
_PARTS = {
    "data": "the buckets with training data",
    "artifacts": "the package index and of container images",
    "operations": "the event bus that hears of alarms, failures and approvals",
}
_INTERRUPTED = "Interrupted. What AWS was asked for goes on there; run the same command again to take it up."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; 0 if it succeeded, 1 with one clear message if not or if somebody said no, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        verb: Callable[[argparse.Namespace], int] = options.verb
        return verb(options)
    except DeclinedError as answer:
        _say(str(answer))
        return 1
    except KeyboardInterrupt:
        _complain(_INTERRUPTED)
        return 130
    except Exception as error:
        known = _explained(error)
        if known is None:
            raise
        _complain(str(known))
        return 1


def _explained(error: Exception) -> CatalogError | None:
    """The error in words written for a person; None for one that keeps its traceback."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    from service_catalog.errors import explain

    if isinstance(error, BotoCoreError | ClientError) and not isinstance(error, ParamValidationError):
        return explain(error)
    return error if isinstance(error, CatalogError) else None


def _complain(text: str) -> None:
    Console(stderr=True, highlight=False).print(Text.assemble(("error: ", "red"), text), soft_wrap=True)


# --- what may be typed -----------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service_catalog", description="Offer this repository's project inside SageMaker Studio."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_publish(verbs.add_parser("publish", help="the project as a product that Studio offers"))
    _add_create(verbs.add_parser("create", help="a project from the product, as Studio's form makes it"))
    _add_upgrade(
        verbs.add_parser("upgrade", help="a project to a newer version: infrastructure, and code by a pull request")
    )
    _add_delete(verbs.add_parser("delete", help="a project with everything that was made for it"))
    _add_doctor(verbs.add_parser("doctor", help="what is missing in the account, with the commands that mend it"))
    words = "the CloudFormation templates, joined from their parts, as files to look at"
    verbs.add_parser("templates", help=words).set_defaults(verb=_templates)
    return parser


def _add_place(
    parser: argparse.ArgumentParser, verb: Callable[[argparse.Namespace], int], several: bool = False
) -> None:
    action = "append" if several else "store"
    again = "; repeatable" if several else ""
    parser.add_argument("--profile", action=action, help=f"profile of ~/.aws/config to work with{again}")
    parser.add_argument("--region", action=action, help=f"such as eu-west-1 (default: the profile's){again}")
    parser.add_argument("--product", default=names.PRODUCT, metavar="NAME", help="name of the product (%(default)s)")
    parser.set_defaults(verb=verb)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--plan", action="store_true", help="show what would change and change nothing")


def _add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask before it is done")


def _add_stages(parser: argparse.ArgumentParser) -> None:
    words = "a profile of the account of a stage that is elsewhere: staging=NAME; repeatable"
    parser.add_argument("--stage-profile", action="append", default=[], metavar="STAGE=PROFILE", help=words)


def _add_answers(parser: argparse.ArgumentParser) -> None:
    words = "an answer to a question of the form, such as Owner=me@example.com; repeatable"
    parser.add_argument("--parameter", action="append", default=[], metavar="KEY=VALUE", help=words)


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--channel", action="append", choices=("catalog", "s3"), help="how Studio gets it (catalog); repeatable"
    )
    _add_accounts(parser)
    parser.add_argument(
        "--version", default="", metavar="NAME", help="name of the version (repository's version and content)"
    )
    parser.add_argument(
        "--retire", action="append", default=[], metavar="VERSION", help="offer it no longer; repeatable"
    )
    words = "a parameter of portfolio.yaml or stage.yaml: portfolio.ProviderName=…, stage.…, prod.…; repeatable"
    parser.add_argument("--set", action="append", default=[], metavar="STACK.KEY=VALUE", dest="values", help=words)
    parser.add_argument("--support-email", default="", metavar="ADDRESS", help="whom users of the product ask")
    words = "put the kit's wheel into this repository of AWS CodeArtifact too"
    parser.add_argument("--codeartifact", default="", metavar="DOMAIN/REPOSITORY", help=words)
    parser.add_argument("--codeartifact-owner", default="", metavar="ID", help="the account of the domain (your own)")
    parser.add_argument("--uncommitted", action="store_true", help="publish changes that no commit holds too")
    _add_plan(parser)
    _add_place(parser, _publish, several=True)


def _add_accounts(parser: argparse.ArgumentParser) -> None:
    _add_stages(parser)
    words = (
        "a stage's account that these credentials do not reach: staging=222222222222; its administrator gets a command"
    )
    parser.add_argument("--stage-account", action="append", default=[], metavar="STAGE=ID", help=words)
    for part, what in _PARTS.items():
        words = f"the account of {what}, if it is another one; your own for this one again"
        parser.add_argument(f"--{part}-account", default="", metavar="ID", help=words)
    words = "accounts count only in this organization (o-…); none for in any, again"
    parser.add_argument("--organization", default="", metavar="ID", help=words)


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="name of the project: at most 32 letters, digits and dashes")
    _add_answers(parser)
    parser.add_argument("--version", default="", metavar="NAME", help="version of the product (the newest)")
    parser.add_argument("--description", default="", metavar="TEXT", help="what Studio shows beside the name")
    words = "start the repository from a project that was baked here, instead of from the product's seed"
    parser.add_argument("--from", dest="folder", type=Path, metavar="FOLDER", help=words)
    parser.add_argument(
        "--channel", choices=("catalog", "s3"), default="catalog", help="where the template is (%(default)s)"
    )
    _add_plan(parser)
    _add_place(parser, _create)


def _add_upgrade(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the project")
    _add_answers(parser)
    parser.add_argument("--version", default="", metavar="NAME", help="version of the product (the newest)")
    words = "write the branch with the code's update into this clone of the project's repository"
    parser.add_argument("--clone", type=Path, metavar="FOLDER", help=words)
    _add_plan(parser)
    _add_yes(parser)
    _add_place(parser, _upgrade)


def _add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", help="the project")
    parser.add_argument(
        "--orphans", action="store_true", help="list what is left of projects that are gone; deletes nothing"
    )
    _add_stages(parser)
    words = "leave the stacks of this stage alone; repeatable"
    parser.add_argument("--skip-stage", action="append", default=[], choices=names.STAGES, help=words)
    _add_plan(parser)
    _add_yes(parser)
    _add_place(parser, _delete)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    _add_stages(parser)
    parser.add_argument(
        "--channel", choices=("catalog", "s3"), default="catalog", help="which channel to look at (%(default)s)"
    )
    _add_plan(parser)
    _add_place(parser, _doctor)


# --- the verbs: each imports what it needs, so that --help is instant ------------------------------------------------


def _publish(options: argparse.Namespace) -> int:
    from service_catalog import publish
    from service_catalog.offering import Words
    from service_catalog.release import Source

    accounts = [_account(profile, region) for profile in options.profile or [""] for region in options.region or [""]]
    wish = publish.Wish(
        words=Words(options.product, support_email=options.support_email),
        channels=tuple(options.channel or [publish.CATALOG]),
        version=options.version,
        retired=tuple(options.retire),
        organization=options.organization,
        stage_accounts=_stage_accounts(options),
        stage_ids=_by_stage(options.stage_account, "--stage-account"),
        values=_by_stack(options.values),
        index=options.codeartifact,
        index_owner=options.codeartifact_owner,
        parts={part: id_ for part in names.PARTS if (id_ := getattr(options, f"{part}_account"))},
    )
    if note := publish.require_committed(options.uncommitted or options.plan):
        console.print(Text(note, style="yellow"))
    source = Source.read()
    publish.publish(accounts, source, wish, console, options.plan)
    if not options.plan:
        _say(publish.next_words(accounts, source, wish))
    return 0


def _create(options: argparse.Namespace) -> int:
    from service_catalog import answers, create
    from service_catalog.waiting import Site

    wish = create.Wish(
        name=options.name,
        product=options.product,
        version=options.version,
        answers=answers.parse(options.parameter, "--parameter"),
        description=options.description,
        folder=options.folder,
        channel=options.channel,
    )
    create.create(Site(_account(options.profile, options.region)), wish, console, options.plan)
    return 0


def _upgrade(options: argparse.Namespace) -> int:
    from service_catalog import answers, upgrade
    from service_catalog.waiting import Site

    given = answers.parse(options.parameter, "--parameter")
    wish = upgrade.Wish(options.name, options.product, options.version, given, options.clone)
    site = Site(_account(options.profile, options.region))
    upgrade.upgrade(site, wish, console, _ask(options), options.plan)
    return 0


def _delete(options: argparse.Namespace) -> int:
    from service_catalog import delete
    from service_catalog.waiting import Site

    site = Site(_account(options.profile, options.region))
    if options.orphans:
        delete.show_others(site, _stage_accounts(options), options.product, console)
        return 0
    if not options.name:
        raise InputError("Name the project to delete, or give --orphans for what is left of projects that are gone.")
    wish = delete.Wish(options.name, _stage_accounts(options), tuple(options.skip_stage))
    delete.delete(site, wish, console, _ask(options), options.plan)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from service_catalog import doctor

    account = _account(options.profile, options.region)
    patient = doctor.Patient(account, options.product, _stage_accounts(options), options.channel)
    found = doctor.doctor(patient, console)
    return int(any(finding.level == "bad" for finding in found))


def _templates(_: argparse.Namespace) -> int:
    from service_catalog import joiner

    for path in joiner.write(joiner.BUILT):
        _say(str(path))
    return 0


# --- helpers of the verbs --------------------------------------------------------------------------------------------


def _account(profile: str | None, region: str | None) -> "Account":
    from service_catalog.aws.account import Account

    return Account.opened(profile or "", region or "")


def _stage_accounts(options: argparse.Namespace) -> "dict[str, Account]":
    given = _by_stage(options.stage_profile, "--stage-profile")
    region = options.region[0] if isinstance(options.region, list) else options.region
    return {stage: _account(profile, region) for stage, profile in given.items()}


def _by_stage(given: Sequence[str], option: str) -> dict[str, str]:
    from service_catalog import answers
    from service_catalog.errors import nearest

    found = answers.parse(given, option)
    if unknown := [stage for stage in found if stage not in names.STAGES]:
        raise InputError(
            [f"{option} {stage}: there is no such stage{nearest(stage, names.STAGES)}" for stage in unknown]
        )
    return found


def _by_stack(given: Sequence[str]) -> dict[str, dict[str, str]]:
    from service_catalog import answers
    from service_catalog.errors import nearest

    known, found = ("portfolio", "stage", *names.STAGES), dict[str, dict[str, str]]()
    for word, value in answers.parse(given, "--set").items():
        stack, dot, key = word.partition(".")
        if stack not in known or not dot:
            raise InputError(f"--set {word}={value}: must be STACK.KEY=VALUE{nearest(stack, known)}")
        found.setdefault(stack, {})[key] = value
    return found


def _ask(options: argparse.Namespace) -> Callable[[str], bool]:
    """Asks a person at a terminal; --yes answers for them, and where nobody can be asked it must be given."""

    def ask(question: str) -> bool:
        if options.yes:
            return True
        if not sys.stdin.isatty():
            raise InputError(f"{question} Nobody can be asked here: give --yes, or --plan to look only.")
        try:
            return console.input(f"{question} \\[y/N] ").strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):  # Ctrl-D and Ctrl-C: nothing was asked of AWS yet, so this is a no
            console.print()
            return False

    return ask


def _say(text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
