"""What AWS allows in names and tags: one home for the patterns that every part of the kit checks against.

The pre-generation hook of the template cannot import it; a test holds that the hook accepts nothing that this refuses.
"""

import re

# CreateProject in the SageMaker API reference: at most 32 characters; ids are budgeted with 20, groups have 63.
PROJECT_NAME_LENGTH, PROJECT_ID_LENGTH, GROUP_LENGTH = 32, 20, 63
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
# https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html: what every AWS service accepts in a tag.
TAG_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
TAG_VALUE = re.compile(r"[\w .:/=+\-@]{0,256}")
# Owner and cost centre are on everything: EventBridge Scheduler and Service Catalog take no empty value, and what the
# form of the product takes has at most 128 characters. Only the template, before it is baked, has none.
OWNER_VALUE = re.compile(r"[\w .:/=+@-]{1,128}")
# What a sentence says about them.
TAG_CHARACTERS = "letters, digits, spaces and any of _ . : / = + - @"


def is_name(text: str, most: int) -> bool:
    """Whether SageMaker takes `text` as a name: letters and digits with dashes between them, at most so many."""
    return len(text) <= most and _NAME.fullmatch(text) is not None
