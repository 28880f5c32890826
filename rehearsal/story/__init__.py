"""The story of the rehearsal, in order. A step that is not in this list does not exist; each one checks its outcome.

What a team does at the same time overlaps here, too: a step may begin what a later one checks, and runs on meanwhile.
"""

from rehearsal.story import building, changing, creating, ending, failing, publishing, releasing, repository
from rehearsal.story.step import Step, step

STORY: list[Step] = [
    step(publishing.publish),
    step(publishing.publish_again),
    step(creating.create),
    step(repository.clone),
    step(building.build),
    step(building.waits_for_approval),
    step(building.registered),
    step(releasing.approve),
    step(changing.push_changes),
    step(releasing.staging),
    step(releasing.production),
    step(releasing.unrelated_edit),
    step(changing.push_half),
    step(releasing.verified),
    step(changing.better),
    step(changing.other_half),
    step(changing.canary),
    step(failing.tried_by_hand),
    step(changing.worse),
    step(failing.failing),
    step(failing.older),
    step(ending.upgrade),
    step(ending.delete),
]
