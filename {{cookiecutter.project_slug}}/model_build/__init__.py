"""The build half: turns data into a registered model package. It never imports model_deploy or local."""
