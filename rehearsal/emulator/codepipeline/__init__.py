"""CodePipeline: executes what pipelines declare, with the credentials of the roles that they name."""
