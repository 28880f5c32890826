"""The story of the rehearsal, in order. A step that is not in this list does not exist; each one checks its outcome."""

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
    step(releasing.staging),
    step(releasing.production),
    step(releasing.unrelated_edit),
    step(changing.worse),
    step(changing.better),
    step(changing.canary),
    step(failing.failing),
    step(failing.older),
    step(changing.other_half),
    step(ending.upgrade),
    step(ending.delete),
]
