"""What runs inside SageMaker's jobs: preprocess, train, evaluate. Plain functions that refuse to call AWS."""
