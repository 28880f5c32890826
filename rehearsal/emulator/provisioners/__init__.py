"""CloudFormation resource types that ministack lacks, one file per AWS service; provisioning.py says how."""
