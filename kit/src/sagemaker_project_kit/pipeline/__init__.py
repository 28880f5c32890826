"""The build half: project.toml and the team's pipeline in, a checked definition out, uploaded and started on AWS."""
