"""CodeConnections: a local git host stands for GitHub, GitLab or Bitbucket, and a connection leads to it."""
