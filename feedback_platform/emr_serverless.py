"""EMR Serverless as a place for Spark jobs: what has to be said of it, checked at start.

Formats are those of the API reference of EMR Serverless, operation StartJobRun.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from feedback_platform.errors import InvalidSettingError

_BUCKET: Final = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_APPLICATION: Final = re.compile(r"[0-9a-z]{1,64}")
_ROLE: Final = re.compile(r"arn:aws[a-zA-Z0-9-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_SCRIPT: Final = re.compile(rf"({_BUCKET}/|local:///)\S{{1,1000}}\.py")
_PREFIX: Final = re.compile(rf"{_BUCKET}(/\S{{0,500}})?")
_PREFIX_ACCEPTS: Final = "a URL such as s3://bucket/prefix"
_LOGS: Final = "FEEDBACK_EMR_LOGS_URL"
_PARAMETERS: Final = "FEEDBACK_EMR_SPARK_PARAMETERS"
# Field, variable, format and what the error says of it.
_NEEDED: Final = (
    ("application_id", "FEEDBACK_EMR_APPLICATION_ID", _APPLICATION, "the id of an application"),
    (
        "execution_role",
        "FEEDBACK_EMR_EXECUTION_ROLE",
        _ROLE,
        "the ARN of a role, arn:aws:iam::…:role/…, that the job takes",
    ),
    (
        "entry_point",
        "FEEDBACK_EMR_ENTRY_POINT",
        _SCRIPT,
        "where spark_jobs/cleaning.py lies: s3://bucket/….py, or local:///….py of its own image",
    ),
    ("messages_url", "FEEDBACK_EMR_MESSAGES_URL", _PREFIX, _PREFIX_ACCEPTS),
)


@dataclass(frozen=True)
class EmrServerless:
    """An application of EMR Serverless, and how jobs are submitted to it.

    Attributes:
        application_id: of the application, of type Spark.
        execution_role: ARN of the role that the job takes.
        entry_point: the script, `s3://…` or `local:///…`.
        messages_url: the s3:// prefix through which the job reports.
        logs_url: the s3:// prefix under which Spark's own logs are kept, or empty.
        spark_parameters: further parameters of spark-submit, `--conf name=value …`, or empty.
    """

    application_id: str
    execution_role: str
    entry_point: str
    messages_url: str
    logs_url: str = ""
    spark_parameters: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that say the same."""
        return {
            **{variable: getattr(self, name) for name, variable, _, _ in _NEEDED},
            _LOGS: self.logs_url,
            _PARAMETERS: self.spark_parameters,
        }


def emr_serverless_of(environment: Mapping[str, str], *, is_needed: bool) -> EmrServerless | None:
    """Return what the environment says of EMR Serverless.

    Args:
        environment: the variables.
        is_needed: whether jobs are to run there; if not, nothing is checked, and None returned.

    Raises:
        InvalidSettingError: one is missing or malformed.
    """
    given = {field: environment.get(variable, "") for field, variable, _, _ in _NEEDED}
    logs_url = environment.get(_LOGS, "")
    spark_parameters = environment.get(_PARAMETERS, "").strip()
    if not is_needed:
        return None
    for field, variable, accepted, description in _NEEDED:
        if accepted.fullmatch(given[field]) is None:
            raise InvalidSettingError(
                variable,
                given[field],
                f"{description}, wherever FEEDBACK_SPARK_DRIVER is emr-serverless",
            )
    if logs_url and _PREFIX.fullmatch(logs_url) is None:
        raise InvalidSettingError(_LOGS, logs_url, _PREFIX_ACCEPTS)
    if spark_parameters and not spark_parameters.startswith("--"):
        raise InvalidSettingError(
            _PARAMETERS,
            spark_parameters,
            "parameters of spark-submit, such as --conf spark.executor.memory=8g",
        )
    return EmrServerless(**given, logs_url=logs_url, spark_parameters=spark_parameters)
