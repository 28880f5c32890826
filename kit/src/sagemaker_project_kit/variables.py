"""The environment's variables that shape a build: what product.yaml hands to CodeBuild, by what each one becomes.

settings.py reads these and no others; freshness.py looks at the same ones. A variable added here reaches both.
"""

# What the form of the product asked for, and what of project.toml it overrides.
PROJECT_NAME = "SAGEMAKER_PROJECT_NAME"
ANSWERED = {"owner": "PROJECT_OWNER", "cost_center": "PROJECT_COST_CENTER"}
# Fields of pipeline.tables.Environment.
STACK = {
    "project_id": "SAGEMAKER_PROJECT_ID",
    "project_arn": "SAGEMAKER_PROJECT_ARN",
    "model_package_group": "MODEL_PACKAGE_GROUP",
    "artifact_bucket": "ARTIFACT_BUCKET",
    "kms_key_arn": "KMS_KEY_ARN",
    "pipeline_role_arn": "PIPELINE_ROLE_ARN",
    "region": "AWS_REGION",
}
# Lists of ids with commas between them.
NETWORK = {"subnet_ids": "SUBNET_IDS", "security_group_ids": "SECURITY_GROUP_IDS"}
BUILD = frozenset([PROJECT_NAME, *ANSWERED.values(), *STACK.values(), *NETWORK.values()])
