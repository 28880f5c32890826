"""What runs inside SageMaker's jobs and endpoints. It travels with the code and inside each model.tar.gz, and is never
taken from where it is installed: a model answers for ever with the runtime it was trained with.
"""
