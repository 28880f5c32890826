"""Every step type, run as processes by `python -m sagemaker_project_kit.local run`."""

import json
import tarfile

import pytest

from kit.tests.local.pipelines import (
    OUTPUT,
    TRAIN,
    WRITE,
    Project,
    compare,
    condition,
    fail,
    get,
    join,
    json_get,
    output_of,
    processing,
    register,
    training,
    tuning,
)

ETA = {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.01", "MaxValue": "1.0"}]}
HANDLER = """
    def model_fn(folder):
        return float(open(f"{folder}/model.txt").read())
    def input_fn(body, content_type):
        return [float(line) for line in body.decode().split()]
    def predict_fn(data, model):
        return [value * model for value in data]
    def output_fn(prediction, accept):
        return "\\n".join(map(str, prediction)), accept
"""


def test_processing_gets_its_inputs_and_stores_its_outputs(project: Project) -> None:
    code = project.script("copy", "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])")
    data = project.put("s3://bucket/data/1/rows.csv", "a,b\n1,2\n")
    arguments = ["/opt/ml/processing/input/data/rows.csv", f"{OUTPUT}/result"]
    result = project.run([processing("Copy", code, arguments, {"data": data})])
    assert result.code == 0, result.err + result.out
    uri = result.step("Copy")["Outputs"]["result"]["S3Uri"]
    assert uri == f"s3://bucket/runs/{result.execution['PipelineExecutionId']}/Copy/result"
    assert (project.stored(uri) / "rows.csv").read_text() == "a,b\n1,2\n"
    assert (project.root / "runs/latest/outputs/Copy/result/rows.csv").read_text() == "a,b\n1,2\n"
    assert project.leftovers() == []


def test_processing_sees_the_container_contract(project: Project) -> None:
    code = project.script(
        "look",
        """
        import json, os, pathlib, sys
        config = pathlib.Path(os.environ["CONFIG"])
        job = json.loads((config / "processingjobconfig.json").read_text())
        found = {
            "hosts": json.loads((config / "resourceconfig.json").read_text())["hosts"],
            "job": job["ProcessingJobName"], "python": sys.executable, "path": os.environ.get("PYTHONPATH"),
            "modules": sorted(name for name in sys.modules if name.startswith(("local", "model_build"))),
        }
        pathlib.Path(sys.argv[1], "found.json").write_text(json.dumps(found))
        """,
    )
    result = project.run([processing("Look", code, [f"{OUTPUT}/result"], environment={"CONFIG": "/opt/ml/config"})])
    assert result.code == 0, result.out
    found = json.loads((project.root / "runs/latest/outputs/Look/result/found.json").read_text())
    assert found["hosts"] == ["algo-1"]
    assert found["job"] == result.step("Look")["ProcessingJobName"]
    assert found["path"] is None, "this process's PYTHONPATH must not reach a step"


def test_a_step_that_changes_its_input_does_not_change_storage(project: Project) -> None:
    code = project.script("spoil", "import sys; open(sys.argv[1], 'w').write('spoilt')")
    data = project.put("s3://bucket/data/rows.csv", "good")
    result = project.run([processing("Spoil", code, ["/opt/ml/processing/input/data/rows.csv"], {"data": data})])
    assert result.code == 0, result.out
    assert project.stored(data).read_text() == "good"


def test_outputs_that_are_links_and_nested_outputs_are_stored_whole(project: Project) -> None:
    code = project.script(
        "links",
        """
        import os, pathlib, sys
        whole = pathlib.Path(sys.argv[1]); part = whole / "part"
        (part / "a.txt").write_text("a"); os.symlink(part / "a.txt", whole / "link.txt")
        """,
    )
    step = processing("Links", code, [f"{OUTPUT}/whole"], outputs=["whole", "part"])
    step["Arguments"]["ProcessingOutputConfig"]["Outputs"][1]["S3Output"]["LocalPath"] = f"{OUTPUT}/whole/part"
    result = project.run([step])
    assert result.code == 0, result.out
    stored = {name: project.stored(entry["S3Uri"]) for name, entry in result.step("Links")["Outputs"].items()}
    assert (stored["whole"] / "part/a.txt").read_text() == (stored["part"] / "a.txt").read_text() == "a"
    assert (stored["whole"] / "link.txt").read_text() == "a"
    assert not (stored["whole"] / "link.txt").is_symlink()


def test_training_in_script_mode(project: Project) -> None:
    archive = project.archive(
        "s3://bucket/code/1/sourcedir.tar.gz",
        {
            "helper.py": "VALUE = 7",
            "train.py": """
                import argparse, json, os, pathlib, helper
                parser = argparse.ArgumentParser()
                parser.add_argument("--eta", type=float)
                parser.add_argument("-n", type=int)
                given = parser.parse_args()
                config = pathlib.Path(os.environ["SM_INPUT_CONFIG_DIR"])
                seen = {
                    "eta": given.eta, "n": given.n, "helper": helper.VALUE,
                    "rows": pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "rows.csv").read_text(),
                    "hps": json.loads(os.environ["SM_HPS"]), "channels": json.loads(os.environ["SM_CHANNELS"]),
                    "raw": json.loads((config / "hyperparameters.json").read_text()),
                    "input": json.loads((config / "inputdataconfig.json").read_text()),
                    "hosts": json.loads((config / "resourceconfig.json").read_text())["hosts"],
                }
                pathlib.Path(os.environ["SM_MODEL_DIR"], "seen.json").write_text(json.dumps(seen))
                pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "extra.txt").write_text("x")
                print("auc=0.5"); print("auc=0.75")
            """,
        },
    )
    data = project.put("s3://bucket/data/rows.csv", "1,2")
    step = training("Train", archive, {"eta": "0.1", "n": "3"}, channels={"train": data})
    result = project.run([step])
    assert result.code == 0, result.out
    train = result.step("Train")
    base = f"s3://bucket/models/{train['TrainingJobName']}/output"
    assert train["Outputs"]["model"]["S3Uri"] == f"{base}/model.tar.gz"
    assert [(metric["MetricName"], metric["Value"]) for metric in train["Metrics"]] == [("validation:auc", 0.75)]
    assert project.stored(f"{base}/output.tar.gz").is_file()
    with tarfile.open(project.stored(f"{base}/model.tar.gz")) as tar:
        seen = json.loads(tar.extractfile("seen.json").read())  # type: ignore[union-attr]
    assert (seen["eta"], seen["n"], seen["helper"], seen["rows"]) == (0.1, 3, 7, "1,2")
    assert seen["hps"] == {"eta": 0.1, "n": 3}
    assert seen["raw"]["sagemaker_program"] == '"train.py"'
    assert seen["channels"] == ["train"] and seen["hosts"] == ["algo-1"]
    assert seen["input"]["train"]["ContentType"] == "text/csv"


def test_training_by_entrypoint(project: Project) -> None:
    code = project.put("s3://bucket/code/step.py", "open('opt/ml/model/m.txt', 'w').write('m'); print('auc=0.9')")
    step = training("Train", "s3://bucket/none.tar.gz", channels={"code": code})
    step["Arguments"]["HyperParameters"] = {}
    entrypoint = ["python3", "/opt/ml/input/data/code/step.py"]
    step["Arguments"]["AlgorithmSpecification"]["ContainerEntrypoint"] = entrypoint
    result = project.run([step])
    assert result.code == 0, result.out
    assert project.stored(result.step("Train")["Outputs"]["model"]["S3Uri"]).is_file()


FAILS = (
    "print('column price is empty'); open('../output/failure', 'w').write('column price is empty'); raise SystemExit(1)"
)


def test_the_toolkit_writes_over_a_scripts_failure_file_and_the_log_tells(project: Project) -> None:
    """As sagemaker-containers does on AWS: FailureReason names the command, the sentence is in the log alone."""
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": FAILS})
    result = project.run([training("Train", archive)])
    assert result.code == 1
    reason = result.step("Train")["FailureReason"]
    assert reason.startswith("ExecuteUserScriptError: Command ") and "column price is empty" not in reason
    assert "Step Train failed" in result.out and "column price is empty" in result.out


def test_the_failure_file_of_a_container_of_ones_own_is_the_failure_reason(project: Project) -> None:
    step = training("Train", project.archive("s3://bucket/s.tar.gz", {"step.py": FAILS}))
    del step["Arguments"]["HyperParameters"]["sagemaker_program"]
    code = "open('/opt/ml/output/failure', 'w').write('column price is empty'); raise SystemExit(1)"
    step["Arguments"]["AlgorithmSpecification"]["ContainerEntrypoint"] = ["python3", "-c", code]
    assert project.run([step]).step("Train")["FailureReason"] == "column price is empty"


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_tuning_finds_the_best_job_and_repeats_itself(project: Project, strategy: str) -> None:
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": TRAIN})
    steps = [
        tuning("Tune", archive, ETA, strategy=strategy, jobs=4, parallel=2),
        register(
            "Register",
            join("s3://bucket/models", get("Steps.Tune.BestTrainingJob.TrainingJobName"), "output/model.tar.gz"),
        ),
    ]
    results = [project.run(steps), project.run(steps)]
    assert [result.code for result in results] == [0, 0], results[0].out
    tunes = [result.step("Tune") for result in results]
    summaries = tunes[0]["TrainingJobSummaries"]
    values = [summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for summary in summaries]
    assert len(values) == 4 and values == sorted(values, reverse=True)
    assert tunes[0]["BestTrainingJob"] == summaries[0]
    tuned = [[summary["TunedHyperParameters"] for summary in tune["TrainingJobSummaries"]] for tune in tunes]
    assert tuned[0] == tuned[1]
    assert all(project.stored(summary["ModelArtifacts"]["S3ModelArtifacts"]).is_file() for summary in summaries)
    assert results[1].execution["ModelPackage"]["ModelPackageVersion"] == 2


def test_tuning_minimises_and_survives_a_failed_job(project: Project) -> None:
    train = TRAIN + '\n    if given["--kind"] == \'bad\': sys.exit("bad kind")\n'
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": train})
    ranges = ETA | {"CategoricalParameterRanges": [{"Name": "kind", "Values": ["good", "bad"]}]}
    result = project.run([tuning("Tune", archive, ranges, objective="Minimize", jobs=8)])
    assert result.code == 0, result.out
    summaries = result.step("Tune")["TrainingJobSummaries"]
    done = [summary for summary in summaries if summary["TrainingJobStatus"] == "Completed"]
    values = [summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for summary in done]
    assert values == sorted(values) and 0 < len(done) < 8
    assert summaries[: len(done)] == done, "failed jobs come last"


def test_tuning_without_the_objective_metric_fails(project: Project) -> None:
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": "print('nothing')"})
    result = project.run([tuning("Tune", archive, ETA, jobs=2)])
    assert result.code == 1
    assert "'validation:auc' does not occur" in result.step("Tune")["FailureReason"]


def test_model_and_transform(project: Project) -> None:
    archive = project.archive(
        "s3://bucket/s.tar.gz",
        {
            "inference.py": HANDLER,
            "train.py": TRAIN + "    import shutil; os.mkdir(os.environ['SM_MODEL_DIR'] + '/code');"
            " shutil.copy('inference.py', os.environ['SM_MODEL_DIR'] + '/code')\n",
        },
    )
    project.put("s3://bucket/batch/one.csv", "1\n2\n3\n")
    project.put("s3://bucket/batch/more/two.csv", "4\n5")
    container = {"Image": "image:1", "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    model = {"Name": "Create", "Type": "Model", "Arguments": {"PrimaryContainer": container}}
    source = {"DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/batch"}}, "SplitType": "Line"}
    transform = {
        "Name": "Predict",
        "Type": "Transform",
        "Arguments": {
            "ModelName": get("Steps.Create.ModelName"),
            "BatchStrategy": "SingleRecord",
            "TransformInput": source | {"ContentType": "text/csv"},
            "TransformOutput": {"S3OutputPath": "s3://bucket/predictions", "AssembleWith": "Line"},
        },
    }
    result = project.run([training("Train", archive, {"eta": "0.5"}), model, transform])
    assert result.code == 0, result.out
    assert project.stored("s3://bucket/predictions/one.csv.out").read_text() == "0.5\n1.0\n1.5\n"
    assert project.stored("s3://bucket/predictions/more/two.csv.out").read_text() == "2.0\n2.5\n"


