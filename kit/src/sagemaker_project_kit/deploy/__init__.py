"""The deploy half: releases the approved model package to each stage and proves that the endpoint answers with it.

It meets the build half in the model package group only, and needs boto3, PyYAML and rich.
"""
