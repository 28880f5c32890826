"""CodeBuild: runs buildspecs on this machine, in a clean environment, with the credentials of the service role."""
