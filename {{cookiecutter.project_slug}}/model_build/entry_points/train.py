"""The entry point of training jobs (hyperparameter sagemaker_program). The work is in model_build.steps.train."""

import sys

from model_build.steps.train import main

if __name__ == "__main__":
    sys.exit(main())
