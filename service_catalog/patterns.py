"""The rules for what people may call things, in one place: the joiner writes them into the templates.

Who cannot import this repeats them (the hook, which Cookiecutter runs by itself; the emulator, which stands for AWS);
a test holds every copy to these.
"""

# CreateProject in the SageMaker API reference. The pattern alone lets longer names pass: the length is asked as well.
PROJECT_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}"
PROJECT_NAME_LENGTH = 32
# The API's pattern for ids takes upper case too; SageMaker makes none, and the bucket's name could not have it.
PROJECT_ID = r"[a-z0-9](-*[a-z0-9]){0,19}"
PROJECT_ID_LENGTH = 20
# Owner and cost centre: a tag's value in the characters that every service takes (Tag Editor user guide, "Tag naming
# limits and requirements"). EventBridge Scheduler and Service Catalog take none that is empty, CodeBuild at most 255.
TAG_VALUE = r"[\w .:/=+@-]{1,128}"
TAG_VALUE_LENGTH = 128

# The account's bucket of whatever region a request is for. Roles are made once for all regions, so IAM fills the region
# in: ${aws:RequestedRegion} is a policy variable, and no wildcard, which in an address would fit slashes too.
OWN_BUCKET = "sagemaker-projects-${AWS::AccountId}-${!aws:RequestedRegion}"

# S3 user guide, "General purpose buckets naming rules". CloudFormation cannot make ARNs of a list of names (a delimiter
# of Fn::Join is no function), so a template says each place of it: the first, and these. Five, because the tools that
# check templates follow each condition both ways, and give up at ten.
BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
FURTHER = ("Second", "Third", "Fourth", "Fifth")

# As a part of a template names them, between < and >.
WORDS = {
    "project_name": PROJECT_NAME,
    "project_name_length": str(PROJECT_NAME_LENGTH),
    "project_id": PROJECT_ID,
    "project_id_length": str(PROJECT_ID_LENGTH),
    "buckets": f"{BUCKET}(,{BUCKET}){{0,{len(FURTHER)}}}",
    "most_buckets": str(len(FURTHER) + 1),
    # No bucket is called so: S3's names have three characters at least
    "no_more_buckets": ",".join("-" * len(FURTHER)),
    "tag_value": TAG_VALUE,
    "tag_value_length": str(TAG_VALUE_LENGTH),
    "own_bucket": OWN_BUCKET,
    "tag_value_hint": f"1 to {TAG_VALUE_LENGTH} letters, digits, spaces and any of _ . : / = + - @",
}
