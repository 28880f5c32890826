"""The entry point of training jobs (hyperparameter sagemaker_program). The work is in steps/train.py."""

import sys

from sagemaker_project_runtime.steps.train import main

if __name__ == "__main__":
    sys.exit(main())