def test_lambda_calls_the_mapped_function(project: Project) -> None:
    (project.root / "functions.py").write_text(
        "def greet(event, context):\n    return {'text': f\"hi {event['who']}\"}\n"
    )
    step = {
        "Name": "Greet",
        "Type": "Lambda",
        "FunctionArn": "arn:aws:lambda:eu-west-1:111111111111:function:greeter",
        "Arguments": {"who": get("Parameters.Who")},
        "OutputParameters": [{"OutputName": "text", "OutputType": "String"}],
    }
    code = project.script("write", WRITE)
    write = processing("Write", code, [f"{OUTPUT}/result", get("Steps.Greet.OutputParameters['text']")])
    parameters = [{"Name": "Who", "Type": "String", "DefaultValue": "you"}]
    result = project.run([step, write], "--lambda", "greeter=functions:greet", parameters=parameters)
    assert result.code == 0, result.out
    assert (project.root / "runs/latest/outputs/Write/result/value.txt").read_text() == "hi you"
    refused = project.run(None)
    assert refused.code == 2 and "--lambda greeter=module:function" in refused.err


@pytest.mark.parametrize(("score", "outcome"), [(0.9, "Good"), (0.6, "Middling"), (0.2, "Bad")])
def test_nested_conditions_read_property_files(project: Project, score: float, outcome: str) -> None:
    code = project.script(
        "score", "import sys; open(sys.argv[1] + '/score.json', 'w').write('{\"m\": {\"v\": %s}}' % sys.argv[2])"
    )
    files = [{"PropertyFileName": "Score", "OutputName": "result", "FilePath": "score.json"}]
    evaluate = processing("Evaluate", code, [f"{OUTPUT}/result", get("Parameters.Score")], PropertyFiles=files)
    write = project.script("write", WRITE)
    by_uri = {"Std:JsonGet": {"S3Uri": join(output_of("Evaluate"), "score.json"), "Path": "m.v"}}
    inner = condition(
        "Inner",
        compare("GreaterThanOrEqualTo", by_uri, 0.8),
        [processing("Good", write, [f"{OUTPUT}/result"])],
        [processing("Middling", write, [f"{OUTPUT}/result"])],
    )
    message = join("score", json_get("Evaluate", "Score", "m['v']"), "is too low", on=" ")
    outer = condition(
        "Outer",
        compare("GreaterThanOrEqualTo", json_get("Evaluate", "Score", "m.v"), 0.5),
        [inner],
        [fail("Bad", message)],
    )
    parameters = [{"Name": "Score", "Type": "Float"}]
    result = project.run([outer, evaluate], "--parameter", f"Score={score}", parameters=parameters)
    chosen = {
        name for name, status in result.statuses().items() if name in ("Good", "Middling") and status == "Succeeded"
    }
    if outcome == "Bad":
        assert result.code == 1
        assert result.execution["FailureReason"] == "Bad: score 0.2 is too low"
        assert "Refused at Bad: score 0.2 is too low" in result.out and "Nothing was registered" in result.out
        assert result.statuses()["Inner"] == "Skipped" and chosen == set()
    else:
        assert result.code == 0, result.out
        assert chosen == {outcome}
        assert result.statuses()["Bad"] == "Skipped"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"Type": "Not", "Expression": compare("Equals", "a", "a")}, False),
        ({"Type": "Or", "Conditions": [compare("LessThan", 2, 1), compare("GreaterThan", 2, 1)]}, True),
        ({"Type": "In", "QueryValue": "a", "Values": ["a", "b"]}, True),
        (compare("LessThanOrEqualTo", 1, 1), True),
    ],
)
def test_kinds_of_condition(project: Project, rule: dict[str, object], expected: bool) -> None:
    result = project.run([condition("Check", rule, [], [])])
    assert result.code == 0, result.out
    assert result.step("Check")["Outcome"] is expected


def test_register_needs_the_model_to_exist(project: Project) -> None:
    result = project.run([register("Register", "s3://bucket/nowhere/model.tar.gz")])
    assert result.code == 1
    assert "s3://bucket/nowhere/model.tar.gz does not exist" in result.step("Register")["FailureReason"]
    assert not (project.root / ".local/registry").exists()
